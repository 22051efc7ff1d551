"""The best weights by whatever a Python function makes of the model."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from zoo_addons.callbacks.plain_numbers import as_plain, from_plain

_NO_PRESETS = (".h5", ".hdf5", ".safetensors", ".ckpt", ".pt", ".pth", ".pkl", ".npz", ".json")


class BestByMetric(keras.callbacks.Callback):
    """Evaluate the model by any Python function at the end of an epoch, and keep the weights of the best one.

        def bleu(model):
            return corpus_bleu(translate(model, sources), references)

        best = BestByMetric(bleu, mode="max", filepath="best.weights.h5", restore_best_weights=True)
        model.fit(x, y, epochs=20, callbacks=[best, EarlyStopping("bleu", mode="max"), CSVLogger("log.csv")])

    The function's values are put into the epoch's logs. Keras gives each callback the same logs in the order of the
    list, so callbacks that read them (EarlyStopping, ModelCheckpoint, CSVLogger, ReduceLROnPlateau) are listed after
    this one; the history and the progress bar of `fit` always come last, and show them.

    NaN is never the best. A callback that is used in several calls of `fit` goes on comparing with its best.

    Resumed training knows the best value, the history and the weights: `get_state` gives plain JSON, `get_arrays` the
    weights as NumPy arrays, which both `zoo train` and `zoo_addons.Resume` keep in their checkpoints.

    Args:
        function: takes the model and returns a number, or a dictionary of numbers by name.
        mode: "max" where more is better, "min" where less is.
        name: what a single number is called in the logs; by default the function's name.
        monitor: which of a dictionary's numbers decides; by default the only one, or the one called `name`.
        filepath: where to write the best model, whole or not at all: a file `*.weights.h5` or `*.keras`, or a folder,
            which becomes a preset of the zoo (`zoo_core.save`) if the model is one of its plugins'.
        restore_best_weights: whether the model has the best weights when training is over.
        every: epochs between two evaluations; the last epoch is evaluated in any case.

    Attributes:
        best: the best value, None before the first.
        best_epoch: its epoch, counted from 0.
        history: one dictionary for each evaluation: the epoch and the values.

    Raises:
        ValueError: in the constructor for an unknown mode, a filepath with another ending or `every` below 1; in
            training where the function returns no number, or a dictionary without the one that decides.
    """

    def __init__(
        self,
        function: Callable[[keras.Model], float | Mapping[str, float]],
        mode: Literal["max", "min"] = "max",
        name: str | None = None,
        monitor: str | None = None,
        filepath: str | os.PathLike[str] | None = None,
        restore_best_weights: bool = False,
        every: int = 1,
    ) -> None:
        super().__init__()
        if mode not in ("max", "min"):
            raise ValueError(f"BestByMetric(mode={mode!r}): it should be 'max' or 'min'")
        if not callable(function):
            raise ValueError(f"BestByMetric(function={function!r}): it should take the model and return a number")
        if every < 1:
            raise ValueError(f"BestByMetric(every={every}): it should be 1 or more")
        if filepath is not None and not _is_model_path(Path(filepath).name):
            raise ValueError(
                f"BestByMetric(filepath={str(filepath)!r}): it should be *.weights.h5, *.keras or a folder"
            )
        self.function = function
        self.mode = mode
        self.name = name or _name_of(function)
        self.monitor = monitor
        self.filepath = None if filepath is None else Path(filepath)
        self.restore_best_weights = restore_best_weights
        self.every = every
        self.best: float | None = None
        self.best_epoch: int | None = None
        self.history: list[dict[str, float]] = []
        self._weights: list[np.ndarray] | None = None

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Evaluate the model; keep it where it is the best."""
        last = epoch + 1 == (self.params or {}).get("epochs") or self.model.stop_training
        if (epoch + 1) % self.every and not last:
            return
        values = self.evaluate()
        self.history.append({"epoch": epoch, **values})
        if logs is not None:
            logs.update(values)
        value = values[self._deciding(values)]
        if self._is_better(value):
            self.best, self.best_epoch = value, epoch
            self._keep()

    def on_train_end(self, logs: Any = None) -> None:
        """Give the model its best weights, if wanted."""
        if self.restore_best_weights and self._weights is not None:
            self.model.set_weights(self._weights)

    def evaluate(self) -> dict[str, float]:
        """What the function makes of the model, by name."""
        result = self.function(self.model)
        named = result if isinstance(result, Mapping) else {self.name: result}
        try:
            values = {name: float(keras.ops.convert_to_numpy(value)) for name, value in named.items()}
        except (TypeError, ValueError) as error:
            raise ValueError(f"BestByMetric: {self.name} should return a number, not {result!r}"[:300]) from error
        if not values:
            raise ValueError(f"BestByMetric: {self.name} returned no number")
        return values

    def get_state(self) -> dict[str, Any]:
        """Best value and epoch, and the history, as plain JSON."""
        return {
            "best": None if self.best is None else as_plain(self.best),
            "best_epoch": self.best_epoch,
            "history": [{name: as_plain(value) for name, value in entry.items()} for entry in self.history],
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over the state of an interrupted run."""
        self.best = None if state["best"] is None else from_plain(state["best"])
        self.best_epoch = state["best_epoch"]
        self.history = [{name: from_plain(value) for name, value in entry.items()} for entry in state["history"]]

    def get_arrays(self) -> dict[str, np.ndarray]:
        """The best weights, if they are to be restored."""
        return {f"weights/{index}": array for index, array in enumerate(self._weights or [])}

    def set_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over the best weights of an interrupted run."""
        self._weights = [np.array(arrays[f"weights/{index}"]) for index in range(len(arrays))] or None

    def _deciding(self, values: Mapping[str, float]) -> str:
        name = self.monitor or (next(iter(values)) if len(values) == 1 else self.name)
        if name not in values:
            raise ValueError(
                f"BestByMetric: which of {', '.join(values)} decides? Say so with monitor=..., not {name!r}"
            )
        return name

    def _is_better(self, value: float) -> bool:
        if math.isnan(value):
            return False
        return self.best is None or (value > self.best if self.mode == "max" else value < self.best)

    def _keep(self) -> None:
        if self.restore_best_weights:
            # Copies: on JAX an array may be a view of a buffer that the next step reuses.
            self._weights = [np.array(array) for array in self.model.get_weights()]
        if self.filepath is not None:
            write_model(self.model, self.filepath)


def write_model(model: keras.Model, path: Path) -> None:
    """Write a model as `*.weights.h5`, `*.keras` or a preset folder, whole or not at all."""
    suffix = next((ending for ending in (".weights.h5", ".keras") if path.name.endswith(ending)), None)
    if suffix is None:
        import zoo_core

        zoo_core.save(model, path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part{suffix}")
    try:
        (model.save_weights if suffix == ".weights.h5" else model.save)(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _is_model_path(name: str) -> bool:
    return name.endswith(".weights.h5") or not name.endswith(_NO_PRESETS)


def _name_of(function: Callable[..., Any]) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "metric" if name == "<lambda>" else name
