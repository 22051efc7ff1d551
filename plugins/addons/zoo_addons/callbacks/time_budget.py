"""Training that ends when its time is used up."""

from __future__ import annotations

import time
from typing import Any

import keras


class TimeBudget(keras.callbacks.Callback):
    """Stop training before its minutes are over, at the end of the last epoch that fits in.

    After each epoch the next one is supposed to take as long as the longest of the last three, with their validation
    and callbacks; if it would end after the budget, training stops. Should an epoch take longer nevertheless, or the
    first not fit in at all, it stops within the epoch, after the batch that used the time up (`within_epoch`). What is
    trained is kept: `fit` returns as usual and other callbacks end as usual. List it last, so that it sees all of an
    epoch.

    The budget is that of the callback: further calls of `fit` with it share the minutes, and so does a resumed run.

    Args:
        minutes: the budget.
        within_epoch: whether to stop within an epoch that takes too long.

    Attributes:
        used: the seconds used so far.
        stopped: why training was stopped; "" if it was not.

    Raises:
        ValueError: the minutes are not positive.
    """

    _REMEMBERED = 3

    def __init__(self, minutes: float, within_epoch: bool = True) -> None:
        super().__init__()
        if not minutes > 0:
            raise ValueError(f"TimeBudget(minutes={minutes}): it should be positive")
        self.minutes = minutes
        self.within_epoch = within_epoch
        self.used = 0.0
        self.stopped = ""
        self._epochs: list[float] = []
        self._epoch_began = 0.0
        self._clock: float | None = None

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return 60 * self.minutes - self.used

    def on_train_begin(self, logs: Any = None) -> None:
        """Start the clock."""
        self._clock = time.monotonic()
        self.stopped = ""
        self._epoch_began = self.used

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop where the time is used up."""
        self._count()
        if self.within_epoch and self.left <= 0:
            self._stop("the budget was used up within an epoch")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Stop where another epoch would not fit in."""
        self._count()
        self._epochs = [*self._epochs, self.used - self._epoch_began][-self._REMEMBERED :]
        self._epoch_began = self.used
        if self.left < max(self._epochs):
            self._stop(f"another epoch of {max(self._epochs):.0f} s would not fit in")

    def on_train_end(self, logs: Any = None) -> None:
        """Stop the clock."""
        self._count()
        self._clock = None

    def get_state(self) -> dict[str, Any]:
        """Seconds used, in all and by the last epochs, as plain JSON."""
        self._count()
        return {"used": self.used, "epochs": self._epochs, "epoch_began": self._epoch_began}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over the state of an interrupted run."""
        self.used, self._epochs = state["used"], list(state["epochs"])
        self._epoch_began = state["epoch_began"]
        if self._clock is not None:
            self._clock = time.monotonic()

    def _count(self) -> None:
        if self._clock is not None:
            now = time.monotonic()
            self.used, self._clock = self.used + now - self._clock, now

    def _stop(self, reason: str) -> None:
        self.stopped = self.stopped or reason
        # The same as `self.model`, which on JAX would copy all weights.
        self._model.stop_training = True
