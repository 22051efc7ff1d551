"""A training that is interrupted, as a script: `python resumed_training.py FOLDER SHUFFLE EPOCH BATCH` kills itself."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo_addons import SWA, BestByMetric, CyclicSchedule, HyperParameterSchedule, Resume, ShuffledBatches

EPOCHS = 8


class Killer(keras.callbacks.Callback):
    """Kills its own process, as the kernel would, before a batch of an epoch."""

    def __init__(self, epoch: int, batch: int) -> None:
        super().__init__()
        self.epoch, self.batch = epoch, batch
        self._current = -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._current = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if (self._current, batch) == (self.epoch, self.batch):
            os.kill(os.getpid(), signal.SIGKILL)


class Counter(keras.callbacks.Callback):
    """A callback of somebody's, which says nothing of its state."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0
        self.losses: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.losses.append(logs["loss"])


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.Generator(np.random.Philox(5))
    x, noise = rng.normal(size=(48, 4)), rng.normal(size=(48, 1))
    y = 3 * x[:, :1] * x[:, 1:2] + noise
    x, y = x.astype("float32"), y.astype("float32")
    return x[:38], y[:38], x[38:], y[38:]


def make_model() -> keras.Model:
    """Dropout and noise draw, BatchNorm and the metric remember, Adam has slots."""
    start = keras.initializers.GlorotUniform(seed=1)
    layers = [
        keras.layers.Dense(6, activation="tanh", kernel_initializer=start),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.2, seed=3),
        keras.layers.Dense(1, kernel_initializer=start),
    ]
    model = keras.Sequential([keras.Input((4,)), *layers])
    model.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"], jit_compile=False)
    return model


def make_callbacks(folder: Path) -> list[keras.callbacks.Callback]:
    """Our own and Keras', of which one has a best score from an early epoch."""
    x, *_ = data()
    return [
        BestByMetric(_size, mode="min", name="size", filepath=folder / "smallest.weights.h5"),
        HyperParameterSchedule("optimizer.learning_rate", CyclicSchedule(0.01, 0.05, 7), unit="batch"),
        keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=1, cooldown=1),
        keras.callbacks.ModelCheckpoint(
            folder / "best.weights.h5", "size", mode="min", save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.EarlyStopping("size", mode="min", patience=EPOCHS, restore_best_weights=True),
        keras.callbacks.CSVLogger(folder / "log.csv"),
        SWA(start_epoch=2, data=x),
        Counter(),
    ]


def _size(model: keras.Model) -> float:
    """Grows as the weights do, so that an early epoch has the best score."""
    return float(np.square(model.get_weights()[0]).sum())


def train(
    folder: Path, shuffle: str, killer: Killer | None = None, save_freq: Any = "epoch"
) -> tuple[keras.Model, list[keras.callbacks.Callback]]:
    """Train until killed, or to the end."""
    folder.mkdir(exist_ok=True)
    keras_seed()
    x, y, x_test, y_test = data()
    batches = ShuffledBatches(x, y, batch_size=8, seed=2)
    model, callbacks = make_model(), make_callbacks(folder)
    given = (batches,) if shuffle == "epoch" else (x, y)
    resume = Resume(
        folder / "backup",
        callbacks,
        data=batches if shuffle == "epoch" else None,
        save_freq=save_freq,
        delete_checkpoint=False,
    )
    model.fit(
        *given,
        batch_size=None if shuffle == "epoch" else 8,
        shuffle=shuffle == "arrays",
        epochs=EPOCHS,
        validation_data=(x_test, y_test),
        verbose=0,
        callbacks=[resume, *([killer] if killer else [])],
    )
    return model, callbacks


def keras_seed() -> None:
    """As a user would; a resumed run goes on with the generators of the backup."""
    from zoo_core import backend

    backend.set_random_seed(11)


if __name__ == "__main__":
    target, order, at_epoch, at_batch, frequency = sys.argv[1:]
    train(Path(target), order, Killer(int(at_epoch), int(at_batch)), int(frequency) or "epoch")
