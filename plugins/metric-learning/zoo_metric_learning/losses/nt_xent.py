"""NT-Xent: the cross-entropy of a positive among the negatives."""

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
class NTXentLoss(EmbeddingLoss):
    """NT-Xent, normalised temperature-scaled cross-entropy, for any labels: each positive against all negatives.

    With the cosines s, averaged over all pairs of an anchor a and a positive p, of the same class:

        -log(exp(s_ap / temperature) / (exp(s_ap / temperature) + sum over negatives n of exp(s_an / temperature)))

    The other positives of the anchor are not in the denominator: in `SupConLoss` they are. With labels of two each, two
    views of every picture say, it is SimCLR's loss. All of it is computed from the matrix of cosines: memory and time
    are of the order of batch^2, whatever the classes. Two views that come as two outputs: `InfoNCELoss`.

    Args:
        temperature: above 0.
        normalize: whether to compare by cosine; False compares by dot product.
        miner: leaves out pairs or counts them several times; None for all pairs.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions). Without positives or negatives it is 0.

    Raises:
        ValueError: for a temperature of 0 or less, or other shapes.

    References:
        Sohn, 2016, Improved deep metric learning with multi-class N-pair loss objective (NIPS).
        Chen, Kornblith, Norouzi and Hinton, 2020, SimCLR: arXiv:2002.05709.
    """

    def __init__(
        self,
        temperature: float = 0.07,
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
        rivals = masked_log_sum_exp(logits, pairs.negatives)
        losses = ops.softplus(ops.maximum(rivals, _LOWEST)[:, None] - logits)
        return share(ops.sum(pairs.positives * losses, axis=1), pairs.positives)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "temperature": self.temperature, "normalize": self.normalize}


_LOWEST = -1e30
"""In place of the logarithm of 0, whose softplus has no gradient everywhere."""
