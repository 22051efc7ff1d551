"""The state of any callback, our own, Keras' and others', as plain JSON and arrays."""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo_addons.callbacks.plain_numbers import as_plain, from_plain

_NEVER = {"params", "_model", "validation_data", "model"}
_NOT_STATE: dict[str, set[str]] = {
    # Found anew from `mode`, and the sign of `min_delta` with it.
    "MonitorCallback": {"monitor_op", "min_delta"},
    "CSVLogger": {"writer", "csv_file", "append_header", "append"},
    "TensorBoard": {"_writers", "_prev_summary_state", "_summary_module", "_batch_trace_context", "_train_dir"}
    | {"_val_dir", "_epoch_start_time", "_batch_start_time", "_should_write_train_graph"},
}
"""What Keras' callbacks keep that belongs to one process, or is made of their arguments, by the name of a class."""


class CallbackState:
    """One callback, with the interface that `zoo_core.checkpoints` saves: `get_state` and `get_arrays`.

    A callback with `get_state` and `set_state` says itself what its state is. Of any other the state is what has
    changed of its attributes since the start: numbers, texts, arrays, and lists, tuples and dictionaries of those, so
    that arguments that are given anew (a patience) are as given. What has changed and is of another kind cannot be
    kept, which a warning tells once.
    """

    def __init__(self, callback: keras.callbacks.Callback) -> None:
        """Remember what the callback is like before training."""
        self.callback = callback
        self._speaks = hasattr(callback, "get_state") and hasattr(callback, "set_state")
        self._given = {} if self._speaks else self._attributes()
        self._objects = {} if self._speaks else dict(vars(callback))
        self._changed: set[str] = set()
        self._warned: set[str] = set()
        self._state_to_set: dict[str, Any] = {}

    def get_state(self) -> dict[str, Any]:
        """The state but for its arrays."""
        if self._speaks:
            return {"own": self.callback.get_state()}
        return {"attributes": {name: encoded for name, (encoded, _) in self._state().items()}} | self._file_state()

    def get_arrays(self) -> dict[str, np.ndarray]:
        """The arrays in the state, by where they belong."""
        if self._speaks:
            return self.callback.get_arrays() if hasattr(self.callback, "get_arrays") else {}
        return {f"{name}/{i}": array for name, (_, arrays) in self._state().items() for i, array in enumerate(arrays)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over a state; of a callback that says nothing itself, once its arrays are there too."""
        self._state_to_set = state
        if self._speaks:
            self.callback.set_state(state["own"])

    def set_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over the arrays of the state."""
        if self._speaks:
            if hasattr(self.callback, "set_arrays"):
                self.callback.set_arrays(arrays)
            return
        for name, encoded in self._state_to_set["attributes"].items():
            value = _decode(encoded, name, arrays)
            if isinstance(kept := vars(self.callback).get(name), keras.Variable):
                kept.assign(value)
            else:
                setattr(self.callback, name, value)
            self._changed.add(name)

    @contextlib.contextmanager
    def beginning_again(self) -> Iterator[None]:
        """While training begins again: the log of a CSVLogger goes on where it was."""
        if not isinstance(self.callback, keras.callbacks.CSVLogger):
            yield
            return
        path, append = Path(self.callback.filename), self.callback.append
        if path.is_file():
            # Rows of epochs that will be trained again are dropped.
            os.truncate(path, min(self._state_to_set["bytes"], path.stat().st_size))
        self.callback.append = True
        yield
        self.callback.append = append

    def _file_state(self) -> dict[str, Any]:
        if not isinstance(self.callback, keras.callbacks.CSVLogger):
            return {}
        path = Path(self.callback.filename)
        return {"bytes": path.stat().st_size if path.is_file() else 0}

    def _state(self) -> dict[str, tuple[Any, list[np.ndarray]]]:
        now = self._attributes()
        self._warn_of(now.keys())
        self._changed |= {name for name, value in now.items() if not _same(value, self._given.get(name))}
        return {name: value for name, value in now.items() if name in self._changed}

    def _attributes(self) -> dict[str, tuple[Any, list[np.ndarray]]]:
        found = {}
        for name in vars(self.callback).keys() - self._left_out():
            arrays: list[np.ndarray] = []
            try:
                found[name] = (_encode(vars(self.callback)[name], arrays), arrays)
            except TypeError:
                continue
        return found

    def _left_out(self) -> set[str]:
        names = {cls.__name__ for cls in type(self.callback).__mro__}
        return _NEVER.union(*(left_out for name, left_out in _NOT_STATE.items() if name in names))

    def _warn_of(self, kept: Any) -> None:
        for name in vars(self.callback).keys() - kept - self._left_out() - self._warned:
            if vars(self.callback)[name] is not self._objects.get(name):
                self._warned.add(name)
                kind = type(self.callback).__name__
                what = type(vars(self.callback)[name]).__name__
                warnings.warn(
                    f"Resume cannot keep {kind}.{name}, a {what}: give {kind} a get_state() and a set_state(state)",
                    stacklevel=2,
                )


def _encode(value: Any, arrays: list[np.ndarray]) -> Any:
    """A value as JSON, its arrays replaced by their place in `arrays`; raises TypeError for what is neither."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        number = as_plain(value)
        return number if number is value else {"float": number}
    if isinstance(value, (np.ndarray, keras.Variable)) or keras.ops.is_tensor(value):
        arrays.append(np.array(keras.ops.convert_to_numpy(value)))
        return {"array": len(arrays) - 1}
    if isinstance(value, (list, tuple)):
        return {type(value).__name__ if type(value) in (list, tuple) else _refuse(value): _items(value, arrays)}
    if isinstance(value, dict):
        return {"dict": [[_encode(key, arrays), _encode(item, arrays)] for key, item in value.items()]}
    return _refuse(value)


def _items(values: Any, arrays: list[np.ndarray]) -> list[Any]:
    return [_encode(item, arrays) for item in values]


def _refuse(value: Any) -> Any:
    raise TypeError(type(value).__name__)


def _decode(encoded: Any, name: str, arrays: Mapping[str, np.ndarray]) -> Any:
    if not isinstance(encoded, dict):
        return encoded
    ((kind, content),) = encoded.items()
    if kind == "float":
        return from_plain(content)
    if kind == "array":
        return np.array(arrays[f"{name}/{content}"])
    if kind == "dict":
        return {_decode(key, name, arrays): _decode(item, name, arrays) for key, item in content}
    items = [_decode(item, name, arrays) for item in content]
    return tuple(items) if kind == "tuple" else items


def _same(one: tuple[Any, list[np.ndarray]], other: tuple[Any, list[np.ndarray]] | None) -> bool:
    if other is None or one[0] != other[0] or len(one[1]) != len(other[1]):
        return False
    return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(one[1], other[1], strict=True))
