"""The triplet loss."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_choice, require_not_negative
from zoo_metric_learning.distances import DISTANCES, distances
from zoo_metric_learning.losses.base import EmbeddingLoss
from zoo_metric_learning.miners.base import Miner
from zoo_metric_learning.pairs import Pairs, share
from zoo_metric_learning.semi_hard import semi_hard_negatives
from zoo_metric_learning.triplets import BANDS, TripletTerm, triplet_sums

MININGS = ("hard", "semi-hard", *BANDS)
"""The values of `mining`."""

AVERAGES = ("non-zero", "all")
"""The values of `average`."""


@keras.saving.register_keras_serializable(package="metric-learning")
class TripletLoss(EmbeddingLoss):
    """Triplet loss: an anchor should be nearer to its positives than to its negatives, by a margin.

    Of a triplet of an anchor a, a positive p (of the same class) and a negative n (of another one):

        max(0, d(a, p) - d(a, n) + margin)        or, with soft_margin, log(1 + exp(d(a, p) - d(a, n) + margin))

    The triplets are taken from within the batch, so it should hold several samples of each class. `mining` says which:

    - "hard", batch-hard: for each anchor its farthest positive and its nearest negative.
    - "semi-hard", as in FaceNet: for each pair (a, p) the nearest negative that is farther than p or, where none is,
      the farthest one.
    - "all": every triplet.
    - "semi-hard all": every triplet with d(a, p) < d(a, n) <= d(a, p) + margin.
    - "hard all": every triplet with d(a, n) <= d(a, p).

    Memory is of the order of batch^2, however many triplets there are; time is batch^2 times the largest class.

    Args:
        margin: at least 0.
        mining: see above.
        distance: "euclidean", "squared-euclidean", or "cosine", which is 1 - cos.
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.
        soft_margin: log(1 + exp(x)) in place of max(0, x); use it with margin 0.
        average: what the sum is divided by: "non-zero", the number of triplets with a loss above zero; or "all", that
            of all triplets that `mining` names.
        miner: leaves out pairs before triplets are formed of those that remain; how often it counts a pair is ignored.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions). Where there is no triplet the loss is 0.

    Raises:
        ValueError: for a margin below 0, an unknown word, or other shapes.

    References:
        Schroff, Kalenichenko and Philbin, 2015, FaceNet: arXiv:1503.03832.
        Hermans, Beyer and Leibe, 2017, In defense of the triplet loss: arXiv:1703.07737.
    """

    def __init__(
        self,
        margin: float = 0.2,
        mining: str = "semi-hard",
        distance: str = "euclidean",
        normalize: bool = True,
        soft_margin: bool = False,
        average: str = "non-zero",
        miner: Miner | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(miner=miner, reduction=reduction, name=name, dtype=dtype)
        require_not_negative(margin=margin)
        require_choice("mining", mining, MININGS)
        require_choice("distance", distance, DISTANCES)
        require_choice("average", average, AVERAGES)
        self.margin = float(margin)
        self.mining = mining
        self.distance = distance
        self.normalize = normalize
        self.soft_margin = soft_margin
        self.average = average

    def shares(self, pairs: Pairs) -> Any:
        """What each anchor adds to the loss: (anchors,)."""
        measured = distances(pairs.anchors, pairs.references, self.distance, normalize=self.normalize)
        if self.mining in BANDS:
            term = TripletTerm(self.mining, self.margin, "softplus" if self.soft_margin else "hinge")
            sums, above_zero = triplet_sums(measured, pairs, term)
        else:
            sums, above_zero = (self._hardest if self.mining == "hard" else self._semi_hard)(measured, pairs)
        return share(sums, above_zero if self.average == "non-zero" else self._triplets(above_zero, pairs))

    def _hardest(self, measured: Any, pairs: Pairs) -> tuple[Any, Any]:
        farthest = ops.max(ops.where(pairs.positives > 0, measured, -math.inf), axis=1)
        nearest = ops.min(ops.where(pairs.negatives > 0, measured, math.inf), axis=1)
        exists = ops.logical_and(farthest > -math.inf, nearest < math.inf)
        losses = self._losses(ops.where(exists, farthest, 0), ops.where(exists, nearest, 0), exists)
        return losses, ops.cast(losses > 0, measured.dtype)

    def _semi_hard(self, measured: Any, pairs: Pairs) -> tuple[Any, Any]:
        chosen, exists = semi_hard_negatives(measured, pairs)
        losses = self._losses(measured, ops.take_along_axis(measured, chosen, axis=1), exists)
        return ops.sum(losses, axis=1), ops.sum(ops.cast(losses > 0, measured.dtype), axis=1)

    def _losses(self, near: Any, far: Any, exists: Any) -> Any:
        excess = near - far + self.margin
        losses = ops.softplus(excess) if self.soft_margin else ops.relu(excess)
        return losses * ops.cast(exists, losses.dtype)

    def _triplets(self, above_zero: Any, pairs: Pairs) -> Any:
        """The number of triplets of each anchor that `mining` names."""
        if self.mining in ("semi-hard all", "hard all"):
            # All that lie in the band are above zero, save those on its edge.
            return above_zero
        positives = ops.sum(ops.cast(pairs.positives > 0, above_zero.dtype), axis=1)
        negatives = ops.sum(ops.cast(pairs.negatives > 0, above_zero.dtype), axis=1)
        exists = ops.cast(ops.logical_and(positives > 0, negatives > 0), above_zero.dtype)
        return {"all": positives * negatives, "semi-hard": positives * exists}.get(self.mining, exists)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "margin": self.margin,
            "mining": self.mining,
            "distance": self.distance,
            "normalize": self.normalize,
            "soft_margin": self.soft_margin,
            "average": self.average,
        }
