"""All triplets of a batch, in memory of the order of its pairs: they are counted, and never stored.

The sum of the hinges max(0, d(a, p) - d(a, n) + margin) over an anchor's triplets is piecewise linear in its distances:
d(a, p) is added once for each negative nearer than d(a, p) + margin, and d(a, n) subtracted once for each positive
farther than d(a, n) - margin. These counts are the gradient, and times the distances they are the value. They come from
comparing all distances of all anchors with one positive of each at a time.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keras import ops

from zoo_metric_learning.compiling import compiled, repeat
from zoo_metric_learning.pairs import Pairs

ALL, SEMI_HARD_ALL, HARD_ALL = BANDS = ("all", "semi-hard all", "hard all")
"""Which triplets count: every one; those with d(a, p) < d(a, n) <= d(a, p) + margin; those with d(a, n) <= d(a, p)."""

_AT_ONCE = 8
_WORTH_COMPILING = 64 * 64


@dataclass(frozen=True, slots=True)
class TripletTerm:
    """What each triplet of a band adds.

    `measure` is "hinge": max(0, d(a, p) - d(a, n) + margin); "softplus" of the same; or "count": 1 where d(a, n) is at
    most d(a, p) + margin.
    """

    band: str
    margin: float
    measure: str = "hinge"


def triplet_sums(distances: Any, pairs: Pairs, term: TripletTerm) -> tuple[Any, Any]:
    """Of each anchor the sum over its triplets, and the number of those above zero: (anchors,) both.

    `distances` has shape (anchors, references). The first derivative is right, the second of softplus is left out.
    """
    slopes, sums, counts = triplet_slopes(distances, pairs, term)
    linear = ops.sum(slopes * distances, axis=1)
    held = ops.stop_gradient(linear)
    total = term.margin * counts + held if term.measure == "hinge" else sums
    return linear + ops.stop_gradient(total - held), counts


def triplet_slopes(distances: Any, pairs: Pairs, term: TripletTerm) -> tuple[Any, Any, Any]:
    """The derivative of each anchor's sum by its distances (anchors, references), the sum, the triplets above zero.

    The derivative by d(a, p) is positive, by d(a, n) negative; of "count" it is the number of triplets that the pair is
    part of. The sum, (anchors,), is that of softplus, otherwise 0.
    """
    inputs = (distances, pairs.positives, pairs.negatives, pairs.labels, pairs.reference_labels)
    is_small = None not in distances.shape and math.prod(distances.shape) < _WORTH_COMPILING
    results = _loop(term, is_small)(*(ops.stop_gradient(ops.convert_to_tensor(value)) for value in inputs))
    slopes, sums, counts = (ops.stop_gradient(value) for value in results)
    return slopes, sums, counts


@functools.cache
def _loop(term: TripletTerm, is_small: bool) -> Callable[..., tuple[Any, Any, Any]]:
    return compiled(functools.partial(_compare, term, 1 if is_small else _AT_ONCE), is_small=is_small)


def _compare(
    term: TripletTerm, at_once: int, distances: Any, positives: Any, negatives: Any, labels: Any, reference_labels: Any
) -> tuple[Any, Any, Any]:
    """`triplet_slopes`, comparing with so many positives of every anchor in one step."""
    # Anchors come last: a sum over references is then one of rows, which XLA vectorises.
    distances, positives = ops.transpose(distances), ops.transpose(positives)
    far = ops.where(ops.transpose(negatives) > 0, distances, math.inf)
    order = ops.argsort(reference_labels)
    first = _count(reference_labels[:, None] < labels[None, :])
    size = _count(reference_labels[:, None] == labels[None, :])

    def step(number: Any, taken: Any, given: Any, sums: Any, counts: Any) -> tuple[Any, ...]:
        ranks = number * at_once + ops.arange(at_once, dtype="int32")[:, None]
        rows = ops.take(order, ops.minimum(first[None, :] + ranks, ops.shape(order)[0] - 1))
        exists = ops.logical_and(ranks < size[None, :], ops.take_along_axis(positives, rows, axis=0) > 0)
        near = ops.where(exists, ops.take_along_axis(distances, rows, axis=0), -math.inf)
        slopes, values, numbers = _terms(term, far, [near[place : place + 1] for place in range(at_once)])
        given = _written(given, rows, exists, ops.stack([ops.sum(slope, axis=0) for slope in slopes]))
        taken = ops.reshape(sum(slopes, start=taken), ops.shape(far))
        return taken, given, sums + ops.sum(values, axis=0), counts + ops.sum(numbers, axis=0)

    zeros = ops.zeros_like(distances[0])
    given = ops.zeros_like(ops.concatenate([ops.reshape(distances, (-1,)), ops.zeros((1,), distances.dtype)]))
    steps = (ops.max(size) + at_once - 1) // at_once
    taken, given, sums, counts = repeat(steps, step, (ops.zeros_like(distances), given, zeros, zeros))
    slopes = ops.reshape(given[:-1], ops.shape(distances)) - taken
    if term.measure != "softplus":
        counts = ops.sum(taken, axis=0)
    return ops.transpose(slopes), sums, counts


def _terms(term: TripletTerm, far: Any, nearest: list[Any]) -> tuple[list[Any], Any, Any]:
    """Of some positives of each anchor: the derivatives of each one's triplets, and their summed values and number.

    Shapes: a positive's distances (1, anchors), -inf where there is none; `far`, the negatives', (references, anchors),
    inf for what is none; the derivatives like `far`.
    """
    if term.measure == "softplus":
        return _softplus_terms(term, far, nearest)
    none = ops.zeros_like(far[:1])
    return [ops.cast(_is_inside(term, far, near), far.dtype) for near in nearest], none, none


def _softplus_terms(term: TripletTerm, far: Any, nearest: list[Any]) -> tuple[list[Any], Any, Any]:
    slopes, positive_parts, product, number = [], 0.0, 1.0, 0.0
    for near in nearest:
        excess = near - far + term.margin
        is_inside = ops.logical_and(excess > -math.inf, _is_inside(term, far, near))
        small = ops.exp(-ops.abs(excess))
        slopes.append(ops.where(is_inside, ops.where(excess > 0, 1.0, small) / (1 + small), 0.0))
        positive_parts = positive_parts + ops.where(is_inside, ops.maximum(excess, 0), 0.0)
        # One logarithm of a product costs less than the sum of as many logarithms.
        product = product * ops.where(is_inside, 1 + small, 1.0)
        number = number + ops.cast(is_inside, far.dtype)
    return slopes, positive_parts + ops.log(product), number


def _is_inside(term: TripletTerm, far: Any, near: Any) -> Any:
    """Whether the triplets of one positive of each anchor count; what is no triplet never does, save for softplus."""
    if term.band == HARD_ALL and term.measure != "hinge":
        return far <= near
    if term.measure == "hinge":
        within = far < near + term.margin
    elif term.measure == "softplus" and term.band == ALL:
        return far > -math.inf
    else:
        within = far <= near + term.margin
    if term.band == ALL:
        return within
    return ops.logical_and(within, far <= near if term.band == HARD_ALL else far > near)


def _written(flat: Any, rows: Any, exists: Any, values: Any) -> Any:
    """Values (n, anchors) put at their rows of a flattened (references, anchors), whose last number is of no use."""
    last = ops.shape(flat)[0] - 1
    anchors = ops.shape(rows)[1]
    places = ops.cast(rows, "int32") * anchors + ops.arange(anchors, dtype="int32")[None, :]
    places = ops.where(exists, places, last)
    written = ops.scatter_update(flat, ops.reshape(places, (-1, 1)), ops.reshape(values, (-1,)))
    return ops.reshape(written, ops.shape(flat))


def _count(matches: Any) -> Any:
    return ops.sum(ops.cast(matches, "int32"), axis=0)
