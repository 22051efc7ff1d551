"""What a training has besides its model and its callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np

from zoo_addons.callbacks.plain_numbers import as_plain, from_plain


class TrainingState:
    """What Resume itself keeps: history, random generators, whether training was stopped, the last batch's logs."""

    def __init__(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        self.names = [type(callback).__name__ for callback in callbacks]
        self.forget()

    def forget(self) -> None:
        """Before a training."""
        self.stopped = False
        self.logs: dict[str, float] = {}
        self.epochs: list[tuple[int, dict[str, float]]] = []
        self.random: dict[str, np.ndarray] = {}
        self.epoch_random: dict[str, np.ndarray] = {}

    def add_epoch(self, epoch: int, logs: dict[str, float]) -> None:
        """Add an epoch to the history."""
        self.epochs.append((epoch, logs))

    def write_history(self, model: keras.Model) -> None:
        """Give the model's History the epochs before the interruption."""
        history = getattr(model, "history", None)
        if not isinstance(history, keras.callbacks.History):
            return
        history.epoch = [epoch for epoch, _ in self.epochs]
        history.history = {}
        for _, logs in self.epochs:
            for name, value in logs.items():
                history.history.setdefault(name, []).append(value)

    def get_state(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "callbacks": self.names,
            "stopped": self.stopped,
            "logs": _plain(self.logs),
            "epochs": [[epoch, _plain(logs)] for epoch, logs in self.epochs],
        }

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state."""
        self.stopped = state["stopped"]
        self.logs = _from_plain(state["logs"])
        self.epochs = [(epoch, _from_plain(logs)) for epoch, logs in state["epochs"]]

    def get_arrays(self) -> dict[str, np.ndarray]:
        """The random generators, now and at the beginning of the epoch."""
        now = {f"random/{name}": array for name, array in self.random.items()}
        return now | {f"epoch_random/{name}": array for name, array in self.epoch_random.items()}

    def set_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take them over."""
        self.random = {n.removeprefix("random/"): a for n, a in arrays.items() if n.startswith("random/")}
        self.epoch_random = {
            n.removeprefix("epoch_random/"): a for n, a in arrays.items() if n.startswith("epoch_random/")
        }


def numbers(logs: Mapping[str, Any] | None) -> dict[str, float]:
    """What is a number of a callback's logs."""
    return {name: float(value) for name, value in (logs or {}).items() if isinstance(value, (int, float, np.number))}


def _plain(logs: Mapping[str, float]) -> dict[str, Any]:
    return {name: as_plain(value) for name, value in logs.items()}


def _from_plain(logs: Mapping[str, Any]) -> dict[str, float]:
    return {name: from_plain(value) for name, value in logs.items()}
