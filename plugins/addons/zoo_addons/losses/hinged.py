"""Cross-entropy that leaves alone what is already right."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_addons.losses.classes import PreciseLoss, SparseClassLoss, Tensor, keep, mean, require_between, require_whole
from zoo_addons.losses.fractions import fractions


@keras.saving.register_keras_serializable(package="addons")
class HingedCrossentropy(SparseClassLoss):
    """Cross-entropy of the examples that are not right yet: `-log p_y` where `p_y <= m`, and 0 where `p_y > m`.

    Whatever has more than the probability m for its class has no loss and no gradient, as in a hinge loss, so that
    training does not make the right ones righter at the cost of the others. The mean is over all examples. With two
    classes it is `HingedBinaryCrossentropy`; with `threshold=1` plain cross-entropy. At m the value jumps by `-log m`;
    the gradient is that of `max(0, log m - log p_y)`, which would not.

        model.compile("adam", loss=HingedCrossentropy(0.6, from_logits=True))

    Args:
        threshold: m, above 0 and at most 1. From 0.5 on, only what is classified rightly is left alone.
        from_logits: whether `y_pred` are logits, which is more precise; otherwise probabilities, which are normalised
            and clipped as Keras does it.
        ignore_class: a label that marks what is left out, -1 say: it does not count in the mean.
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
            compiled code such a label has no loss.

    References:
        Su, 2017. kexue.fm/archives/4293
    """

    def __init__(
        self,
        threshold: float = 0.6,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "hinged_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, ignore_class, axis, reduction, name, dtype)
        require_between(self, 0, 1, threshold=threshold)
        if threshold == 0:
            raise ValueError("HingedCrossentropy(threshold=0) would leave everything alone")
        self.threshold = threshold

    def values(self, log_probs: Tensor, log_prob: Tensor) -> Tensor:
        """Cross-entropy where the label is not probable enough."""
        return ops.where(log_prob > math.log(self.threshold), 0, -log_prob)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "threshold": self.threshold}


@keras.saving.register_keras_serializable(package="addons")
class HingedBinaryCrossentropy(PreciseLoss):
    """Binary cross-entropy of what is not right yet: `l (-y log p - (1 - y) log(1 - p))`, l being 0 for what is right.

    `l = 0` where `y > m` and `p > m`, and where `y < 1 - m` and `p < 1 - m`; otherwise 1. So with labels 0 and 1
    nothing is left of an output that gives the right one more than m: no loss, and no gradient. With `threshold=1`
    it is plain binary cross-entropy. The value is the mean over the last axis, as in Keras.

        model.compile("adam", loss=HingedBinaryCrossentropy(0.6))

    Args:
        threshold: m, from 0.5 to 1.
        from_logits: whether `y_pred` are logits, which is more precise; otherwise probabilities.
        ignore_class: a number in `y_true` that marks outputs to leave out, -1 say: they do not count in the means.
        axis: that over which the mean is taken.
        reduction: as in `keras.losses.Loss`.
        name: of the loss.
        dtype: of the computation; half precision is raised to float32.

    Call arguments:
        y_true: numbers from 0 to 1, `(batch, ..., outputs)`; for one output also `(batch, ...)`.
        y_pred: `(batch, ..., outputs)`.
        sample_weight: as in `keras.losses.Loss`, `(batch, ...)`.

    Raises:
        ValueError: for arguments out of range, other shapes, and labels out of range where their values can be seen; in
            compiled code they are clipped.

    References:
        Su, 2017. kexue.fm/archives/4293
    """

    def __init__(
        self,
        threshold: float = 0.6,
        from_logits: bool = False,
        ignore_class: int | None = None,
        axis: int = -1,
        reduction: str | None = "sum_over_batch_size",
        name: str = "hinged_binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction, name, dtype)
        require_between(self, 0.5, 1, threshold=threshold)
        require_whole(self, ignore_class=0 if ignore_class is None else ignore_class, axis=axis)
        self.threshold, self.from_logits, self.ignore_class, self.axis = threshold, from_logits, ignore_class, axis

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The mean over the axis of the outputs."""
        targets, kept = fractions(self, y_true, y_pred, self.ignore_class)
        log_on, log_off = self._log_probabilities(ops.where(kept, y_pred, 0))
        least = math.log(self.threshold)
        right_on = ops.logical_and(targets > self.threshold, log_on > least)
        right_off = ops.logical_and(targets < 1 - self.threshold, log_off > least)
        left = ops.logical_and(kept, ops.logical_not(ops.logical_or(right_on, right_off)))
        values = ops.where(left, -targets * log_on - (1 - targets) * log_off, 0)
        if self.ignore_class is None:
            return mean(values, axis=self.axis)
        counts = ops.sum(ops.cast(kept, values.dtype), axis=self.axis)
        losses = ops.sum(values, axis=self.axis) / ops.maximum(counts, 1)
        keep(losses, counts > 0)
        return losses

    def _log_probabilities(self, y_pred: Tensor) -> tuple[Tensor, Tensor]:
        """Logarithms of the probabilities of 1 and of 0."""
        if self.from_logits:
            return ops.log_sigmoid(y_pred), ops.log_sigmoid(-y_pred)
        epsilon = keras.config.epsilon()
        clipped = ops.clip(y_pred, epsilon, 1 - epsilon)
        return ops.log(clipped), ops.log1p(-clipped)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        own = {name: getattr(self, name) for name in ("threshold", "from_logits", "ignore_class", "axis")}
        return {**super().get_config(), **own}
