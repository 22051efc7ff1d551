"""Distances and similarities of all pairs of embeddings, whose gradients are finite everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

EUCLIDEAN, SQUARED_EUCLIDEAN, COSINE = DISTANCES = ("euclidean", "squared-euclidean", "cosine")
"""|a - b|, |a - b|^2, and 1 - cos(a, b)."""


def at_least_float32(embeddings: Any) -> Any:
    """The embeddings as they are, or in float32 where they have half precision."""
    embeddings = ops.convert_to_tensor(embeddings)
    if keras.backend.standardize_dtype(embeddings.dtype) in ("float32", "float64"):
        return embeddings
    return ops.cast(embeddings, "float32")


def similarities(anchors: Any, references: Any, *, normalize: bool = True) -> Any:
    """Cosines, or dot products with `normalize=False`: (anchors, references)."""
    if normalize:
        (anchors, _ones), (references, _other_ones) = _both(unit_length, anchors, references)
    return ops.matmul(anchors, ops.transpose(references))


def distances(anchors: Any, references: Any, kind: str = EUCLIDEAN, *, normalize: bool = True) -> Any:
    """Distances of every anchor to every reference: (anchors, references).

    Raises ValueError for an unknown kind.
    """
    if kind == COSINE:
        return 1 - similarities(anchors, references)
    measure = unit_length if normalize else _with_squares
    (anchors, anchor_squares), (references, reference_squares) = _both(measure, anchors, references)
    products = ops.matmul(anchors, ops.transpose(references))
    squared = ops.maximum(anchor_squares + ops.transpose(reference_squares) - 2 * products, 0)
    if kind == SQUARED_EUCLIDEAN:
        return squared
    if kind == EUCLIDEAN:
        return safe_sqrt(squared)
    raise ValueError(f"unknown distance {kind!r}: one of {DISTANCES}")


def unit_length(embeddings: Any) -> tuple[Any, Any]:
    """Embeddings (batch, dimensions) divided by their lengths, and the squared lengths that they have then, (batch, 1).

    Those are 1, or 0 where an embedding is 0: it stays as it is, with a gradient of 0.
    """
    squares = ops.sum(ops.square(embeddings), axis=1, keepdims=True)
    is_positive = squares > _LEAST_SQUARE
    scales = ops.where(is_positive, ops.rsqrt(ops.where(is_positive, squares, 1)), 0)
    return embeddings * scales, ops.cast(is_positive, embeddings.dtype)


def _with_squares(embeddings: Any) -> tuple[Any, Any]:
    return embeddings, ops.sum(ops.square(embeddings), axis=1, keepdims=True)


def _both(function: Callable[[Any], Any], anchors: Any, references: Any) -> tuple[Any, Any]:
    result = function(anchors)
    return result, result if references is anchors else function(references)


def safe_sqrt(squared: Any) -> Any:
    """The square root, whose gradient at 0 is 0; 0 of what is negative."""
    is_positive = squared > 0
    return ops.where(is_positive, ops.sqrt(ops.where(is_positive, squared, ops.ones_like(squared))), 0)


_LEAST_SQUARE = 1e-24
"""Of shorter embeddings the direction is noise."""
