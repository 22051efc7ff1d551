"""The hardest pairs of each anchor."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_metric_learning.miners.base import Miner
from zoo_metric_learning.pairs import Pairs


@keras.saving.register_keras_serializable(package="metric-learning")
class BatchHardMiner(Miner):
    """Of each anchor the farthest positive and the nearest negative, which count once; all other pairs are left out.

    An anchor without a positive or without a negative is left out. `TripletLoss(mining="hard")` is the same, at once.

    Args:
        distance: "euclidean", "squared-euclidean" or "cosine".
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.

    References:
        Hermans, Beyer and Leibe, 2017, In defense of the triplet loss: arXiv:1703.07737.
    """

    def weights(self, distances: Any, pairs: Pairs) -> tuple[Any, Any]:
        """1 for the hardest pairs: (anchors, references) each."""
        positives, negatives = pairs.positives > 0, pairs.negatives > 0
        farthest = ops.argmax(ops.where(positives, distances, -math.inf), axis=1)
        nearest = ops.argmin(ops.where(negatives, distances, math.inf), axis=1)
        exists = ops.logical_and(ops.any(positives, axis=1), ops.any(negatives, axis=1))[:, None]
        positions = ops.arange(ops.shape(distances)[1], dtype=farthest.dtype)[None, :]
        return (
            ops.cast(ops.logical_and(positions == farthest[:, None], exists), distances.dtype),
            ops.cast(ops.logical_and(positions == ops.cast(nearest, farthest.dtype)[:, None], exists), distances.dtype),
        )
