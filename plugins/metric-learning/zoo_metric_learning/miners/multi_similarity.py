"""The miner of the multi-similarity loss."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_not_negative
from zoo_metric_learning.miners.base import Miner
from zoo_metric_learning.pairs import Pairs


@keras.saving.register_keras_serializable(package="metric-learning")
class MultiSimilarityMiner(Miner):
    """Positives farther than the nearest negative, and negatives nearer than the farthest positive, within epsilon.

    With cosines: positives with s_ap - epsilon < max over negatives of s_an, and negatives with s_an + epsilon > min
    over positives of s_ap. An anchor without negatives keeps no positive, one without positives no negative.

    Args:
        epsilon: at least 0.
        distance: "cosine", as in the paper, "euclidean" or "squared-euclidean".
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.

    Raises:
        ValueError: for an epsilon below 0 or an unknown word.

    References:
        Wang, Han, Huang, Dong and Scott, 2019, Multi-similarity loss: arXiv:1904.06627.
    """

    def __init__(self, epsilon: float = 0.1, distance: str = "cosine", normalize: bool = True) -> None:
        super().__init__(distance=distance, normalize=normalize)
        require_not_negative(epsilon=epsilon)
        self.epsilon = float(epsilon)

    def weights(self, distances: Any, pairs: Pairs) -> tuple[Any, Any]:
        """1 for the pairs that are kept: (anchors, references) each."""
        positives, negatives = pairs.positives > 0, pairs.negatives > 0
        farthest = ops.max(ops.where(positives, distances, -math.inf), axis=1, keepdims=True)
        nearest = ops.min(ops.where(negatives, distances, math.inf), axis=1, keepdims=True)
        return (
            ops.cast(ops.logical_and(positives, distances + self.epsilon > nearest), distances.dtype),
            ops.cast(ops.logical_and(negatives, distances - self.epsilon < farthest), distances.dtype),
        )

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "epsilon": self.epsilon}
