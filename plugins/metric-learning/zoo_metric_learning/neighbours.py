"""Nearest neighbours among features: what tells whether distances mean something."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

_BATCH = 500


def nearest_neighbour_labels(known: Array, labels: Array, asked: Array, neighbours: int = 5) -> Array:
    """The commonest label among each row's nearest neighbours, by Euclidean distance: `(asked,)`.

    `known` is `(known, dimensions)` with its whole-number `labels`, `asked` `(asked, dimensions)`. Among labels that
    are equally common the smallest is taken. Raises ValueError where there are fewer known rows than neighbours.
    """
    if not 0 < neighbours <= len(known):
        raise ValueError(f"{neighbours} neighbours out of {len(known)} known rows")
    classes = int(labels.max()) + 1
    found = []
    squares = np.sum(np.square(known), axis=1)
    for start in range(0, len(asked), _BATCH):
        # |a - k|^2 without |a|^2, which is the same for all of them.
        distances = squares - 2 * (asked[start : start + _BATCH] @ known.T)
        nearest = np.argpartition(distances, neighbours - 1, axis=1)[:, :neighbours]
        votes = np.apply_along_axis(np.bincount, 1, labels[nearest], minlength=classes)
        found.append(votes.argmax(axis=1))
    return np.concatenate(found) if found else np.zeros(0, labels.dtype)
