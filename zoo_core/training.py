"""Training: run a plugin's recipe into a folder that is itself a preset, and go on where it stopped."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.checkpoints import Checkpoint, Position, latest_checkpoint, restore
from zoo_core.errors import RecipeError, TrainingInterrupted
from zoo_core.progress import Mode, open_progress
from zoo_core.recipes import Recipe, Task, default_data, find_recipe, make_recipe
from zoo_core.run_folder import CHECKPOINT_FOLDER, continued, cut_history, default_folder, opened
from zoo_core.runs import Record, new_record
from zoo_core.signals import Signals, caught_signals
from zoo_core.text import plural

if TYPE_CHECKING:
    import keras

    from zoo_core.data import Splits
    from zoo_core.fitting import Run


def train(
    reference: str | Task,
    data: str | Path | None = None,
    settings: Mapping[str, Any] | None = None,
    *,
    out: str | Path | None = None,
    init: str | Path | None = None,
    resume: bool = True,
    minutes: float | None = None,
    checkpoint_minutes: float = 10.0,
    progress: Mode = "auto",
) -> Record:
    """Train a model of the zoo by its recipe into the folder `out`, and return the run's record.

    `out` is runs/NAME-DATA by default. `data` is a data set's name, a FILE.npz or a FOLDER (default: the recipe's),
    `settings` override the recipe's, `init` is a preset (name or folder) to start from. Where `out` holds this very
    run, it goes on from its last checkpoint to the same result as an uninterrupted run; `minutes` ends this call early,
    in a state that can go on.
    Checkpoints are written after every epoch and, inside long ones, every `checkpoint_minutes`. Without `resume`, a run
    that `out` holds is given up for a new one.

    Raises RecipeError where the run cannot start or go on, TrainingInterrupted after SIGINT and SIGTERM, DataError.
    """
    deadline = math.inf if minutes is None else time.monotonic() + 60 * minutes
    task = find_recipe(reference) if isinstance(reference, str) else reference
    source = data or (settings or {}).get("data") or default_data(task.recipe)
    recipe = _prepared(task, source, settings or {})
    folder = default_folder(task.name, recipe.data) if out is None else Path(out).expanduser()
    with opened(folder, resume), caught_signals() as signals:
        run = _start(task, recipe, source, folder, init, signals, progress)
        run = replace(run, deadline=deadline, checkpoint_seconds=60 * checkpoint_minutes)
        with contextlib.closing(run.progress):
            _fit_to_the_end(run)
    return run.record


def _prepared(task: Task, source: str | Path, settings: Mapping[str, Any]) -> Recipe:
    from zoo_core.data import data_name

    if not str(source):
        raise RecipeError(f"{task.name} has no data of its own", "name some: --data NAME, FILE.npz or FOLDER")
    return make_recipe(task.recipe, data_name(source, task.recipe.own_data), settings)


def _start(
    task: Task,
    recipe: Recipe,
    source: str | Path,
    folder: Path,
    init: str | Path | None,
    signals: Signals,
    progress: Mode,
) -> Run:
    """Build and compile the model; the record of the run that `folder` holds already, or a new one."""
    from zoo_core import backend
    from zoo_core.batches import Batches
    from zoo_core.config import Config
    from zoo_core.fitting import Run

    backend.set_random_seed(recipe.seed)
    data = recipe.load(source)
    config = Config(task.name, _plain_arguments(task, recipe.arguments(data)))
    with _dtype_policy(recipe.precision):
        model = task.model(**config.arguments)
    recipe.initialise(model, data)
    initial = _start_from(model, init) if init is not None else None
    record = continued(folder, new_record(task.name, recipe, data, model, initial), recipe)
    inputs = recipe.inputs(data)
    steps = Batches(recipe, inputs).steps
    recipe.compile(model, steps * recipe.epochs)
    model.optimizer.build(model.trainable_variables)
    return Run(
        config=config,
        folder=folder,
        recipe=recipe,
        model=model,
        inputs=inputs,
        validation=_validation(recipe, data),
        callbacks=recipe.callbacks(model, data, folder),
        record=record,
        progress=open_progress(progress, recipe.epochs, steps),
        signals=signals,
    )


@contextlib.contextmanager
def _dtype_policy(name: str) -> Iterator[None]:
    """Inside, layers are made under this dtype policy of Keras. Raises RecipeError where there is no such policy."""
    import keras

    before = keras.config.dtype_policy()
    try:
        keras.config.set_dtype_policy(name)
    except ValueError as error:
        raise RecipeError(
            f"setting precision={name!r}: Keras has no such dtype policy", "use float32 or mixed_bfloat16"
        ) from error
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _validation(recipe: Recipe, data: Splits) -> Any:
    """What `fit` measures after every epoch: the recipe's inputs, made of the validation split; None without one."""
    if data.validation is None:
        return None
    inputs = recipe.inputs(replace(data, train=data.validation, train_labels=data.validation_labels))
    return inputs if isinstance(inputs, tuple) else (inputs,)


