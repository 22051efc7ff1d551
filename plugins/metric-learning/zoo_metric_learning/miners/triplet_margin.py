"""Pairs that are part of chosen triplets."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_choice, require_not_negative
from zoo_metric_learning.miners.base import Miner
from zoo_metric_learning.pairs import Pairs
from zoo_metric_learning.semi_hard import semi_hard_negatives
from zoo_metric_learning.triplets import ALL, HARD_ALL, SEMI_HARD_ALL, TripletTerm, triplet_slopes

_BANDS = {"all": ALL, "easy": ALL, "hard": HARD_ALL, "semi-hard": SEMI_HARD_ALL}


@keras.saving.register_keras_serializable(package="metric-learning")
class TripletMarginMiner(Miner):
    """Every triplet of a kind: each pair counts as often as it is part of one.

    With the gap d(a, n) - d(a, p) of anchor, positive and negative, the triplets are those with

    - "all": gap <= margin, which violate the margin;
    - "hard": gap <= 0, whose negative is not farther than the positive;
    - "semi-hard": 0 < gap <= margin;
    - "easy": gap > margin.

    For losses over pairs. To train with these triplets themselves, which is not the same as with all triplets of their
    pairs, use `TripletLoss(mining="all")`, "hard all" or "semi-hard all".

    Args:
        margin: at least 0.
        kind: see above.
        distance: "euclidean", "squared-euclidean" or "cosine".
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.

    Raises:
        ValueError: for a margin below 0 or an unknown word.
    """

    def __init__(
        self, margin: float = 0.2, kind: str = "all", distance: str = "euclidean", normalize: bool = True
    ) -> None:
        super().__init__(distance=distance, normalize=normalize)
        require_not_negative(margin=margin)
        require_choice("kind", kind, tuple(_BANDS))
        self.margin = float(margin)
        self.kind = kind

    def weights(self, distances: Any, pairs: Pairs) -> tuple[Any, Any]:
        """How many triplets each pair is part of: (anchors, references) each."""
        slopes, _sums, _counts = triplet_slopes(distances, pairs, TripletTerm(_BANDS[self.kind], self.margin, "count"))
        positives, negatives = ops.maximum(slopes, 0), ops.maximum(-slopes, 0)
        if self.kind != "easy":
            return positives, negatives
        every_positive = ops.cast(pairs.positives > 0, slopes.dtype)
        every_negative = ops.cast(pairs.negatives > 0, slopes.dtype)
        return (
            every_positive * ops.sum(every_negative, axis=1, keepdims=True) - positives,
            every_negative * ops.sum(every_positive, axis=1, keepdims=True) - negatives,
        )

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "margin": self.margin, "kind": self.kind}


@keras.saving.register_keras_serializable(package="metric-learning")
class SemiHardMiner(Miner):
    """FaceNet's semi-hard negatives: for each positive of an anchor the nearest negative that is farther than it.

    Where no negative is farther, it is the farthest one. A positive counts once, a negative as often as it was chosen.
    `TripletLoss(mining="semi-hard")` has the same triplets, at once.

    Args:
        distance: "euclidean", "squared-euclidean" or "cosine".
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.

    References:
        Schroff, Kalenichenko and Philbin, 2015, FaceNet: arXiv:1503.03832.
    """

    def weights(self, distances: Any, pairs: Pairs) -> tuple[Any, Any]:
        """1 for each positive, and how often each negative was chosen: (anchors, references) each."""
        chosen, exists = semi_hard_negatives(distances, pairs)
        positives = ops.cast(exists, distances.dtype)
        anchors, references = ops.shape(distances)
        places = ops.cast(chosen, "int32") + references * ops.arange(anchors, dtype="int32")[:, None]
        flat = ops.segment_sum(
            ops.reshape(positives, (-1,)), ops.reshape(places, (-1,)), num_segments=anchors * references
        )
        return positives, ops.reshape(flat, (anchors, references))
