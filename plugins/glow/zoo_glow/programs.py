"""Running a model's methods outside `fit`: eagerly for a few rows, compiled where many rows pay for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np


class Program(keras.Model):
    """One function of a model, as a model of its own, so that Keras compiles it on whatever backend runs."""

    def __init__(self, model: keras.Model, function: Callable[..., Any]) -> None:
        super().__init__()
        self.model = model
        self.function = function
        self.built = True

    def call(self, arrays: Any) -> Any:
        return self.function(*arrays)


class Programs:
    """Compiled functions by name. Not a layer on purpose: the model that owns it must not track it."""

    def __init__(self) -> None:
        self._programs: dict[str, Program] = {}

    def run(
        self, model: keras.Model, function: Callable[..., Any], arrays: tuple[np.ndarray, ...], compiled: bool
    ) -> np.ndarray:
        """`function(*arrays)` as a NumPy array; the first axis of every array is the batch."""
        if not compiled:
            return np.asarray(keras.ops.convert_to_numpy(function(*arrays)))
        program = self._programs.get(function.__name__)
        if program is None:
            program = self._programs[function.__name__] = Program(model, function)
        return np.asarray(program.predict_on_batch(arrays))
