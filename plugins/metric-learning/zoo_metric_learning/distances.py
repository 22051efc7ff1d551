"""Distances and similarities of all pairs of embeddings, whose gradients are finite everywhere."""

from __future__ import annotations

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


def unit_length(embeddings: Any, axis: int = -1) -> Any:
    """Embeddings divided by their length; one of length 0 stays as it is, with a gradient of 0."""
    squares = ops.sum(ops.square(embeddings), axis=axis, keepdims=True)
    is_positive = squares > _LEAST_SQUARE
    lengths = ops.sqrt(ops.where(is_positive, squares, ops.ones_like(squares)))
    return ops.where(is_positive, embeddings / lengths, ops.zeros_like(embeddings))


def similarities(anchors: Any, references: Any, *, normalize: bool = True) -> Any:
    """Cosines, or dot products with `normalize=False`: (anchors, references)."""
    if normalize:
        anchors, references = unit_length(anchors), unit_length(references)
    return ops.matmul(anchors, ops.transpose(references))


def distances(anchors: Any, references: Any, kind: str = EUCLIDEAN, *, normalize: bool = True) -> Any:
    """Distances of every anchor to every reference: (anchors, references).

    Raises ValueError for an unknown kind.
    """
    if kind == COSINE:
        return 1 - similarities(anchors, references)
    if normalize:
        anchors, references = unit_length(anchors), unit_length(references)
    squared = _squared(anchors, references)
    if kind == SQUARED_EUCLIDEAN:
        return squared
    if kind == EUCLIDEAN:
        return safe_sqrt(squared)
    raise ValueError(f"unknown distance {kind!r}: one of {DISTANCES}")


def safe_sqrt(squared: Any) -> Any:
    """The square root, whose gradient at 0 is 0; 0 of what is negative."""
    is_positive = squared > 0
    return ops.where(is_positive, ops.sqrt(ops.where(is_positive, squared, ops.ones_like(squared))), 0)


def _squared(anchors: Any, references: Any) -> Any:
    anchor_squares = ops.sum(ops.square(anchors), axis=1)
    reference_squares = ops.sum(ops.square(references), axis=1)
    products = ops.matmul(anchors, ops.transpose(references))
    return ops.maximum(anchor_squares[:, None] + reference_squares[None, :] - 2 * products, 0)


_LEAST_SQUARE = 1e-24
"""Of shorter embeddings the direction is noise."""
