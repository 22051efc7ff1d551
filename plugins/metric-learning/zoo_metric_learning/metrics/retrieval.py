"""Retrieval metrics of whole sets of embeddings, computed in chunks of bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo_metric_learning.arguments import require_choice, require_count
from zoo_metric_learning.metrics.ranking import Array, Scores, ranked

_DISTANCES = ("cosine", "euclidean", "dot")


@dataclass(frozen=True, slots=True)
class Retrieval:
    """How well queries find references with their label. Each is the mean over the queries that have any.

    Attributes:
        r_precision: the share of relevant ones among the first R, where R is how many there are.
        map_at_r: mean average precision of the first R: also sees their order.
        mean_reciprocal_rank: of 1 / the place of the first relevant one.
        queries: the number of queries that have a relevant reference.
        first_rank: (queries,), the place of the first relevant one of each, from 1.
    """

    r_precision: float
    map_at_r: float
    mean_reciprocal_rank: float
    queries: int
    first_rank: Array

    def recall_at(self, k: int) -> float:
        """The share of queries with a relevant one among the first k; recall_at(1) is precision@1."""
        require_count(k=k)
        return float((self.first_rank <= k).mean())


def retrieval(
    embeddings: Any,
    labels: Any,
    references: Any = None,
    reference_labels: Any = None,
    *,
    distance: str = "cosine",
    chunk: int | None = None,
) -> Retrieval:
    """Recall@k, R-precision, MAP@R and MRR of embeddings that search a set of references.

    For each query the references are ranked by similarity, of equal ones the earlier first; those with its label are
    relevant. A query without any takes no part. Without references the embeddings search each other, and none itself.

    Args:
        embeddings: (queries, dimensions).
        labels: (queries,) or (queries, 1).
        references: (references, dimensions); None for the queries themselves.
        reference_labels: (references,) or (references, 1).
        distance: "cosine", "euclidean", or "dot", for the largest dot product. Compared in float32.
        chunk: queries at a time; by default as many as keep memory below about 200 MB.

    Raises:
        ValueError: where shapes do not fit, a number is not finite, or no query has a relevant reference.

    References:
        Musgrave, Belongie and Lim, 2020, A metric learning reality check: arXiv:2003.08505 (MAP@R, R-precision).
    """
    require_choice("distance", distance, _DISTANCES)
    queries, query_labels = _set("embeddings", embeddings, labels)
    if (references is None) != (reference_labels is None):
        raise ValueError("references and reference_labels are given together")
    is_own = references is None
    others, other_labels = (queries, query_labels) if is_own else _set("references", references, reference_labels)
    if queries.shape[1] != others.shape[1]:
        raise ValueError(f"queries have {queries.shape[1]} dimensions and references {others.shape[1]}")
    if chunk is not None:
        require_count(chunk=chunk)
    parts = []
    for rows in _chunks(len(queries), chunk or max(1, _NUMBERS // max(1, len(others)))):
        relevant = query_labels[rows, None] == other_labels[None, :]
        own = np.arange(rows.start, rows.stop) if is_own else None
        parts.append(ranked(_similarities(queries[rows], others, distance), relevant, own=own))
    return _mean(Scores.joined(parts))


def recall_at_k(embeddings: Any, labels: Any, *args: Any, k: int = 1, **kwargs: Any) -> float:
    """The share of queries that find one with their label among the first k. Arguments: see `retrieval`."""
    require_count(k=k)
    return retrieval(embeddings, labels, *args, **kwargs).recall_at(k)


def map_at_r(embeddings: Any, labels: Any, *args: Any, **kwargs: Any) -> float:
    """Mean average precision at R. Arguments: see `retrieval`."""
    return retrieval(embeddings, labels, *args, **kwargs).map_at_r


def r_precision(embeddings: Any, labels: Any, *args: Any, **kwargs: Any) -> float:
    """The share of relevant ones among the first R. Arguments: see `retrieval`."""
    return retrieval(embeddings, labels, *args, **kwargs).r_precision


def mean_reciprocal_rank(embeddings: Any, labels: Any, *args: Any, **kwargs: Any) -> float:
    """The mean of 1 / the place of the first with the query's label. Arguments: see `retrieval`."""
    return retrieval(embeddings, labels, *args, **kwargs).mean_reciprocal_rank


def _set(what: str, embeddings: Any, labels: Any) -> tuple[Array, Array]:
    vectors, classes = _as_array(embeddings), _as_array(labels)
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(f"{what} must have shape (count, dimensions), got {vectors.shape}")
    if classes.ndim == 2 and classes.shape[1] == 1:
        classes = classes[:, 0]
    if classes.shape != (len(vectors),):
        raise ValueError(f"there must be one label for each of the {len(vectors)} {what}, got shape {classes.shape}")
    vectors = vectors.astype(np.float32)
    if not np.isfinite(vectors).all():
        raise ValueError(f"{what} hold numbers that are not finite")
    return vectors, classes


def _as_array(values: Any) -> Array:
    if isinstance(values, np.ndarray | list | tuple):
        return np.asarray(values)
    from keras import ops

    return np.asarray(ops.convert_to_numpy(values))


def _chunks(count: int, size: int) -> Iterator[slice]:
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _similarities(queries: Array, references: Array, distance: str) -> Array:
    if distance == "cosine":
        queries, references = _unit(queries), _unit(references)
    products = queries @ references.T
    if distance == "euclidean":
        # Less what is the same for all references of a query: |q|^2.
        products = 2 * products - np.square(references).sum(axis=1)
    return products


def _unit(vectors: Array) -> Array:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def _mean(scores: Scores) -> Retrieval:
    if not len(scores.first_rank):
        raise ValueError("no query has a reference with its label")
    return Retrieval(
        r_precision=float(scores.r_precision.mean()),
        map_at_r=float(scores.average_precision_at_r.mean()),
        mean_reciprocal_rank=float((1 / scores.first_rank).mean()),
        queries=len(scores.first_rank),
        first_rank=scores.first_rank,
    )


_NUMBERS = 4_000_000
"""Pairs compared at a time: some 40 bytes each."""
