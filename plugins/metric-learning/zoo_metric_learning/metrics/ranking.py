"""From the neighbours of each query to its recall, precision, reciprocal rank and average precision.

A query's references are ranked by similarity; of equal ones the earlier comes first. `relevant` tells which of them
have its label, and R is their number.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

Array = np.ndarray


@dataclass(frozen=True, slots=True)
class Scores:
    """One number for each query that has at least one relevant reference.

    Attributes:
        first_rank: the place of the first relevant reference, from 1.
        r_precision: the share of relevant ones among the first R.
        average_precision_at_r: the sum, over the relevant ones among the first R, of the precision up to each, by R.
    """

    first_rank: Array
    r_precision: Array
    average_precision_at_r: Array

    @classmethod
    def joined(cls, parts: list[Scores]) -> Scores:
        """The scores of several groups of queries, one after the other."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


def ranked(similarities: Array, relevant: Array, *, own: Array | None = None) -> Scores:
    """The scores of some queries.

    Args:
        similarities: (queries, references), the higher the nearer.
        relevant: the same shape, whether a reference has the query's label.
        own: (queries,), the place of each query among the references, which is left out; None where it is none.
    """
    if own is not None:
        similarities, relevant = similarities.copy(), relevant.copy()
        rows = np.arange(len(own))
        similarities[rows, own] = -np.inf
        relevant[rows, own] = False
    counts = relevant.sum(axis=1)
    kept = counts > 0
    similarities, relevant, counts = similarities[kept], relevant[kept], counts[kept]
    hits = _hits(similarities, relevant, counts)
    inside = np.arange(hits.shape[1]) < counts[:, None]
    hits &= inside
    places = np.arange(1, hits.shape[1] + 1)
    precision = np.cumsum(hits, axis=1) / places
    return Scores(
        _first_ranks(similarities, relevant),
        hits.sum(axis=1) / counts,
        (precision * hits).sum(axis=1) / counts,
    )


def _first_ranks(similarities: Array, relevant: Array) -> Array:
    if not len(similarities):
        return np.zeros(0, dtype=np.int64)
    best = np.where(relevant, similarities, -np.inf).argmax(axis=1)
    highest = np.take_along_axis(similarities, best[:, None], axis=1)
    before = (similarities > highest).sum(axis=1)
    equal = (similarities == highest) & (np.arange(similarities.shape[1]) < best[:, None])
    return before + equal.sum(axis=1) + 1


def _hits(similarities: Array, relevant: Array, counts: Array) -> Array:
    """Which of the first R of each query are relevant: (queries, largest R)."""
    if not len(similarities):
        return np.zeros((0, 0), dtype=bool)
    return np.take_along_axis(relevant, nearest(similarities, int(counts.max())), axis=1)


def nearest(similarities: Array, count: int) -> Array:
    """The places of the first `count` references of each query, nearest first; of equal ones the earlier: float32."""
    # One number holds the similarity's bits, in an order that falls, and the place: they sort together.
    bits = (similarities.astype(np.float32) + np.float32(0)).view(np.uint32)
    falling = np.where(bits >> 31, bits, ~bits & np.uint32(0x7FFFFFFF)).astype(np.uint64)
    keys = (falling << np.uint64(32)) | np.arange(similarities.shape[1], dtype=np.uint64)
    if count < keys.shape[1]:
        keys = np.partition(keys, count - 1, axis=1)[:, :count]
    return (np.sort(keys, axis=1) & np.uint64(0xFFFFFFFF)).astype(np.int64)
