"""Retrieval metrics as Keras metrics, for the progress bar: each batch is searched within itself."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_choice, require_count
from zoo_metric_learning.distances import DISTANCES, distances
from zoo_metric_learning.pairs import Pairs, pairs_within


class InBatchRetrieval(keras.metrics.Metric):
    """The mean, over all queries so far that have a positive in their batch, of a number that a subclass computes."""

    def __init__(
        self, distance: str = "cosine", normalize: bool = True, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        require_choice("distance", distance, DISTANCES)
        self.distance = distance
        self.normalize = normalize
        self.total = self.add_variable(shape=(), initializer="zeros", name="total")
        self.count = self.add_variable(shape=(), initializer="zeros", name="count")

    def scores(self, measured: Any, pairs: Pairs) -> Any:
        """One number for each query, given the distances (batch, batch); of one without positives it is not used."""
        raise NotImplementedError

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Add a batch: labels (batch,) or (batch, 1) and embeddings (batch, dimensions)."""
        pairs = pairs_within(y_true, y_pred)
        if pairs.anchors.shape[0] == 0:
            return
        measured = distances(pairs.anchors, pairs.references, self.distance, normalize=self.normalize)
        weights = ops.cast(ops.any(pairs.positives > 0, axis=1), measured.dtype)
        values = ops.where(weights > 0, self.scores(measured, pairs), 0)
        if sample_weight is not None:
            weights = weights * ops.cast(ops.reshape(sample_weight, (-1,)), weights.dtype)
        self.total.assign_add(ops.cast(ops.sum(values * weights), self.total.dtype))
        self.count.assign_add(ops.cast(ops.sum(weights), self.count.dtype))

    def result(self) -> Any:
        """The mean; 0 where there was no query with a positive."""
        return ops.divide_no_nan(self.total, self.count)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "distance": self.distance, "normalize": self.normalize}


