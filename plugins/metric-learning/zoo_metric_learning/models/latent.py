"""Latent semantic analysis: vectors of words out of the texts that they come in together."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_SPARE = 8
_BATCH = 128


def latent_vectors(tokens: Array, importance: Array, units: int, seed: int = 0, passes: int = 2) -> Array:
    """The first `units` right singular vectors of the matrix of texts by words, `(words, units)`, orthonormal columns.

    `tokens` are texts `(texts, length, 2)`, `importance` `(words,)`; an entry is `(1 + log count) * importance`, each
    text divided by its norm. Randomised subspace iteration with so many `passes`; where there are fewer texts than
    units, the columns left over are random ones.

    References:
        Deerwester et al., 1990. Indexing by latent semantic analysis.
        Halko, Martinsson, Tropp, 2011. Finding structure with randomness. arXiv:0909.4061
    """
    generator = np.random.Generator(np.random.Philox(seed))
    counts = tokens[..., 1]
    weights = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * importance[tokens[..., 0]]
    weights = (weights / np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-9)).astype("float32")
    basis = generator.standard_normal((len(importance), units + _SPARE)).astype("float32")
    for _ in range(passes):
        basis = _orthonormal(_transposed_times(tokens, weights, _times(tokens, weights, basis), len(importance)))
    _, _, rotation = np.linalg.svd(_times(tokens, weights, basis), full_matrices=False)
    return np.asarray(basis @ rotation[:units].T) if len(rotation) >= units else basis[:, :units]


def _times(tokens: Array, weights: Array, columns: Array) -> Array:
    """The matrix of texts by words times `(words, k)`."""
    starts = range(0, len(tokens), _BATCH)
    parts = [
        np.einsum("bl,blk->bk", weights[s : s + _BATCH], columns[tokens[s : s + _BATCH, :, 0]], optimize=True)
        for s in starts
    ]
    return np.concatenate(parts)


def _transposed_times(tokens: Array, weights: Array, columns: Array, words: int) -> Array:
    """The same matrix, transposed, times `(texts, k)`."""
    rows, places = np.nonzero(weights)
    numbers, values = tokens[rows, places, 0], weights[rows, places]
    product = [np.bincount(numbers, values * column[rows], words) for column in columns.T]
    return np.stack(product, axis=1).astype("float32")


def _orthonormal(columns: Array) -> Array:
    return np.asarray(np.linalg.qr(columns)[0])
