"""Cross-entropy that keeps some probability for every class."""

from __future__ import annotations

from typing import Any

import keras

from zoo_addons.losses.classes import SparseClassLoss, Tensor, mean, require_between


@keras.saving.register_keras_serializable(package="addons")
class LabelSmoothedCrossentropy(SparseClassLoss):
    """Cross-entropy with label smoothing for whole-number labels: `-(1 - e) log p_y - e mean_k log p_k`.

    The same as `keras.losses.CategoricalCrossentropy(label_smoothing=e)` of one-hot labels, which this does not make:
    the target is `1 - e + e / K` for the class y and `e / K` for each of the others of K. It is the uniform mixture
    `(1 - e) CE(y, p) + e CE(u, p)`, too, where `u = 1 / K`; to change e while training, sum the two terms with
    `WeightedLosses` and `UniformCrossentropy`. The least value is the target's entropy, 0.5003 nats with `e = 0.1` and
    10 classes; a softmax whose logits grow without bound moves away from it.

        model.compile("adam", loss=LabelSmoothedCrossentropy(0.1, from_logits=True))

    Args:
        label_smoothing: e, from 0 (plain cross-entropy) to 1 (labels do not count).
        from_logits: whether `y_pred` are logits, which is more precise; otherwise probabilities, which are normalised
            and clipped as Keras does it. A logit of -inf makes the loss infinite, since that class gets its share too.
        ignore_class: a label that marks what is left out, -1 say: it has no gradient and does not count in the mean.
        axis: that of the classes in `y_pred`.
        reduction: as in `keras.losses.Loss`; with None there is one value for each label.
        name: of the loss.
        dtype: of the computation; half precision is raised to float32.

    Call arguments:
        y_true: whole numbers from 0 to classes - 1, `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: `(batch, ..., classes)`.
        sample_weight: as in `keras.losses.Loss`.

    Raises:
        ValueError: for arguments out of range, other shapes, and labels out of range where their values can be seen. In
            compiled code such a label counts as none: the target keeps only `e / K` for each class.

    References:
        Szegedy et al., 2015. Rethinking the Inception architecture for computer vision. arXiv:1512.00567
        Su, 2017. kexue.fm/archives/4493
    """

    def __init__(
        self,
        label_smoothing: float = 0.1,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "label_smoothed_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, ignore_class, axis, reduction, name, dtype)
        require_between(self, 0, 1, label_smoothing=label_smoothing)
        self.label_smoothing = label_smoothing

    def values(self, log_probs: Tensor, log_prob: Tensor) -> Tensor:
        """The mixture of the two cross-entropies."""
        uniform = mean(log_probs, axis=self.axis, keepdims=True)
        return -(1 - self.label_smoothing) * log_prob - self.label_smoothing * uniform

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


@keras.saving.register_keras_serializable(package="addons")
class UniformCrossentropy(SparseClassLoss):
    """Cross-entropy of the uniform distribution, a term against over-confidence: `CE(u, p) = -mean_k log p_k`.

    Labels matter only where they mark what is left out. `(1 - e) CE(y, p) + e CE(u, p)`, the mixture of post 4493, is
    label smoothing by e; as two terms of `WeightedLosses` its e can be scheduled:

        ce = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model = WeightedLosses(model, {"labels": ce, "uniform": UniformCrossentropy(from_logits=True)},
                               loss_weights={"labels": 0.9, "uniform": 0.1})

    The least value is `log K` for K classes, where all are equally probable.

    Args:
        from_logits: whether `y_pred` are logits, which is more precise; otherwise probabilities, which are normalised
            and clipped as Keras does it.
        ignore_class: a label that marks what is left out, -1 say: it has no gradient and does not count in the mean.
        axis: that of the classes in `y_pred`.
        reduction: as in `keras.losses.Loss`; with None there is one value for each label.
        name: of the loss.
        dtype: of the computation; half precision is raised to float32.

    Call arguments:
        y_true: whole numbers from 0 to classes - 1, `(batch, ...)` or `(batch, ..., 1)`.
        y_pred: `(batch, ..., classes)`.
        sample_weight: as in `keras.losses.Loss`.

    Raises:
        ValueError: for arguments out of range, other shapes, and labels out of range where their values can be seen.

    References:
        Su, 2017. kexue.fm/archives/4493
        Pereyra et al., 2017. Regularizing neural networks by penalizing confident outputs. arXiv:1701.06548
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "uniform_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, ignore_class, axis, reduction, name, dtype)

    def values(self, log_probs: Tensor, log_prob: Tensor) -> Tensor:
        """The mean over the classes."""
        return -mean(log_probs, axis=self.axis, keepdims=True)
