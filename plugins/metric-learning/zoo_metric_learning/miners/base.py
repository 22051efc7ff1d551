"""What every miner shares."""

from __future__ import annotations

from typing import Any

from keras import ops

from zoo_metric_learning.arguments import require_choice
from zoo_metric_learning.distances import DISTANCES, distances
from zoo_metric_learning.pairs import Pairs, pairs_within


class Miner:
    """Chooses pairs: which of its positives and of its negatives each anchor is trained with.

    Give one to a loss, `MultiSimilarityLoss(miner=MultiSimilarityMiner())`, or call it for two matrices of weights,
    `(positives, negatives)` of shape (batch, batch): 0 for a pair that is left out, otherwise how often it counts.
    Their shapes do not depend on what is chosen, so that everything can be compiled. No gradient passes through.

    Args:
        distance: "euclidean", "squared-euclidean" or "cosine".
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.
    """

    def __init__(self, distance: str = "euclidean", normalize: bool = True) -> None:
        require_choice("distance", distance, DISTANCES)
        self.distance = distance
        self.normalize = normalize

    def __call__(self, labels: Any, embeddings: Any) -> tuple[Any, Any]:
        """The weights of all pairs of labels (batch,) or (batch, 1) and embeddings (batch, dimensions)."""
        pairs = self.mined(pairs_within(labels, embeddings))
        return pairs.positives, pairs.negatives

    def mined(self, pairs: Pairs) -> Pairs:
        """The same pairs with the miner's weights."""
        anchors = ops.stop_gradient(pairs.anchors)
        references = ops.stop_gradient(pairs.references) if pairs.references is not pairs.anchors else anchors
        measured = distances(anchors, references, self.distance, normalize=self.normalize)
        positives, negatives = self.weights(measured, pairs)
        return pairs.weighted(ops.stop_gradient(positives), ops.stop_gradient(negatives))

    def weights(self, distances: Any, pairs: Pairs) -> tuple[Any, Any]:
        """Weights of positives and negatives, given the distances: (anchors, references) each."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"distance": self.distance, "normalize": self.normalize}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Miner:
        """The miner of a configuration."""
        return cls(**config)
