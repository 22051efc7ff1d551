"""The callback that records a training run while Keras fits. Imports keras: to be imported inside functions only."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo_core import card, runs
from zoo_core.batches import Batches
from zoo_core.checkpoints import Checkpoint, Position, restore_metrics, save_checkpoint
from zoo_core.config import Config
from zoo_core.errors import RecipeError
from zoo_core.progress import Silent
from zoo_core.recipes import Recipe
from zoo_core.run_folder import CHECKPOINT_FOLDER, HISTORY_FILE, SAMPLE_FOLDER, as_argument
from zoo_core.signals import Signals

OUT_OF_TIME = "minutes"

_FINITE_CHECK_STEPS = 50


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that one call of training works with. `deadline` is a `time.monotonic()`."""

    config: Config
    folder: Path
    recipe: Recipe
    model: keras.Model
    inputs: Any
    validation: Any
    callbacks: list[Any]
    record: runs.Record
    progress: Silent
    signals: Signals
    deadline: float = math.inf
    checkpoint_seconds: float = math.inf


class Stop(Exception):
    """Ends `fit` from inside a callback, after everything has been saved."""

    def __init__(self, reason: str, position: Position) -> None:
        """The reason is a signal's name or OUT_OF_TIME."""
        super().__init__(reason, position)
        self.reason = reason
        self.position = position


class Recorder(keras.callbacks.Callback):  # type: ignore[misc]  # keras has no annotations
    """Records a run while it trains: history, preset, samples, checkpoints; raises Stop when it is time to."""

    def __init__(self, run: Run, batches: Batches, position: Position, resumed: Checkpoint | None = None) -> None:
        """Record from this position on; `resumed` is the checkpoint that it comes from."""
        super().__init__()
        self.run = run
        self.batches = batches
        self.position = position
        self._resumed = resumed
        self._clock = self._saved = time.monotonic()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Choose the epoch's batches; inside an epoch that was interrupted, go on with its metrics."""
        self.batches.epoch = epoch
        if self.batches.start and self._resumed is not None:
            restore_metrics(self._resumed, self.model)
        self.run.progress.begin(epoch + 1, self.batches.start)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Stop or save where it is time to; what falls on the last batch is left to the end of the epoch."""
        step = self.batches.start + batch + 1
        self._advance_to(self.position.epoch, step)
        self.run.progress.advance(step, logs or {})
        if step == self.batches.steps:
            return
        reason = self._reason_to_stop()
        save = bool(reason) or time.monotonic() - self._saved > self.run.checkpoint_seconds
        if save or step % _FINITE_CHECK_STEPS == 0:
            self._check_finite(logs)
        if save:
            self._save(reason)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Record the epoch, write the preset and the samples, and last of all the checkpoint."""
        scalars = {name: float(value) for name, value in (logs or {}).items()}
        self._check_finite(scalars)
        self._check_weights()
        self._advance_to(epoch, self.batches.steps)
        seconds = self.position.epoch_seconds
        self.position = Position(epoch + 1, 0, self.position.seconds, 0.0)
        with self._writing():
            self._append_history(scalars, seconds)
            self._write_preset(samples=True)
            self._write_checkpoint()
        self.run.progress.end(epoch + 1, scalars, seconds)
        if epoch + 1 < self.run.recipe.epochs and (reason := self._reason_to_stop()):
            raise Stop(reason, self.position)

    def _advance_to(self, epoch: int, step: int) -> None:
        now = time.monotonic()
        passed, self._clock = now - self._clock, now
        self.position = Position(epoch, step, self.position.seconds + passed, self.position.epoch_seconds + passed)

    def _reason_to_stop(self) -> str:
        return self.run.signals.received or (OUT_OF_TIME if time.monotonic() > self.run.deadline else "")

    def _save(self, reason: str) -> None:
        """Save inside an epoch; with a reason to stop, the preset too, and stop."""
        # On JAX the variables are stale inside an epoch until Keras writes its state back.
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        self._check_weights()
        with self._writing():
            self._write_checkpoint()
            if reason:
                self._write_preset(samples=False)
        if reason:
            raise Stop(reason, self.position)

    def _write_checkpoint(self) -> None:
        save_checkpoint(self.run.folder / CHECKPOINT_FOLDER, self.position, self.model, self.run.callbacks)
        self._saved = time.monotonic()

    def _write_preset(self, samples: bool) -> None:
        from zoo_core.assets import assets_of
        from zoo_core.presets import write_preset
        from zoo_core.tensors import tensor_arrays

        self._update_record()
        with self.run.recipe.averaged(self.model):
            tensors, assets = tensor_arrays(self.model), assets_of(self.model)
            files = write_preset(self.run.folder, self.run.config, tensors, self.run.record, assets)
            if samples:
                self._sample(self.position.epoch)
        self.run.record["files"] = {file.name: {"size": file.size, "sha256": file.sha256} for file in files}
        card.write(self.run.folder, self.run.record)

    def _update_record(self) -> None:
        self.run.record.update(
            settings=runs.settings(self.run.recipe),
            epochs=self.position.epoch,
            steps=self.position.epoch * self.batches.steps + self.position.step,
            seconds=round(self.position.seconds, 1),
            evaluation=None,
        )

    def _sample(self, epoch: int) -> None:
        recipe, folder = self.run.recipe, self.run.folder / SAMPLE_FOLDER
        if not recipe.sample_every or (epoch % recipe.sample_every and epoch != recipe.epochs):
            return
        try:
            folder.mkdir(exist_ok=True)
            recipe.sample(self.model, folder, epoch)
        except Exception as error:
            # Hours of training are worth more than a picture.
            self.run.progress.message(f"no samples of epoch {epoch}: {type(error).__name__}: {error}")

    def _append_history(self, scalars: dict[str, float], seconds: float) -> None:
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        line = {"epoch": self.position.epoch, **scalars, "learning_rate": rate, "seconds": round(seconds, 3)}
        with (self.run.folder / HISTORY_FILE).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")

    def _check_finite(self, logs: Any) -> None:
        if bad := [name for name, value in (logs or {}).items() if not math.isfinite(float(value))]:
            raise self._diverged(", ".join(bad))

    def _check_weights(self) -> None:
        """The loss of a step is from before its update: look at what the update made of the weights, too."""
        for variable in self.model.trainable_variables:
            if not np.isfinite(keras.ops.convert_to_numpy(variable)).all():
                raise self._diverged(f"the weight {variable.path}")

    def _diverged(self, what: str) -> RecipeError:
        return RecipeError(
            f"{what} became NaN or infinite in epoch {self.position.epoch + 1}, step {self.position.step}; "
            f"{self.run.folder} keeps what was saved before",
            f"start from there with a lower learning rate: --init {as_argument(self.run.folder)} --out ANOTHER",
        )

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RecipeError(
                f"{self.run.folder} cannot be written after epoch {self.position.epoch}: {error.strerror or error}",
                "mend that and give the same command again: it goes on from the last checkpoint",
            ) from error


def build_metrics(model: keras.Model, batches: Batches) -> None:
    """Create the variables of compiled metrics, which Keras does at the first step only. Restore the model after it."""
    batch = batches[0]
    model.test_on_batch(*(batch if isinstance(batch, tuple) else (batch,)))
