"""InfoNCE of two batches of embeddings that belong together row by row."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_as_large, require_matrix, require_positive
from zoo_metric_learning.distances import at_least_float32, similarities
from zoo_metric_learning.losses.base import raised


@keras.saving.register_keras_serializable(package="metric-learning")
class InfoNCELoss(keras.losses.Loss):
    """InfoNCE with in-batch negatives: each row of one batch should find its own row of the other among all of them.

    With the cosines s of row i of `y_pred` and row j of `y_true`, averaged over the rows:

        -log(exp(s_ii / temperature) / sum over j of exp(s_ij / temperature))

    symmetric: half of it, and half of the same with the two exchanged, as in CLIP. Both arguments are embeddings:
    questions and answers, pictures and texts, two views of a picture. Gradients flow into both, so that in a model with
    two outputs it is an added loss: `AddLoss(InfoNCELoss())([answers, questions])`. In `compile(loss=InfoNCELoss())`
    the targets are embeddings of another model. Rows that are alike are taken for negatives of each other.

    Args:
        temperature: above 0.
        symmetric: whether rows of `y_true` search `y_pred`, too.
        normalize: whether to compare by cosine; False compares by dot product.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Shapes: (batch, dimensions) both.

    Raises:
        ValueError: for a temperature of 0 or less, or other shapes.

    References:
        van den Oord, Li and Vinyals, 2018, Contrastive predictive coding: arXiv:1807.03748.
        Radford and others, 2021, CLIP: arXiv:2103.00020.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        symmetric: bool = True,
        normalize: bool = True,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=raised(dtype))
        require_positive(temperature=temperature)
        self.temperature = float(temperature)
        self.symmetric = symmetric
        self.normalize = normalize

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The cross-entropy of each row: (batch,)."""
        targets, embeddings = at_least_float32(y_true), at_least_float32(y_pred)
        require_matrix("embeddings", embeddings)
        require_as_large(targets, embeddings)
        if embeddings.shape[0] == 0:
            return ops.sum(embeddings, axis=1)
        logits = similarities(embeddings, targets, normalize=self.normalize) / self.temperature
        own = ops.diagonal(logits)
        losses = ops.logsumexp(logits, axis=1) - own
        return (losses + ops.logsumexp(logits, axis=0) - own) / 2 if self.symmetric else losses

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        own = {"temperature": self.temperature, "symmetric": self.symmetric, "normalize": self.normalize}
        return {**super().get_config(), **own}