@keras.saving.register_keras_serializable(package="metric-learning")
class RecallAtK(InBatchRetrieval):
    """In-batch recall@k: the share of samples with one of their class among their k nearest in the batch.

    For `compile(metrics=[RecallAtK(1)])` of a model whose outputs are embeddings. It depends on the batch size: of a
    whole set `retrieval(...)` tells it. Samples without another of their class in the batch take no part; of those at
    the same distance the earlier is nearer. RecallAtK(1) is precision@1.

    Args:
        k: at least 1.
        distance: "cosine", "euclidean" or "squared-euclidean".
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.
        name, dtype: as in `keras.metrics.Metric`.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions).

    Raises:
        ValueError: for a k below 1, an unknown distance, or other shapes.
    """

    def __init__(
        self,
        k: int = 1,
        distance: str = "cosine",
        normalize: bool = True,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        require_count(k=k)
        super().__init__(distance=distance, normalize=normalize, name=name or f"recall_at_{k}", dtype=dtype)
        self.k = int(k)

    def scores(self, measured: Any, pairs: Pairs) -> Any:
        """Whether the first positive is among the first k."""
        return ops.cast(first_ranks(measured, pairs) <= self.k, measured.dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "k": self.k}


@keras.saving.register_keras_serializable(package="metric-learning")
class MeanReciprocalRank(InBatchRetrieval):
    """In-batch mean reciprocal rank: the mean of 1 / the place of the nearest one of the same class in the batch.

    It depends on the batch size: of a whole set `retrieval(...)` tells it. Samples without another of their class in
    the batch take no part; of those at the same distance the earlier is nearer.

    Args:
        distance: "cosine", "euclidean" or "squared-euclidean".
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.
        name, dtype: as in `keras.metrics.Metric`.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions).
    """

    def __init__(
        self,
        distance: str = "cosine",
        normalize: bool = True,
        name: str | None = "mean_reciprocal_rank",
        dtype: Any = None,
    ) -> None:
        super().__init__(distance=distance, normalize=normalize, name=name, dtype=dtype)

    def scores(self, measured: Any, pairs: Pairs) -> Any:
        """1 / the place of the first positive."""
        return 1 / ops.cast(first_ranks(measured, pairs), measured.dtype)


@keras.saving.register_keras_serializable(package="metric-learning")
class RPrecision(InBatchRetrieval):
    """In-batch R-precision: the share of a sample's class among its R nearest, where R others of it are in the batch.

    It depends on the batch: of a whole set `retrieval(...)` tells it. Samples without another of their class in the
    batch take no part; of those at the same distance the earlier is nearer.

    Args:
        distance: "cosine", "euclidean" or "squared-euclidean".
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.
        name, dtype: as in `keras.metrics.Metric`.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions).
    """

    def __init__(
        self, distance: str = "cosine", normalize: bool = True, name: str | None = "r_precision", dtype: Any = None
    ) -> None:
        super().__init__(distance=distance, normalize=normalize, name=name, dtype=dtype)

    def scores(self, measured: Any, pairs: Pairs) -> Any:
        """Hits among the first R, by R."""
        hits, _places, counts = _hits(measured, pairs)
        return ops.sum(hits, axis=1) / ops.maximum(counts, 1)


@keras.saving.register_keras_serializable(package="metric-learning")
class MeanAveragePrecisionAtR(InBatchRetrieval):
    """In-batch MAP@R: like R-precision, and sees the order: the precision up to each hit among the first R, by R.

    It depends on the batch: of a whole set `retrieval(...)` tells it. Samples without another of their class in the
    batch take no part; of those at the same distance the earlier is nearer.

    Args:
        distance: "cosine", "euclidean" or "squared-euclidean".
        normalize: whether embeddings are brought to length 1 first; for cosine they always are.
        name, dtype: as in `keras.metrics.Metric`.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions).

    References:
        Musgrave, Belongie and Lim, 2020, A metric learning reality check: arXiv:2003.08505.
    """

    def __init__(
        self, distance: str = "cosine", normalize: bool = True, name: str | None = "map_at_r", dtype: Any = None
    ) -> None:
        super().__init__(distance=distance, normalize=normalize, name=name, dtype=dtype)

    def scores(self, measured: Any, pairs: Pairs) -> Any:
        """The sum of the precisions at the hits among the first R, by R."""
        hits, places, counts = _hits(measured, pairs)
        return ops.sum(hits * ops.cumsum(hits, axis=1) / places, axis=1) / ops.maximum(counts, 1)


def first_ranks(measured: Any, pairs: Pairs) -> Any:
    """The place of each sample's nearest positive among all others, from 1: (batch,)."""
    positives = pairs.positives > 0
    others = ops.logical_or(positives, pairs.negatives > 0)
    best = ops.argmin(ops.where(positives, measured, math.inf), axis=1)
    shortest = ops.take_along_axis(measured, best[:, None], axis=1)
    positions = ops.arange(ops.shape(measured)[1], dtype=best.dtype)[None, :]
    equal = ops.logical_and(measured == shortest, positions < best[:, None])
    before = ops.logical_and(others, ops.logical_or(measured < shortest, equal))
    return ops.sum(ops.cast(before, "int32"), axis=1) + 1


def _hits(measured: Any, pairs: Pairs) -> tuple[Any, Any, Any]:
    """Of each sample 1 for the positives among its first R, in order of distance, 0 for all else; places; and R."""
    others = (pairs.positives + pairs.negatives) > 0
    order = ops.argsort(ops.where(others, measured, math.inf), axis=1)
    counts = ops.sum(pairs.positives, axis=1, keepdims=True)
    places = ops.cast(ops.arange(1, ops.shape(measured)[1] + 1), measured.dtype)[None, :]
    hits = ops.take_along_axis(pairs.positives, order, axis=1) * ops.cast(places <= counts, measured.dtype)
    return hits, places, counts[:, 0]
