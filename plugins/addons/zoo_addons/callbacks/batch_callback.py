"""What callbacks that act on every batch share: the number of the batch, also in a run that was resumed."""

from __future__ import annotations

from typing import Any

import keras

from zoo_addons.callbacks.targets import Target


class BatchCallback(keras.callbacks.Callback):
    """Counts batches over all epochs, and calls `at_batch(number)` before each.

    A run that starts in a later epoch (`initial_epoch`) counts from the batches that the earlier ones would have had,
    where Keras knows how many there are; a run that is resumed goes on counting.
    """

    def __init__(self) -> None:
        super().__init__()
        self._first = 0
        self._done = 0
        self._resumed = False
        self._starting = True

    def at_batch(self, number: int) -> None:
        """Called before a batch is trained on; the number counts from 0 over all epochs."""

    def at_start(self, number: int) -> None:
        """Called before the first epoch of a run that is not a resumed one; the number is that of its first batch."""

    @property
    def steps(self) -> int | None:
        """Batches an epoch, where Keras knows."""
        return (self.params or {}).get("steps")

    def on_train_begin(self, logs: Any = None) -> None:
        """A run starts."""
        self._starting = True

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Find the number of the epoch's first batch."""
        if self._starting and not self._resumed:
            self._done = epoch * (self.steps or 0)
            self.at_start(self._done)
        self._starting = self._resumed = False
        self._first = self._done

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Act on the batch."""
        self.at_batch(self._first + batch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Count it; with `steps_per_execution` the last ones may be fewer than Keras says."""
        in_epoch = batch + 1 if not self.steps else min(batch + 1, self.steps)
        self._done = self._first + in_epoch

    def assign(self, target: Target, value: float) -> None:
        """Give a target of the model that is being trained a value."""
        # Reading `model` has Keras write JAX's state into the variables, and read them again for the next step.
        if self.model is not None:
            target.assign(value)

    def get_state(self) -> dict[str, Any]:
        """How many batches are done, as plain JSON."""
        return {"first": self._first, "done": self._done}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over the state of an interrupted run."""
        self._first, self._done = state["first"], state["done"]
        self._resumed = True
