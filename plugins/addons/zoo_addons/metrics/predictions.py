"""What calibration metrics look at: probabilities beside outcomes, of one class, or of many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops
from keras.src.backend import get_keras_mask

from zoo_addons.layers.arguments import at_least_float32
from zoo_addons.layers.labels import require_labels
from zoo_addons.losses.classes import log_probabilities
from zoo_addons.losses.fractions import require_fractions

Tensor = Any
"""A tensor of whatever the backend is."""

LABELS = ("auto", "binary", "one_hot", "sparse")
"""How labels may be given."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """Probabilities and outcomes `(n, classes)`, and how much each prediction counts, `(n,)`.

    Where there is one column, it is the probability of an outcome that is 1 or 0.
    """

    probabilities: Tensor
    outcomes: Tensor
    weights: Tensor


class PredictionMetric(keras.metrics.Metric):
    """A metric of probabilities, however the labels are given; a subclass accumulates in `add`.

    Args:
        labels: "sparse", whole numbers; "one_hot", one number for each class; "binary", 0 or 1 for each output, which
            is the probability of 1; "auto" sees by the shapes which of them it is.
        from_logits: whether `y_pred` are logits; otherwise they are probabilities.
        ignore_class: a label that marks what is left out, -1 say.
        name: of the metric.
        dtype: of the computation: that of Keras by default; half precision is raised to float32.
    """

    def __init__(self, labels: str, from_logits: bool, ignore_class: int | None, name: str, dtype: Any) -> None:
        policy = keras.dtype_policies.get(dtype or keras.config.floatx())
        super().__init__(name=name, dtype=at_least_float32(policy.compute_dtype))
        what = type(self).__name__
        if labels not in LABELS:
            raise ValueError(f"{what}(labels={labels!r}): labels must be one of {', '.join(LABELS)}")
        if ignore_class is not None and (isinstance(ignore_class, bool) or not isinstance(ignore_class, int)):
            raise ValueError(f"{what}(ignore_class={ignore_class!r}): ignore_class must be a whole number")
        self.labels, self.from_logits, self.ignore_class = labels, from_logits, ignore_class

    def add(self, predictions: Predictions) -> None:
        """Count a batch in."""
        raise NotImplementedError

    def update_state(self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None = None) -> None:
        """Count a batch in.

        Args:
            y_true: the labels, as above.
            y_pred: `(batch, ..., classes)`, or for binary labels one number for each; what a Keras mask leaves out does
                not count.
            sample_weight: `(batch,)`, or one for each label.
        """
        mask = get_keras_mask(y_pred)
        scores, outcomes, kept = self._scores_and_outcomes(ops.convert_to_tensor(y_true), ops.convert_to_tensor(y_pred))
        weights = ops.cast(kept, self.dtype)
        for factor in (mask, sample_weight):
            if factor is not None:
                weights = weights * self._spread(factor, len(kept.shape))
        # Whatever does not count may be NaN.
        counts = (weights != 0)[..., None]
        flat = [ops.reshape(ops.where(counts, each, 0), (-1, scores.shape[-1])) for each in (scores, outcomes)]
        self.add(Predictions(flat[0], flat[1], ops.reshape(weights, (-1,))))

    def _scores_and_outcomes(self, y_true: Tensor, y_pred: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Probabilities and outcomes `(..., classes)`, and which of them are kept, `(...)`."""
        kind = _kind(y_true, y_pred) if self.labels == "auto" else self.labels
        if kind == "binary":
            y_true, y_pred = self._same_shape(y_true, y_pred)[..., None], y_pred[..., None]
        scores = ops.cast(y_pred, self.dtype)
        if self.from_logits:
            scores = ops.sigmoid(scores) if kind == "binary" else ops.exp(log_probabilities(scores, True, -1))
        if kind == "sparse":
            return (scores, *self._one_hot(y_true, scores))
        outcomes = ops.cast(self._same_shape(y_true, scores), self.dtype)
        if self.ignore_class is None:
            kept = ops.ones_like(outcomes[..., 0], dtype="bool")
        else:
            kept = outcomes[..., 0] != self.ignore_class
        require_fractions(type(self).__name__, ops.where(kept[..., None], outcomes, 0))
        return scores, outcomes, kept

    def _one_hot(self, y_true: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
        """1 for the class that came true and 0 for others, and which labels are kept."""
        labels, classes = ops.cast(self._same_shape(y_true, scores[..., 0]), "int32"), scores.shape[-1]
        kept = ops.ones_like(labels, dtype="bool") if self.ignore_class is None else labels != self.ignore_class
        require_labels(type(self).__name__, labels, classes, kept)
        return ops.cast(labels[..., None] == ops.arange(classes, dtype="int32"), self.dtype), kept

    def _same_shape(self, tensor: Tensor, like: Tensor) -> Tensor:
        """A tensor in the shape of another, from which a last axis of length 1 may be missing, or be one too many."""
        rank = len(like.shape)
        if len(tensor.shape) == rank - 1 and like.shape[-1] == 1:
            tensor = tensor[..., None]
        elif len(tensor.shape) == rank + 1 and tensor.shape[-1] == 1:
            tensor = ops.squeeze(tensor, axis=-1)
        if len(tensor.shape) != rank or any(
            None not in pair and pair[0] != pair[1] for pair in zip(tensor.shape, like.shape, strict=True)
        ):
            shapes = f"{tuple(tensor.shape)} where {tuple(like.shape)} was expected"
            raise ValueError(f"{type(self).__name__}(labels={self.labels!r}) got labels of shape {shapes}")
        return tensor

    def _spread(self, factor: Tensor, rank: int) -> Tensor:
        """Weights of examples, or of each label in them, with as many axes as the labels."""
        factor = ops.cast(ops.convert_to_tensor(factor), self.dtype)
        while len(factor.shape) > rank and factor.shape[-1] == 1:
            factor = ops.squeeze(factor, axis=-1)
        if len(factor.shape) > rank:
            raise ValueError(f"{type(self).__name__} takes one weight for each label, got shape {tuple(factor.shape)}")
        while len(factor.shape) < rank:
            factor = factor[..., None]
        return factor

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        own = {"labels": self.labels, "from_logits": self.from_logits, "ignore_class": self.ignore_class}
        return {**super().get_config(), **own}


def _kind(y_true: Tensor, y_pred: Tensor) -> str:
    """Which labels they seem to be, by their shapes."""
    shape = tuple(y_pred.shape)
    if len(shape) == 1 or shape[-1] == 1:
        return "binary"
    return "one_hot" if len(y_true.shape) == len(shape) and y_true.shape[-1] != 1 else "sparse"
