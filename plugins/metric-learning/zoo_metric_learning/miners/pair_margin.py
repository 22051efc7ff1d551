"""Pairs on the wrong side of a margin."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_not_negative
from zoo_metric_learning.miners.base import Miner
from zoo_metric_learning.pairs import Pairs


@keras.saving.register_keras_serializable(package="metric-learning")
class PairMarginMiner(Miner):
    """Positives farther than one margin, and negatives nearer than another.

    Args:
        positive_margin: at least 0.
        negative_margin: at least 0.
        distance: "euclidean", "squared-euclidean" or "cosine".
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.

    Raises:
        ValueError: for a margin below 0 or an unknown word.
    """

    def __init__(
        self,
        positive_margin: float = 0.2,
        negative_margin: float = 0.8,
        distance: str = "euclidean",
        normalize: bool = True,
    ) -> None:
        super().__init__(distance=distance, normalize=normalize)
        require_not_negative(positive_margin=positive_margin, negative_margin=negative_margin)
        self.positive_margin = float(positive_margin)
        self.negative_margin = float(negative_margin)

    def weights(self, distances: Any, pairs: Pairs) -> tuple[Any, Any]:
        """1 for the pairs that are kept: (anchors, references) each."""
        return (
            pairs.positives * ops.cast(distances > self.positive_margin, distances.dtype),
            pairs.negatives * ops.cast(distances < self.negative_margin, distances.dtype),
        )

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        own = {"positive_margin": self.positive_margin, "negative_margin": self.negative_margin}
        return {**super().get_config(), **own}
