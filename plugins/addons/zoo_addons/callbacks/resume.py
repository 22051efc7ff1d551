"""Training that is interrupted and goes on as if it had not been."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from zoo_addons.callbacks.callback_state import CallbackState
from zoo_addons.callbacks.random_state import random_arrays, set_random_arrays
from zoo_addons.callbacks.skipping import keep_assigned, reading_step, training_step
from zoo_addons.callbacks.training_state import TrainingState, numbers

_FILE = re.compile(r"\d{6}-\d{8}\.safetensors")


class Resume(keras.callbacks.Callback):
    """Back up a training with everything that it depends on, and go on from there after an interruption.

        stop = EarlyStopping(patience=5, restore_best_weights=True)
        best = ModelCheckpoint("best.keras", save_best_only=True)
        model.fit(batches, epochs=100, shuffle=False, callbacks=[Resume("backup", [stop, best], data=batches)])

    The same script started again goes on after the last backup, to the same result, bit for bit, on the same machine,
    backend and number of threads. It is all in one file: the weights, seeds and other state of the model; the
    optimizer's slots, iterations and learning rate; the history; the global random generators of Python, NumPy and
    PyTorch; and the state of all callbacks that are given to Resume, which calls them in their order: best scores and
    best weights, how long they have waited, whether they have stopped the training. Keras' own are understood
    (EarlyStopping, ReduceLROnPlateau, ModelCheckpoint, CSVLogger, ...), callbacks of the zoo keep theirs by
    `get_state`, `set_state`, `get_arrays` and `set_arrays`, and of any other callback the attributes are kept that have
    changed. `keras.callbacks.BackupAndRestore` keeps none of these: after it EarlyStopping and ModelCheckpoint forget
    their best score, and a worse model overwrites the best one (Keras issues 14862, 9462, 22010). Progress bars, which
    need no state, stay outside: `callbacks=[Resume(...), ProgressBar()]`.

    What you must do for the same result: build the model before `fit` (give it an Input), and feed it the same batches.
    - `ShuffledBatches(x, y, seed=...)` as `data`, or any data set with an attribute `epoch`, which is set before each
      epoch: the order is a function of seed and epoch, on every backend.
    - `fit(x, y, shuffle=False)`, or a `tf.data.Dataset` that is the same in each epoch.
    - `fit(x, y, shuffle=True)` on JAX and PyTorch, whose order comes from generators that are backed up. On TensorFlow
      it is drawn out of reach, and a resumed run sees another order.

    With `save_freq` a number, it is backed up within epochs too. Going on there reads the epoch's first batches again,
    without training on them.

    A backup appears whole or not at all (written under another name, flushed to the disk, renamed), and the one before
    is kept, in case the last is damaged. It holds numbers and JSON, no pickle. (`zoo train` does all this itself.)

    Args:
        folder: of the backups, for this training alone; made if missing.
        callbacks: all others of this training.
        data: what `fit` is given, if it has to be told the epoch.
        save_freq: "epoch", or a number of batches after which to back up, besides the end of each epoch.
        delete_checkpoint: whether the backups are deleted once training is over. If not, `fit` with more epochs goes on
            from them.

    Raises:
        ValueError: in the constructor for an unknown `save_freq`, what is no callback, another Resume in the list, or
            data without an `epoch`.
        RecipeError: at the start of training where the backup is of another model, other callbacks or another backend,
            all are damaged, or the model is not built.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        callbacks: Sequence[keras.callbacks.Callback] = (),
        data: Any = None,
        save_freq: int | Literal["epoch"] = "epoch",
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if save_freq != "epoch" and not (type(save_freq) is int and save_freq > 0):
            raise ValueError(f"Resume(save_freq={save_freq!r}): it should be 'epoch' or a number of batches")
        if data is not None and not hasattr(data, "epoch"):
            raise ValueError(f"Resume(data=...): {type(data).__name__} has no attribute `epoch` to be set")
        self.folder = Path(folder)
        self.callbacks = list(callbacks)
        self.data = data
        self.save_freq = save_freq
        self.delete_checkpoint = delete_checkpoint
        for callback in self.callbacks:
            if not isinstance(callback, keras.callbacks.Callback) or isinstance(callback, Resume):
                raise ValueError(f"Resume(callbacks=...): {callback!r} is no callback that it could keep")
        self._states = [CallbackState(callback) for callback in self.callbacks]
        self._own = TrainingState(self.callbacks)
        self._checkpoint: Any = None
        self._epoch = 0
        self._since = 0

    # What Keras calls, in the order of a training.

    def set_params(self, params: dict[str, Any] | None) -> None:
        """Hand on."""
        super().set_params(params)
        self._call("set_params", params)

    def set_model(self, model: keras.Model) -> None:
        """Hand on."""
        super().set_model(model)
        self._call("set_model", model)

    def on_train_begin(self, logs: Any = None) -> None:
        """Go on from the last backup, if there is one."""
        import contextlib

        self._own.forget()
        self._model.train_function = training_step(self._model)
        self._checkpoint = self._latest()
        if self._checkpoint is None:
            self._call("on_train_begin", logs)
            return
        # Keras' callbacks forget their state now; others, which have theirs already, make use of it.
        self._restore()
        with contextlib.ExitStack() as stack:
            for state in self._states:
                stack.enter_context(state.beginning_again())
            self._call("on_train_begin", logs)
        self._restore()
        position = self._checkpoint.position
        self._model._initial_epoch = (self.params or {})["epochs"] if self._own.stopped else position.epoch
        self._model.stop_training = self._own.stopped

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Tell the data its epoch; in the first after an interruption, go on from where that was."""
        self._model._initial_epoch = None
        self._epoch, self._since = epoch, 0
        if self.data is not None:
            self.data.epoch = epoch
        if self._checkpoint is None:
            self._call("on_epoch_begin", epoch, logs)
        else:
            self._begin_again(epoch, logs)
        self._own.epoch_random = random_arrays()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Hand on."""
        if self._checkpoint is None:
            self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Hand on, and back up if it is time to; after the last batch that is only read, all is as it was then."""
        if self._checkpoint is not None:
            if batch + 1 >= self._checkpoint.position.step:
                self._end_reading()
            return
        self._call("on_train_batch_end", batch, logs)
        self._since += getattr(self._model, "steps_per_execution", 1)
        done, steps = batch + 1, (self.params or {}).get("steps")
        if self.save_freq != "epoch" and self._since >= self.save_freq and not (steps and done >= steps):
            self._since = 0
            self._own.logs = numbers(logs)
            self._save(self._epoch, done)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Hand on, and back up."""
        if self._checkpoint is not None:
            self._model.train_function = training_step(self._model)
            raise self._unfit(f"epoch {epoch + 1} had {self._checkpoint.position.step} batches and now has fewer")
        self._call("on_epoch_end", epoch, logs)
        self._own.add_epoch(epoch, numbers(logs))
        self._own.stopped = bool(self._model.stop_training)
        self._own.epoch_random = random_arrays()
        self._save(epoch + 1, 0)

    def on_train_end(self, logs: Any = None) -> None:
        """Hand on, and delete the backups, if wanted."""
        self._model._initial_epoch = None
        if self._checkpoint is not None:
            # The backup was of the end already: there was no epoch to train.
            self._own.write_history(self._model)
            self._checkpoint = None
        self._call("on_train_end", logs)
        if self.delete_checkpoint and self.folder.is_dir():
            for path in self.folder.iterdir():
                if _FILE.fullmatch(path.name):
                    path.unlink()
            if not any(self.folder.iterdir()):
                self.folder.rmdir()

    def on_test_begin(self, logs: Any = None) -> None:
        """Hand on."""
        self._call("on_test_begin", logs)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Hand on."""
        self._call("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Hand on."""
        self._call("on_test_batch_end", batch, logs)

    def on_test_end(self, logs: Any = None) -> None:
        """Hand on."""
        self._call("on_test_end", logs)

    def _call(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)

    # Backups.

    def _save(self, epoch: int, step: int) -> None:
        from zoo_core.checkpoints import Position, save_checkpoint

        self._own.random = random_arrays()
        save_checkpoint(self.folder, Position(epoch, step), self.model, [*self._states, self._own])

    def _latest(self) -> Any:
        from zoo_core.checkpoints import latest_checkpoint
        from zoo_core.errors import RecipeError

        if not self.folder.is_dir():
            return None
        try:
            return latest_checkpoint(self.folder)
        except RecipeError as error:
            raise self._unfit(error.message) from None

    def _restore(self) -> None:
        """Give the model, its optimizer and the callbacks the state of the backup."""
        from zoo_core.checkpoints import restore
        from zoo_core.errors import RecipeError

        model, states = self.model, [*self._states, self._own]
        if not model.built:
            raise self._unfit("the model is not built, so that it cannot take over the backup's weights")
        if model.optimizer is not None and not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        found = self._checkpoint.callbacks.get(str(len(self._states)), {}).get("callbacks")
        if found != self._own.names:
            raise self._unfit(f"it was made with the callbacks {found}, not {self._own.names}")
        try:
            restore(self._checkpoint, model, states)
        except RecipeError as error:
            raise self._unfit(error.message) from None

    def _begin_again(self, epoch: int, logs: Any) -> None:
        """Begin the first epoch after an interruption; inside one, read what has been trained on."""
        self._own.write_history(self._model)
        # At the end of an epoch these are as they were then, inside one as they were after its beginning.
        set_random_arrays(self._own.epoch_random)
        self._call("on_epoch_begin", epoch, logs)
        if not self._checkpoint.position.step:
            self._checkpoint = None
            return
        set_random_arrays(self._own.epoch_random)
        self._model.train_function = reading_step(self._model, self._own.logs)

    def _end_reading(self) -> None:
        from zoo_core.checkpoints import restore_metrics

        self._model.train_function = training_step(self._model)
        self._restore()
        restore_metrics(self._checkpoint, self.model)
        keep_assigned(self._model)
        set_random_arrays(self._own.random)
        self._checkpoint = None

    def _unfit(self, reason: str) -> Exception:
        from zoo_core.errors import RecipeError

        return RecipeError(
            f"Resume cannot go on from {self.folder}: {reason}",
            "go on with the script that began it, or give Resume another folder",
        )
