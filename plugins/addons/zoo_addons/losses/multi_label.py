"""Softmax and cross-entropy where several classes may be right at once."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_addons.layers.arguments import greatest
from zoo_addons.losses.classes import PreciseLoss, Tensor, keep, require_whole
from zoo_addons.losses.fractions import fractions


@keras.saving.register_keras_serializable(package="addons")
class MultiLabelSoftmaxCrossentropy(PreciseLoss):
    """Softmax cross-entropy for any number of right classes: `log(1 + sum_neg e^s_i) + log(1 + sum_pos e^-s_j)`.

    Every right class is to have a score above 0, every other one below, each compared with all the rest as in a
    softmax: unlike a sum of binary cross-entropies it needs no weights where few of many classes are right. A class is
    predicted where its score is positive; scores are no logits of probabilities, so `metrics=["accuracy"]` with a
    threshold of 0 says how it went.

        model.compile("adam", loss=MultiLabelSoftmaxCrossentropy(),
                      metrics=[keras.metrics.BinaryAccuracy(threshold=0)])

    With targets t between 0 and 1 it is `log(1 + sum_i (1 - t_i) e^s_i) + log(1 + sum_i t_i e^-s_i)`, which is
    stationary where `sigmoid(2 s_i) = t_i`: then `2 s` are logits. With one class it is binary cross-entropy of s.

    Args:
        ignore_class: a number in `y_true` that marks classes of which nothing is known, -1 say: they are left out of
            the sums. Where nothing is known of any, the example does not count in the mean.
        axis: that of the classes.
        reduction: as in `keras.losses.Loss`; with None there is one value for each example.
        name: of the loss.
        dtype: of the computation; half precision is raised to float32.

    Call arguments:
        y_true: 0 or 1 for each class, or what is between, `(batch, ..., classes)`.
        y_pred: scores, any real numbers, `(batch, ..., classes)`.
        sample_weight: as in `keras.losses.Loss`, `(batch, ...)`.

    Raises:
        ValueError: for other shapes, and targets out of range where their values can be seen; in compiled code they are
            clipped.

    References:
        Su, 2020. kexue.fm/archives/7359; with soft labels, Su, 2022. kexue.fm/archives/9064
        Sun et al., 2020. Circle loss: a unified perspective of pair similarity optimization. arXiv:2002.10857
    """

    def __init__(
        self,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "multi_label_softmax_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        require_whole(self, ignore_class=0 if ignore_class is None else ignore_class, axis=axis)
        self.ignore_class, self.axis = ignore_class, axis

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """One value for each example."""
        targets, kept = fractions(self, y_true, y_pred, self.ignore_class)
        shares = ops.cast(kept, targets.dtype)
        wrong = _log_one_plus(shares - targets, y_pred, self.axis)
        losses = wrong + _log_one_plus(targets, -y_pred, self.axis)
        if self.ignore_class is not None:
            keep(losses, ops.any(kept, axis=self.axis))
        return losses

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "ignore_class": self.ignore_class, "axis": self.axis}


def _log_one_plus(weights: Tensor, scores: Tensor, axis: int) -> Tensor:
    """`log(1 + sum_i w_i e^s_i)` along an axis, for weights of 0 or more; no score is too large."""
    scores = ops.where(weights > 0, scores, 0)
    top = ops.stop_gradient(ops.maximum(greatest(scores, axis=axis, keepdims=True), 0))
    rest = ops.sum(weights * ops.exp(scores - top), axis=axis, keepdims=True)
    # A sum near 0 would be lost beside the 1.
    logs = ops.where(top > 0, ops.log(ops.exp(-top) + rest), ops.log1p(rest))
    return ops.squeeze(top + logs, axis=axis)
