"""Warm-up: a learning rate that rises from 0 in the first batches."""

from __future__ import annotations

import math
from typing import Any

from zoo_addons.callbacks.batch_callback import BatchCallback
from zoo_addons.callbacks.targets import Target, learning_rate


class WarmUp(BatchCallback):
    """Raise the learning rate linearly, batch by batch, from 0 to what the model was compiled with.

    Batch k, counted from 0, is trained with rate min((k + 1) / n, 1), where n is the number of warm-up batches. After
    them the rate is left alone, so that ReduceLROnPlateau and the like may follow. A `fit` from `initial_epoch` on goes
    on with the warm-up where that epoch is in it; one from the beginning begins it again. Reference: Goyal et al. 2017,
    arXiv:1706.02677.

    Args:
        steps: number of warm-up batches; or
        epochs: number of warm-up epochs, which may be a fraction: Keras has to know how many batches one has.
        learning_rate: the rate to reach; by default the optimizer's at the start of training.

    Raises:
        ValueError: in the constructor unless exactly one of `steps` and `epochs` is given, and positive; at the start
            of training where the learning rate is a schedule, or an epoch's batches cannot be known.
    """

    def __init__(
        self, steps: int | None = None, epochs: float | None = None, learning_rate: float | None = None
    ) -> None:
        super().__init__()
        if (steps is None) == (epochs is None) or not (steps or epochs or 0) > 0:
            raise ValueError(f"WarmUp(steps={steps}, epochs={epochs}): give one of them, above 0")
        if learning_rate is not None and not learning_rate > 0:
            raise ValueError(f"WarmUp(learning_rate={learning_rate}): it should be positive")
        self.warm_up_steps = steps
        self.warm_up_epochs = epochs
        self.learning_rate = learning_rate
        self._rate = learning_rate
        self._given = 0.0
        self._length = float(steps or 0)
        self._target: Target | None = None

    def value(self, step: int) -> float:
        """The rate of batch `step`, as a part of the full rate."""
        return min((step + 1) / self._length, 1.0)

    def on_train_begin(self, logs: Any = None) -> None:
        """Find the learning rate, and how long the warm-up is."""
        super().on_train_begin(logs)
        self._target = learning_rate(self.model, "WarmUp")
        if self.warm_up_epochs is not None and not self._resumed:
            if not self.steps:
                raise ValueError("WarmUp(epochs=...) must know the batches of an epoch: give `steps` instead")
            self._length = self.warm_up_epochs * self.steps

    def at_start(self, number: int) -> None:
        """Remember the rate to reach."""
        # Where an earlier `fit` ended within the warm-up, the optimizer still has a part of it.
        if self._target is not None and not math.isclose(now := self._target.read(), self._given, rel_tol=1e-6):
            self._rate = self.learning_rate or now

    def at_batch(self, number: int) -> None:
        """Assign the batch's rate; the last one of the warm-up is the full rate."""
        if number < self._length and self._target is not None and self._rate is not None:
            self._given = self._rate * self.value(number)
            self.assign(self._target, self._given)

    def get_state(self) -> dict[str, Any]:
        """The batches done and the rate to reach, as plain JSON."""
        return super().get_state() | {"rate": self._rate, "length": self._length}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over the state of an interrupted run."""
        super().set_state(state)
        self._rate, self._length = state["rate"], state["length"]
