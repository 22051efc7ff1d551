"""The folder of a training run: whether it may be written to, which run it holds, and its history."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from zoo_core.errors import RecipeError
from zoo_core.files import replace_text
from zoo_core.recipes import Recipe
from zoo_core.runs import RUN_FILE, Record, differences, read_record, write_record

HISTORY_FILE = "history.jsonl"
CHECKPOINT_FOLDER = "checkpoint"
SAMPLE_FOLDER = "samples"

_OTHER_FOLDER = "choose another folder with --out"


def default_folder(model: str, data: str) -> Path:
    """Where a run of a model (`plugin/name`) on data of this name goes if nothing else is said: runs/NAME-DATA."""
    return Path("runs", f"{model.rpartition('/')[2]}-{data}")


@contextlib.contextmanager
def opened(folder: Path, resume: bool) -> Iterator[None]:
    """Make the folder, refuse one that is not ours to write to, and keep every other training out of it.

    Without `resume`, the run that it holds is given up.
    """
    import fcntl

    try:
        _check_content(folder)
        (folder / CHECKPOINT_FOLDER).mkdir(parents=True, exist_ok=True)
        lock = (folder / CHECKPOINT_FOLDER / "lock").open("w")
    except OSError as error:
        raise RecipeError(f"{folder} cannot be written: {error.strerror}", _OTHER_FOLDER) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise RecipeError(f"another training is writing to {folder}", _OTHER_FOLDER) from None
        if not resume:
            _give_up_run(folder)
        yield


def _check_content(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if RUN_FILE not in names and names - {CHECKPOINT_FOLDER}:
        raise RecipeError(f"{folder} is not empty and holds no run", _OTHER_FOLDER)


def _give_up_run(folder: Path) -> None:
    """Delete what a run would go on with; its model is there until the new run writes its own."""
    for path in [folder / RUN_FILE, folder / HISTORY_FILE, *(folder / CHECKPOINT_FOLDER).glob("*.safetensors")]:
        path.unlink(missing_ok=True)


def continued(folder: Path, record: Record, recipe: Recipe) -> Record:
    """The record to go on with; raises RecipeError where the folder holds a different run."""
    if not (folder / RUN_FILE).is_file():
        write_record(folder, record)
        return record
    held = read_record(folder)
    if different := differences(held, record, recipe):
        raise RecipeError(
            f"{folder} holds a different run: {'; '.join(different)}",
            f"{_OTHER_FOLDER}; --init {as_argument(folder)} starts from its weights",
        )
    return {**record, **{name: held[name] for name in ("epochs", "steps", "seconds", "evaluation", "files")}}


def as_argument(folder: Path) -> str:
    """The folder as a command takes it: a relative one starts with `./`, or it would be a name."""
    return str(folder) if folder.is_absolute() or folder.parts[:1] == ("..",) else f"./{folder}"


def cut_history(folder: Path, epochs: int) -> None:
    """Drop the lines of epochs that the checkpoint does not know of: they will be trained again."""
    path = folder / HISTORY_FILE
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if line.endswith("\n") and json.loads(line)["epoch"] <= epochs]
        if kept != lines:
            replace_text(path, "".join(kept))
