"""What losses over classes share: whole-number labels, log-probabilities, and what is left out."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops
from keras.src.backend import set_keras_mask

from zoo_addons.layers.arguments import at_least_float32, greatest
from zoo_addons.layers.labels import require_labels

Tensor = Any
"""A tensor of whatever the backend is."""


class PreciseLoss(keras.losses.Loss):
    """A loss that is computed in float32 at least, and 0 for an empty batch.

    Args:
        reduction: as in `keras.losses.Loss`.
        name: of the loss.
        dtype: of the computation: that of Keras by default; half precision is raised to float32.
    """

    def __init__(self, reduction: str | None, name: str, dtype: Any) -> None:
        policy = keras.dtype_policies.get(dtype or keras.config.floatx())
        super().__init__(name=name, reduction=reduction, dtype=at_least_float32(policy.compute_dtype))
        self._given_dtype = None if dtype is None else policy.name

    def __call__(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> Tensor:
        """The loss, reduced."""
        # Lists of numbers: Keras would take them for structures of scalars.
        value = super().__call__(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred), sample_weight)
        # Keras hands out the values of an empty batch as they are.
        is_left = tuple(value.shape) == (0,) and self.reduction not in (None, "none")
        return ops.sum(value) if is_left else value

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "dtype": self._given_dtype}


class SparseClassLoss(PreciseLoss):
    """A loss of whole-number labels and the log-probabilities of the classes: a subclass says which in `values`.

    Args:
        from_logits: whether `y_pred` are logits; otherwise they are probabilities.
        ignore_class: a label that marks what is left out, -1 say.
        axis: that of the classes in `y_pred`.
    """

    def __init__(
        self,
        from_logits: bool,
        ignore_class: int | None,
        axis: int,
        reduction: str | None,
        name: str,
        dtype: Any,
    ) -> None:
        super().__init__(reduction, name, dtype)
        require_whole(self, ignore_class=0 if ignore_class is None else ignore_class, axis=axis)
        self.from_logits, self.ignore_class, self.axis = from_logits, ignore_class, axis

    def values(self, log_probs: Tensor, log_prob: Tensor) -> Tensor:
        """The loss of each label, of all log-probabilities and of the label's own, whose axis has length 1 in both."""
        raise NotImplementedError

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The loss of each label, in the labels' shape."""
        labels = ops.cast(self._aligned(y_true, y_pred), "int32")
        kept = ops.ones_like(labels, dtype="bool") if self.ignore_class is None else labels != self.ignore_class
        classes = y_pred.shape[self.axis]
        require_labels(type(self).__name__, labels, classes, kept)
        log_probs = log_probabilities(ops.where(kept, y_pred, 0), self.from_logits, self.axis)
        picked = ops.take_along_axis(log_probs, ops.clip(labels, 0, classes - 1), axis=self.axis)
        # Out of range, which compiled code cannot refuse: no class, as in a row of zeros in place of a one-hot one.
        own = ops.where(ops.logical_and(labels >= 0, labels < classes), picked, 0)
        losses = ops.squeeze(ops.where(kept, self.values(log_probs, own), 0), axis=self.axis)
        if self.ignore_class is not None:
            keep(losses, ops.squeeze(kept, axis=self.axis))
        return losses

    def _aligned(self, labels: Tensor, scores: Tensor) -> Tensor:
        """Labels with an axis of length 1 where the scores have their classes; raises ValueError for other shapes."""
        rank, axis = len(scores.shape), self.axis
        if rank < 2 or not -rank <= axis < rank or scores.shape[axis] is None:
            raise ValueError(
                f"{type(self).__name__}(axis={axis}) takes scores with the classes, a known number, on that axis, "
                f"got shape {tuple(scores.shape)}"
            )
        aligned = ops.expand_dims(labels, axis) if len(labels.shape) == rank - 1 else labels
        wanted = [None if size is None else int(size) for size in scores.shape]
        wanted[axis] = 1
        if len(aligned.shape) != rank or any(
            None not in pair and pair[0] != pair[1] for pair in zip(aligned.shape, wanted, strict=True)
        ):
            raise ValueError(
                f"{type(self).__name__} takes whole numbers as labels, of one axis less than the scores: got shape "
                f"{tuple(labels.shape)} for {tuple(scores.shape)}; of one-hot labels give "
                f"keras.ops.argmax(labels, axis={axis})"
            )
        return aligned

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        own = {"from_logits": self.from_logits, "ignore_class": self.ignore_class, "axis": self.axis}
        return {**super().get_config(), **own}


def log_probabilities(y_pred: Tensor, from_logits: bool, axis: int) -> Tensor:
    """Logarithms of probabilities, from logits, or from probabilities as Keras treats them: normalised and clipped."""
    if from_logits:
        shifted = y_pred - ops.stop_gradient(greatest(y_pred, axis=axis, keepdims=True))
        return shifted - ops.log(ops.sum(ops.exp(shifted), axis=axis, keepdims=True))
    epsilon = keras.config.epsilon()
    total = ops.sum(y_pred, axis=axis, keepdims=True)
    return ops.log(ops.clip(ops.divide_no_nan(y_pred, total), epsilon, 1 - epsilon))


def mean(x: Tensor, axis: int, keepdims: bool = False) -> Tensor:
    """The mean along an axis; Keras' own rounds float64 to float32 on JAX."""
    return ops.sum(x, axis=axis, keepdims=keepdims) / ops.cast(ops.maximum(ops.shape(x)[axis], 1), x.dtype)


def keep(losses: Tensor, kept: Tensor) -> None:
    """Mark those of the losses that count, for the reduction that Keras will do."""
    set_keras_mask(losses, kept)


def require_whole(loss: Any, **values: Any) -> None:
    """Raise ValueError for an argument that is no whole number."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int):
            raise ValueError(f"{type(loss).__name__}({name}={value!r}): {name} must be a whole number")


def require_between(loss: Any, low: float, high: float, **values: Any) -> None:
    """Raise ValueError for an argument that is no number from `low` to `high`."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"{type(loss).__name__}({name}={value!r}): {name} must be a number from {low} to {high}")
