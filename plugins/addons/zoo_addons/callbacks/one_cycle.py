"""The one-cycle policy: the learning rate up and down once, and momentum the other way round."""

from __future__ import annotations

from typing import Any

import keras

from zoo_addons.callbacks.batch_callback import BatchCallback
from zoo_addons.callbacks.hyper_schedules import Shape, between, require_shape
from zoo_addons.callbacks.momentum_of_rate import MomentumOfRate, low_where_high
from zoo_addons.callbacks.targets import Target, learning_rate

_COMPILED = ("SGD", "Adam", "AdamW", "Adamax", "Lion")
"""Keras' optimizers whose compiled step reads the momentum as `MomentumOfRate` supposes: tried one by one."""


class OneCycle(BatchCallback):
    """Raise the learning rate to a maximum and lower it far below where it began, in one cycle over the whole training.

    With n steps in all, counted from 0, of which the first w = warm_up_fraction (n - 1) rise, batch k is trained with

        rate(k) = from max / initial_divisor to max                         for k <= w
                  from max to max / (initial_divisor final_divisor)         for w < k <= n - 1

    along half a cosine or a straight line. Momentum moves against it, as in Smith's paper: `momentum[1]` where the rate
    is at most max / initial_divisor, `momentum[0]` at the maximum, linear in the rate between. It is the optimizer's
    `momentum`, or its `beta_1`.

    The number of steps is that of the batches of all epochs; after the cycle the rate stays at its end.

    Reference: Smith 2018, arXiv:1803.09820; Smith and Topin 2018, arXiv:1708.07120.

    Args:
        max_learning_rate: the highest rate.
        total_steps: batches in the whole cycle; by default those of all epochs of `fit`.
        warm_up_fraction: part of the steps in which the rate rises.
        initial_divisor: how far below the maximum it starts.
        final_divisor: how far below the start it ends.
        shape: "cosine" or "linear".
        momentum: the lowest and the highest momentum, or None to leave it alone. On TensorFlow and JAX Keras compiles
            the optimizer's momentum into its step; it can be moved for SGD with momentum, Adam, AdamW, Adamax and Lion.

    Raises:
        ValueError: in the constructor for arguments out of range; at the start of training where the learning rate is
            a schedule, the number of steps cannot be known, or the optimizer has no momentum that can be moved.
    """

    def __init__(
        self,
        max_learning_rate: float,
        total_steps: int | None = None,
        warm_up_fraction: float = 0.3,
        initial_divisor: float = 25.0,
        final_divisor: float = 1e4,
        shape: Shape = "cosine",
        momentum: tuple[float, float] | None = (0.85, 0.95),
    ) -> None:
        super().__init__()
        _check_cycle(max_learning_rate, total_steps, warm_up_fraction, initial_divisor, final_divisor)
        require_shape("OneCycle", shape)
        if momentum is not None and not 0 <= momentum[0] <= momentum[1] < 1:
            raise ValueError(f"OneCycle(momentum={momentum}): 0 <= lowest <= highest < 1 are needed")
        self.max_learning_rate = max_learning_rate
        self.total_steps = total_steps
        self.warm_up_fraction = warm_up_fraction
        self.initial_divisor = initial_divisor
        self.final_divisor = final_divisor
        self.shape: Shape = shape
        self.momentum = momentum
        self._length = total_steps or 0
        self._target: Target | None = None
        self._original: tuple[Any, str, float] | None = None

    def value(self, step: float) -> float:
        """The learning rate of batch `step`; needs `total_steps`, given or known from the training."""
        peak = self.warm_up_fraction * self._last
        start = self.max_learning_rate / self.initial_divisor
        if step <= peak:
            return between(start, self.max_learning_rate, step / peak if peak else 1.0, self.shape)
        progress = (step - peak) / (self._last - peak)
        return between(self.max_learning_rate, start / self.final_divisor, progress, self.shape)

    def momentum_at(self, step: float) -> float | None:
        """The momentum of batch `step`."""
        if self.momentum is None:
            return None
        low, high = self.momentum
        start = self.max_learning_rate / self.initial_divisor
        return between(high, low, (self.value(step) - start) / (self.max_learning_rate - start), "linear")

    def on_train_begin(self, logs: Any = None) -> None:
        """Find the learning rate, the momentum and the number of steps."""
        super().on_train_begin(logs)
        self._target = learning_rate(self.model, "OneCycle")
        if self.total_steps is None and not self._resumed:
            self._length = (self.steps or 0) * int((self.params or {}).get("epochs") or 0)
        if not self._length:
            raise ValueError("OneCycle must know how many batches there will be: give `total_steps`")
        if self.momentum is not None:
            self._take_momentum()

    def at_batch(self, number: int) -> None:
        """Assign the batch's rate; momentum follows."""
        if self._target is None:
            return
        self.assign(self._target, self.value(number))
        if self._original is not None and keras.backend.backend() == "torch":
            optimizer, name, _ = self._original
            setattr(optimizer, name, self.momentum_at(number))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the rate and the momentum that held last into the logs."""
        if logs is None or self._target is None:
            return
        logs["learning_rate"] = self._target.read()
        if self._original is not None:
            logs[self._original[1]] = self.momentum_at(self._done - 1)

    def on_train_end(self, logs: Any = None) -> None:
        """Give the optimizer back the momentum that it was made with."""
        if self._original is not None:
            optimizer, name, value = self._original
            setattr(optimizer, name, value)
            self._original = None
            self._trace_anew()

    def get_state(self) -> dict[str, Any]:
        """The batches done and those of the whole cycle, as plain JSON."""
        return super().get_state() | {"length": self._length}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over the state of an interrupted run."""
        super().set_state(state)
        self._length = state["length"]

    @property
    def _last(self) -> int:
        if not self._length:
            raise ValueError("OneCycle(total_steps=None) learns the number of steps when training starts")
        return max(self._length - 1, 1)

    def _take_momentum(self) -> None:
        """Have the optimizer's momentum follow its learning rate."""
        optimizer = self.model.optimizer
        while hasattr(optimizer, "inner_optimizer"):
            optimizer = optimizer.inner_optimizer
        name = "momentum" if hasattr(optimizer, "momentum") else "beta_1"
        value = getattr(optimizer, name, None)
        compiled = keras.backend.backend() != "torch"
        if not value or (compiled and not _is_known(optimizer)):
            raise ValueError(
                f"OneCycle cannot move the momentum of {type(optimizer).__name__}"
                f"{'(momentum=0)' if value == 0 else ''}: give it one, or OneCycle(momentum=None)"
            )
        assert self.momentum is not None
        # A training that broke off has left a MomentumOfRate behind.
        self._original = (optimizer, name, float(value))
        if compiled:
            base = self.max_learning_rate / self.initial_divisor
            follow = low_where_high(*self.momentum, base, self.max_learning_rate)
            setattr(optimizer, name, MomentumOfRate(float(value), optimizer._learning_rate, follow))
            self._trace_anew()

    def _trace_anew(self) -> None:
        # The step of an earlier `fit` has another momentum compiled in.
        if keras.backend.backend() != "torch":
            self.model.make_train_function(force=True)


def _is_known(optimizer: Any) -> bool:
    return any(type(optimizer) is getattr(keras.optimizers, name) for name in _COMPILED)


def _check_cycle(rate: float, steps: int | None, fraction: float, initial: float, final: float) -> None:
    if not rate > 0 or (steps is not None and steps < 1):
        raise ValueError(f"OneCycle(max_learning_rate={rate}, total_steps={steps}): both should be above 0")
    if not 0 <= fraction < 1:
        raise ValueError(f"OneCycle(warm_up_fraction={fraction}): it should be in [0, 1)")
    if not (initial > 1 and final >= 1):
        raise ValueError(
            f"OneCycle(initial_divisor={initial}, final_divisor={final}): above 1, and 1 or more, are needed"
        )
