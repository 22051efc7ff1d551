"""What a ranker is trained by: losses over the scores of every question with every answer of a batch."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="metric-learning")
class InBatchSoftmax(keras.losses.Loss):
    """InfoNCE over a matrix of scores: each question picks its answer among the batch's, and each answer its question.

    `(-log softmax(S)_ii - log softmax(S^T)_ii) / 2` for `S = y_pred / temperature`, `(batch, batch)`, whose right pairs
    are on the diagonal; `y_true` is not looked at. A batch of one pair has loss 0.

    Args:
        temperature: what the scores are divided by; cosines need one well below 1.

    References:
        van den Oord, Li, Vinyals, 2018. Representation learning with contrastive predictive coding. arXiv:1807.03748
        Henderson et al., 2017. Efficient natural language response suggestion for Smart Reply. arXiv:1705.00652
    """

    def __init__(
        self,
        temperature: float = 1.0,
        reduction: str = "sum_over_batch_size",
        name: str = "in_batch_softmax",
        dtype: Any = None,
    ) -> None:
        if not temperature > 0:
            raise ValueError(f"InBatchSoftmax(temperature={temperature}): the temperature must be more than 0")
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.temperature = temperature

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each pair, `(batch,)`."""
        scores = _checked(self, y_pred) / self.temperature
        right = ops.diagonal(scores)
        return (ops.logsumexp(scores, axis=1) + ops.logsumexp(scores, axis=0)) / 2 - right

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "temperature": self.temperature}


@keras.saving.register_keras_serializable(package="metric-learning")
class RandomNegativeTriplet(keras.losses.Loss):
    """The triplet loss with one random wrong answer for each question: `max(0, margin + S_ij - S_ii)`.

    `y_pred` holds the scores `(batch, batch)`, right pairs on the diagonal; j is the next row of the batch, whose order
    is random. `y_true` is not looked at. A batch of one pair has no wrong answer, and loss 0.

    Args:
        margin: by how much the right answer should be ahead.

    References:
        Su, 2017. kexue.fm post 4493.
        Schroff, Kalenichenko, Philbin, 2015. FaceNet. arXiv:1503.03832
    """

    def __init__(
        self,
        margin: float = 0.1,
        reduction: str = "sum_over_batch_size",
        name: str = "random_negative_triplet",
        dtype: Any = None,
    ) -> None:
        if not margin >= 0:
            raise ValueError(f"RandomNegativeTriplet(margin={margin}): the margin must be 0 or more")
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.margin = margin

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each question, `(batch,)`."""
        scores = _checked(self, y_pred)
        right, wrong = ops.diagonal(scores), ops.diagonal(ops.roll(scores, -1, axis=1))
        several = ops.cast(ops.shape(scores)[0] > 1, scores.dtype)
        return several * ops.maximum(self.margin + wrong - right, 0)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "margin": self.margin}


def _checked(loss: keras.losses.Loss, scores: Any) -> Any:
    shape = tuple(scores.shape)
    if len(shape) != 2 or (None not in shape and shape[0] != shape[1]):
        raise ValueError(f"{type(loss).__name__} takes scores of shape (batch, batch), got {shape}")
    return scores
