"""The contrastive loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_choice, require_not_negative
from zoo_metric_learning.distances import DISTANCES, distances
from zoo_metric_learning.losses.base import EmbeddingLoss
from zoo_metric_learning.miners.base import Miner
from zoo_metric_learning.pairs import Pairs, share


@keras.saving.register_keras_serializable(package="metric-learning")
class ContrastiveLoss(EmbeddingLoss):
    """Contrastive loss: positives nearer than one margin, negatives farther than another.

        mean over positive pairs of max(0, d - positive_margin)
            + mean over negative pairs of max(0, negative_margin - d)

    where each mean is taken over the pairs whose term is above zero, and is 0 where there are none.

    Args:
        positive_margin: the distance up to which positives cost nothing, at least 0.
        negative_margin: the distance from which on negatives cost nothing, at least 0.
        distance: "euclidean", "squared-euclidean", or "cosine", which is 1 - cos.
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.
        squared: whether each term is squared, as Hadsell, Chopra and LeCun have it.
        miner: leaves out pairs or counts them several times; None for all pairs.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions).

    Raises:
        ValueError: for a margin below 0, an unknown distance, or other shapes.

    References:
        Hadsell, Chopra and LeCun, 2006, Dimensionality reduction by learning an invariant mapping (CVPR).
    """

    def __init__(
        self,
        positive_margin: float = 0.0,
        negative_margin: float = 1.0,
        distance: str = "euclidean",
        normalize: bool = True,
        squared: bool = False,
        miner: Miner | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(miner=miner, reduction=reduction, name=name, dtype=dtype)
        require_not_negative(positive_margin=positive_margin, negative_margin=negative_margin)
        require_choice("distance", distance, DISTANCES)
        self.positive_margin = float(positive_margin)
        self.negative_margin = float(negative_margin)
        self.distance = distance
        self.normalize = normalize
        self.squared = squared

    def shares(self, pairs: Pairs) -> Any:
        """What each anchor adds to the loss: (anchors,)."""
        measured = distances(pairs.anchors, pairs.references, self.distance, normalize=self.normalize)
        return self._side(measured - self.positive_margin, pairs.positives) + self._side(
            self.negative_margin - measured, pairs.negatives
        )

    def _side(self, excess: Any, weights: Any) -> Any:
        above_zero = weights * ops.cast(excess > 0, weights.dtype)
        terms = ops.square(excess) if self.squared else excess
        return share(ops.sum(above_zero * terms, axis=1), above_zero)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "positive_margin": self.positive_margin,
            "negative_margin": self.negative_margin,
            "distance": self.distance,
            "normalize": self.normalize,
            "squared": self.squared,
        }
