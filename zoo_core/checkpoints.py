"""Checkpoints of a run: all variables and callbacks' states at one moment, in one file; the last two are kept."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.errors import RecipeError, WeightsError

if TYPE_CHECKING:
    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]

_NAME = re.compile(r"(\d{6})-(\d{8})\.safetensors")
_KEPT = 2
_CHANGED = "the code has changed since: train into another folder with --out"


@dataclass(frozen=True, slots=True)
class Position:
    """How far a run is: epochs done, batches done of the next one, seconds spent in all and on that next epoch."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    epoch_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a checkpoint file holds: the position, tensors by name, callbacks' states by index, and the backend."""

    position: Position
    tensors: Mapping[str, Array]
    callbacks: Mapping[str, Any]
    backend: str


def save_checkpoint(folder: Path, position: Position, model: keras.Model, callbacks: list[Any]) -> None:
    """Write a checkpoint into `folder`, whole or not at all, and delete all but the last two. Raises OSError."""
    import keras

    from zoo_core import safetensors_file

    tensors = {name: _value(variable) for name, variable in variables(model).items()} | _callback_arrays(callbacks)
    state = {
        "position": asdict(position),
        "callbacks": _callback_states(callbacks),
        "backend": keras.backend.backend(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{position.epoch:06d}-{position.step:08d}.safetensors"
    safetensors_file.write(path, tensors, {"zoo": json.dumps(state)})
    for old in _checkpoint_files(folder)[:-_KEPT]:
        old.unlink()


def latest_checkpoint(folder: Path) -> Checkpoint | None:
    """The last checkpoint in `folder`, or the one before where that is damaged; None where there is none."""
    files = _checkpoint_files(folder)
    for path in reversed(files):
        try:
            return _read(path)
        except (OSError, ValueError, KeyError, TypeError, WeightsError) as error:
            print(f"{path} is damaged and left out: {error}", file=sys.stderr)
    if files:
        raise RecipeError(f"every checkpoint in {folder} is damaged", "train into another folder with --out")
    return None


def restore(checkpoint: Checkpoint, model: keras.Model, callbacks: list[Any]) -> None:
    """Give the model, its optimizer and the callbacks the state that they had. Metrics: see `restore_metrics`.

    A callback's state is what its `get_state()` gave, plain JSON, for `set_state(state)`; beside it may be a
    `get_arrays()`, a dictionary of NumPy arrays, and `set_arrays(arrays)`, which is called after `set_state`.
    """
    import keras

    if checkpoint.backend != keras.backend.backend():
        raise RecipeError(
            f"this run was trained on {checkpoint.backend}, not {keras.backend.backend()}",
            f"set KERAS_BACKEND={checkpoint.backend}",
        )
    own = {name: v for name, v in variables(model).items() if not name.startswith("metrics/")}
    _require_no_more(checkpoint, own)
    _assign(checkpoint, own)
    for index, callback in enumerate(callbacks):
        if str(index) in checkpoint.callbacks:
            callback.set_state(checkpoint.callbacks[str(index)])
        if hasattr(callback, "set_arrays"):
            prefix = f"callbacks/{index}/"
            tensors = checkpoint.tensors.items()
            callback.set_arrays({name.removeprefix(prefix): a for name, a in tensors if name.startswith(prefix)})


def restore_metrics(checkpoint: Checkpoint, model: keras.Model) -> None:
    """Give the metrics the state that they had inside an epoch."""
    _assign(checkpoint, {name: v for name, v in variables(model).items() if name.startswith("metrics/")})


def variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Every variable of a compiled model, also seed generators', the optimizer's and metrics', by its place.

    By the place and not by name: Keras numbers the layers in an optimizer's names anew at every construction.
    """
    groups = {"model": model.variables, "optimizer": model.optimizer.variables, "metrics": model.metrics_variables}
    return {f"{group}/{index}": variable for group, found in groups.items() for index, variable in enumerate(found)}


def _value(variable: keras.Variable) -> Array:
    import keras
    import numpy as np

    # A copy: on JAX the array may be a view of a buffer that the next step donates.
    return np.array(keras.ops.convert_to_numpy(variable), order="C", copy=True)


def _callback_states(callbacks: list[Any]) -> dict[str, Any]:
    states = {}
    for index, callback in enumerate(callbacks):
        if hasattr(callback, "get_state"):
            state = states[str(index)] = callback.get_state()
            if not _is_plain(state):
                raise RecipeError(f"{type(callback).__name__}.get_state() gives more than plain JSON can hold")
    return states


def _callback_arrays(callbacks: list[Any]) -> dict[str, Array]:
    return {
        f"callbacks/{index}/{name}": array
        for index, callback in enumerate(callbacks)
        if hasattr(callback, "get_arrays")
        for name, array in callback.get_arrays().items()
    }


def _is_plain(state: Any) -> bool:
    """Whether JSON gives back the same state: tuples and keys that are no strings would come back as something else."""
    try:
        return bool(json.loads(json.dumps(state)) == state)
    except (TypeError, ValueError):
        return False


def _checkpoint_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.safetensors") if _NAME.fullmatch(path.name))


def _read(path: Path) -> Checkpoint:
    from zoo_core import safetensors_file

    tensors, metadata = safetensors_file.read(path)
    state = json.loads(metadata["zoo"])
    return Checkpoint(Position(**state["position"]), tensors, state["callbacks"], state["backend"])


def _require_no_more(checkpoint: Checkpoint, targets: Mapping[str, keras.Variable]) -> None:
    """Raise RecipeError where more was saved: by its place alone, another optimizer's momentum would be taken over."""
    kept = [name for name in checkpoint.tensors if name.startswith(("model/", "optimizer/"))]
    more = [name for name in kept if name not in targets]
    if more:
        raise RecipeError(
            f"the checkpoint does not fit the model: {more[0]} was saved, and there is no such variable now", _CHANGED
        )


def _assign(checkpoint: Checkpoint, targets: Mapping[str, keras.Variable]) -> None:
    for name, variable in targets.items():
        value = checkpoint.tensors.get(name)
        if value is None or value.shape != tuple(variable.shape) or value.dtype.name != variable.dtype:
            expected = f"{variable.dtype} {tuple(variable.shape)}"
            found = "nothing" if value is None else f"{value.dtype.name} {value.shape}"
            raise RecipeError(
                f"the checkpoint does not fit the model: {name} is {expected}, saved was {found}", _CHANGED
            )
        variable.assign(value)
