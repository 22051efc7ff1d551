"""The multi-similarity loss."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_finite, require_positive
from zoo_metric_learning.distances import similarities
from zoo_metric_learning.losses.base import EmbeddingLoss
from zoo_metric_learning.miners.base import Miner
from zoo_metric_learning.pairs import Pairs


@keras.saving.register_keras_serializable(package="metric-learning")
class MultiSimilarityLoss(EmbeddingLoss):
    """Multi-similarity loss: each pair weighs more the worse it is, compared with the others of its anchor.

    With the cosines s of an anchor to its positives p and negatives n, averaged over all anchors:

        log(1 + sum_p exp(-alpha (s_p - base))) / alpha + log(1 + sum_n exp(beta (s_n - base))) / beta

    The paper trains it with `miner=MultiSimilarityMiner()`.

    Args:
        alpha: sharpness for positives, above 0.
        beta: sharpness for negatives, above 0.
        base: the cosine between those that count as similar and those that do not, a finite number.
        miner: leaves out pairs; how often it counts one is ignored.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions), which are brought to length 1.

    Raises:
        ValueError: for an alpha or beta of 0 or less, or other shapes.

    References:
        Wang, Han, Huang, Dong and Scott, 2019, Multi-similarity loss: arXiv:1904.06627.
    """

    def __init__(
        self,
        alpha: float = 2.0,
        beta: float = 50.0,
        base: float = 0.5,
        miner: Miner | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(miner=miner, reduction=reduction, name=name, dtype=dtype)
        require_positive(alpha=alpha, beta=beta)
        require_finite(base=base)
        self.alpha = float(alpha)
        self.beta = float(beta)
        self.base = float(base)

    def shares(self, pairs: Pairs) -> Any:
        """What each anchor adds to the loss: (anchors,)."""
        above = similarities(pairs.anchors, pairs.references) - self.base
        positive = _log_of_one_and_exponentials(-self.alpha * above, pairs.positives) / self.alpha
        negative = _log_of_one_and_exponentials(self.beta * above, pairs.negatives) / self.beta
        return (positive + negative) / ops.cast(ops.shape(pairs.anchors)[0], above.dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "alpha": self.alpha, "beta": self.beta, "base": self.base}


def _log_of_one_and_exponentials(exponents: Any, weights: Any) -> Any:
    """log(1 + sum of exp(exponents)) over those of each row with a weight, without overflow: (rows,)."""
    counted = ops.where(weights > 0, exponents, -math.inf)
    highest = ops.stop_gradient(ops.maximum(ops.max(counted, axis=1), 0))
    return highest + ops.log(ops.exp(-highest) + ops.sum(ops.exp(counted - highest[:, None]), axis=1))
