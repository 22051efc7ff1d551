"""The semi-hard negative of every pair: one for each, as in FaceNet."""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from zoo_metric_learning.pairs import Pairs
from zoo_metric_learning.triplets import HARD_ALL, TripletTerm, triplet_slopes


def semi_hard_negatives(distances: Any, pairs: Pairs) -> tuple[Any, Any]:
    """For each pair (a, p) the nearest negative that is farther than p, else the farthest one.

    Returns its place among the references, and whether there is one and the pair counts: (anchors, references) both.
    A negative's place in the order of all of the anchor's is the number of those that are not farther than p.
    """
    distances = ops.stop_gradient(distances)
    is_negative = pairs.negatives > 0
    order = ops.argsort(ops.where(is_negative, distances, math.inf), axis=1)
    slopes, _sums, _counts = triplet_slopes(distances, pairs, TripletTerm(HARD_ALL, 0.0, "count"))
    last = ops.sum(ops.cast(is_negative, "int32"), axis=1, keepdims=True) - 1
    place = ops.clip(ops.cast(slopes, "int32"), 0, ops.maximum(last, 0))
    exists = ops.logical_and(pairs.positives > 0, last >= 0)
    return ops.take_along_axis(order, place, axis=1), exists
