"""Batches of arrays in an order that is a pure function of a seed and the epoch."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np


class ShuffledBatches(keras.utils.PyDataset):
    """The batches of arrays, shuffled anew in each epoch: the order is a permutation drawn from (seed, epoch).

        batches = ShuffledBatches(x, y, batch_size=32, seed=1)
        resume = Resume("backup", [EarlyStopping(patience=3)], data=batches)
        model.fit(batches, epochs=20, shuffle=False, callbacks=[resume])

    On every backend, in every process, epoch 7 has the same order whether or not epochs 0 to 6 were read before: what a
    resumed training needs. (What `fit(x, y, shuffle=True)` draws on TensorFlow cannot be repeated.) The last batch may
    be smaller. Unless `fit` is told `shuffle=False`, Keras shuffles the batches once more among themselves.

    Args:
        x: an array, or a list, tuple or dictionary of arrays, all of the same length.
        y: the same for targets, or None.
        sample_weight: one number for each example, or None.
        batch_size: examples a batch.
        seed: of the order.

    Attributes:
        epoch: the epoch that is read, counted from 0. It is set by whoever knows it, as Resume does, before the epoch
            begins.

    Raises:
        ValueError: there are no examples, the arrays differ in length, or the batch size is below 1.
    """

    def __init__(self, x: Any, y: Any = None, sample_weight: Any = None, batch_size: int = 32, seed: int = 0) -> None:
        super().__init__()
        lengths = {len(array) for array in keras.tree.flatten((x, y, sample_weight)) if array is not None}
        if len(lengths) != 1 or not lengths - {0}:
            raise ValueError(f"ShuffledBatches: the arrays should have one length, above 0, not {sorted(lengths)}")
        if batch_size < 1:
            raise ValueError(f"ShuffledBatches(batch_size={batch_size}): it should be 1 or more")
        self.epoch = 0
        self._x, self._y, self._sample_weight = x, y, sample_weight
        self._examples = lengths.pop()
        self._batch_size = batch_size
        self._seed = seed
        self._order: tuple[int, np.ndarray] | None = None

    @property
    def num_batches(self) -> int:
        """Batches an epoch."""
        return math.ceil(self._examples / self._batch_size)

    def order(self, epoch: int) -> np.ndarray:
        """The numbers of the examples in the order of this epoch."""
        from zoo_core.batches import random_generator

        # TensorFlow reads in another thread: look at the cached order once.
        order = self._order
        if order is None or order[0] != epoch:
            order = self._order = (epoch, random_generator(self._seed, epoch).permutation(self._examples))
        return order[1]

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """The index-th batch of the epoch."""
        chosen = self.order(self.epoch)[index * self._batch_size : (index + 1) * self._batch_size]
        parts = [self._x, self._y, self._sample_weight]
        while parts[-1] is None:
            parts.pop()
        return tuple(keras.tree.map_structure(lambda array: np.asarray(array)[chosen], part) for part in parts)
