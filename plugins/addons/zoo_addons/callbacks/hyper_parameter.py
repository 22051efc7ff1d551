"""Schedules for any variable of a model: its learning rate, a loss weight, the strength of a noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import keras

from zoo_addons.callbacks.batch_callback import BatchCallback
from zoo_addons.callbacks.targets import Target, find_target


class HyperParameterSchedule(BatchCallback):
    """Give a variable of the model, whatever it is, a new value before every epoch or every batch.

        HyperParameterSchedule("optimizer.learning_rate", StepSchedule([1e-2, 1e-3, 1e-4], boundaries=[50, 80]))
        HyperParameterSchedule("layers.noise.stddev", CosineSchedule(1.0, 0.0, duration=20))
        HyperParameterSchedule("*/weight_of_the_prior", LinearSchedule(0, 1, 5000), unit="batch")
        HyperParameterSchedule(model.temperature, lambda epoch: 0.9**epoch)

    variable := schedule(position), where the position is the number of the epoch or of the batch over all epochs, both
    from 0. What the compiled step computes with does change, on TensorFlow, JAX and PyTorch. On JAX Keras moves all
    weights out of the step and in again for that: with `unit="batch"` this costs 10 to 15 microseconds a variable.

    The values are written into the epoch's logs, and so into the history, under the name of the target
    (`learning_rate` for the learning rate's).

    Args:
        target: what to assign: a `keras.Variable`; a pattern of variables' paths, with `*` or `/`, all of which get the
            value; or a path of attributes from the model, where layers are found by name or index.
        schedule: a function from the position to the value: StepSchedule, LinearSchedule, CosineSchedule,
            CyclicSchedule, any function, or a Keras LearningRateSchedule.
        unit: "epoch" or "batch": when to assign, and what the position counts.
        name: what the value is called in the logs; by default the last part of the target.

    Raises:
        ValueError: in the constructor for an unknown unit or what is no function; at the start of training where there
            is no such variable, or where compiled training would not see it change: a plain number that a layer keeps,
            a learning rate that is a schedule already, on JAX a variable that the model does not own.
    """

    def __init__(
        self,
        target: str | keras.Variable,
        schedule: Callable[[int], Any],
        unit: Literal["epoch", "batch"] = "epoch",
        name: str | None = None,
    ) -> None:
        super().__init__()
        if unit not in ("epoch", "batch"):
            raise ValueError(f"HyperParameterSchedule(unit={unit!r}): it should be 'epoch' or 'batch'")
        if not callable(schedule):
            raise ValueError(f"HyperParameterSchedule(schedule={schedule!r}): it should be a function of the position")
        self.target = target
        self.schedule = schedule
        self.unit = unit
        self.name = name or _name(target)
        self._found: Target | None = None

    def value(self, position: int) -> float:
        """The value at this position."""
        return float(keras.ops.convert_to_numpy(self.schedule(position)))

    def on_train_begin(self, logs: Any = None) -> None:
        """Find the variable."""
        super().on_train_begin(logs)
        self._found = find_target(self.model, self.target, "HyperParameterSchedule")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Assign the epoch's value."""
        super().on_epoch_begin(epoch, logs)
        if self.unit == "epoch":
            self._assign(epoch)

    def at_batch(self, number: int) -> None:
        """Assign the batch's value."""
        if self.unit == "batch":
            self._assign(number)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the value that held last into the logs."""
        if logs is not None and self._found is not None:
            logs[self.name] = self._found.read()

    def _assign(self, position: int) -> None:
        if self._found is not None:
            self.assign(self._found, self.value(position))


def _name(target: str | keras.Variable) -> str:
    path = target if isinstance(target, str) else target.path
    return path.replace("/", ".").rsplit(".", 1)[-1].strip("*") or path