def _plain_arguments(task: Task, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments as config.json will give them to the model, checked as they will be when it is loaded."""
    from zoo_core.config import check_plain
    from zoo_core.construction import check_arguments
    from zoo_core.files import parse_json, render_json

    where = f"{task.recipe.__name__}.arguments()"
    plain: dict[str, Any] = parse_json(render_json(arguments).encode())
    check_plain(plain, where)
    check_arguments(task.model, plain, where)
    return plain


def _start_from(model: keras.Model, init: str | Path) -> Record:
    """Give a model the weights of a preset with the same tensors; what it was, for the record. Raises WeightsError."""
    from zoo_core.loading import load_weights
    from zoo_core.names import is_path
    from zoo_core.presets import WEIGHTS_FILE
    from zoo_core.pulling import pull

    load_weights(model, init)
    name = Path(init).expanduser().resolve().name if is_path(init) else str(init)
    return {"name": name, "sha256": next(file.sha256 for file in pull(init).files if file.name == WEIGHTS_FILE)}


def _fit_to_the_end(run: Run) -> None:
    from zoo_core.fitting import OUT_OF_TIME, Stop

    checkpoint = _restored(run)
    if checkpoint is not None:
        run.progress.message(f"{run.folder}: going on after {_place(checkpoint.position)}")
    try:
        while checkpoint is None or checkpoint.position.epoch < run.recipe.epochs:
            _fit(run, checkpoint)
            checkpoint = _restored(run)
            if run.model.stop_training:  # a callback's decision, as early stopping takes it
                break
    except Stop as stop:
        place = f"{run.folder}: stopped after {_place(stop.position)}, all saved"
        if stop.reason != OUT_OF_TIME:
            raise TrainingInterrupted(f"{place} ({stop.reason})", "the same command goes on from there") from None
        run.progress.message(f"{place}; the same command goes on from there")
    else:
        run.progress.message(f"{run.folder}: {plural(run.record['epochs'], 'epoch')} done")


def _fit(run: Run, checkpoint: Checkpoint | None) -> None:
    """Fit to the end; or, from inside an epoch, to the end of that one."""
    from zoo_core.batches import Batches
    from zoo_core.fitting import Recorder, build_metrics

    position = checkpoint.position if checkpoint else Position()
    batches = Batches(run.recipe, run.inputs, position.step)
    if checkpoint and position.step:
        build_metrics(run.model, batches)
        restore(checkpoint, run.model, run.callbacks)
    run.model.fit(
        batches,
        initial_epoch=position.epoch,
        epochs=position.epoch + 1 if position.step else run.recipe.epochs,
        callbacks=[*run.callbacks, Recorder(run, batches, position, checkpoint)],
        validation_data=run.validation,
        validation_batch_size=run.recipe.batch_size,
        verbose=0,
        shuffle=False,
    )


def _restored(run: Run) -> Checkpoint | None:
    """Set the model back to the last checkpoint; after `fit` too, which may have put averaged weights into it."""
    checkpoint = latest_checkpoint(run.folder / CHECKPOINT_FOLDER)
    if checkpoint is not None:
        restore(checkpoint, run.model, run.callbacks)
    cut_history(run.folder, checkpoint.position.epoch if checkpoint else 0)
    return checkpoint


def _place(position: Position) -> str:
    return f"epoch {position.epoch}" + (f" and {position.step} batches" if position.step else "")
