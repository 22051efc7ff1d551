"""Batches in an order that is a pure function of (seed, epoch). Imports keras: to be imported inside functions only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:
    from zoo_core.recipes import Recipe

    Array = np.ndarray[Any, Any]


class Batches(keras.utils.PyDataset):  # type: ignore[misc]  # keras has no annotations
    """The batches of one epoch from batch `start` on; `epoch` counts from 0 and is set before the epoch begins.

    The order of the examples is a permutation drawn from (seed, epoch). A ragged last batch is left out, unless there
    are fewer examples than one batch has.
    """

    def __init__(self, recipe: Recipe, inputs: Any, start: int = 0) -> None:
        """Batches of `inputs`, an array or a tuple of arrays, as the recipe makes them."""
        super().__init__()
        self.epoch = 0
        self.start = start
        self._recipe = recipe
        self._inputs = inputs
        self._examples = len(inputs[0] if isinstance(inputs, tuple) else inputs)
        self._batch_size = min(recipe.batch_size, self._examples)
        self.steps = self._examples // self._batch_size
        self._order: tuple[int, Array] | None = None

    @property
    def num_batches(self) -> int:
        """How many batches are left of the epoch."""
        return self.steps - self.start

    def __getitem__(self, index: int) -> Any:
        """The index-th batch from `start` on."""
        epoch, step = self.epoch, self.start + index
        chosen = self._permutation(epoch)[step * self._batch_size : (step + 1) * self._batch_size]
        return self._recipe.batch(self._inputs, chosen, random_generator(self._recipe.seed, epoch, step))

    def _permutation(self, epoch: int) -> Array:
        # TensorFlow reads ahead in another thread: look at the cached order once.
        order = self._order
        if order is None or order[0] != epoch:
            order = self._order = (epoch, random_generator(self._recipe.seed, epoch).permutation(self._examples))
        return order[1]


def random_generator(*key: int) -> np.random.Generator:
    """A generator that is a pure function of its key."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence(key)))
