"""Supervised contrastive loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_positive
from zoo_metric_learning.distances import similarities
from zoo_metric_learning.exponentials import masked_log_sum_exp
from zoo_metric_learning.losses.base import EmbeddingLoss
from zoo_metric_learning.miners.base import Miner
from zoo_metric_learning.pairs import Pairs, share


@keras.saving.register_keras_serializable(package="metric-learning")
class SupConLoss(EmbeddingLoss):
    """Supervised contrastive loss: the cross-entropy of every positive among all others, averaged per anchor.

    With the cosines s, averaged over the anchors a that have positives P(a):

        -1 / |P(a)|  sum over p in P(a) of log(exp(s_ap / temperature) / sum over j != a of exp(s_aj / temperature))

    the form "out" of the paper. Unlike in `NTXentLoss` the other positives are in the denominator.

    Args:
        temperature: above 0.
        normalize: whether to compare by cosine; False compares by dot product.
        miner: leaves out pairs or counts them several times; None for all pairs.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions). Without positives it is 0.

    Raises:
        ValueError: for a temperature of 0 or less, or other shapes.

    References:
        Khosla and others, 2020, Supervised contrastive learning: arXiv:2004.11362.
    """

    def __init__(
        self,
        temperature: float = 0.1,
        normalize: bool = True,
        miner: Miner | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(miner=miner, reduction=reduction, name=name, dtype=dtype)
        require_positive(temperature=temperature)
        self.temperature = float(temperature)
        self.normalize = normalize

    def shares(self, pairs: Pairs) -> Any:
        """What each anchor adds to the loss: (anchors,)."""
        logits = similarities(pairs.anchors, pairs.references, normalize=self.normalize) / self.temperature
        everything = masked_log_sum_exp(logits, pairs.positives + pairs.negatives)
        count = ops.sum(pairs.positives, axis=1)
        has_positives = count > 0
        mean_logit = ops.sum(pairs.positives * logits, axis=1) / ops.maximum(count, 1)
        losses = ops.where(has_positives, ops.where(has_positives, everything, 0) - mean_logit, 0)
        return share(losses, ops.cast(has_positives, losses.dtype))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "temperature": self.temperature, "normalize": self.normalize}
