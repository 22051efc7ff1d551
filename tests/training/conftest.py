"""A plugin with a model of a few weights and its recipe, and data to train it on in a fraction of a second."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PLUGIN = """
from zoo_core import hookimpl

@hookimpl
def register_models(register):
    register("cat", "zoo_pets.cats:Cat", recipe="zoo_pets.cats:CatRecipe", task="classification")
    register("stray", "zoo_pets.cats:Cat", task="classification")
"""

MANIFEST = """\
schema = 1
plugin = "pets"

[[models]]
name = "cat"
target = "zoo_pets.cats:Cat"
task = "classification"
recipe = "zoo_pets.cats:CatRecipe"

[[models]]
name = "stray"
target = "zoo_pets.cats:Cat"
task = "classification"
"""

CATS = '''
from dataclasses import dataclass

import keras
import numpy as np

from zoo_core.recipes import Recipe


class Cat(keras.Model):
    """Tells whether an image is dark or bright."""

    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.convolution = keras.layers.Conv2D(units, 3, padding="same", activation="relu")
        self.dropout = keras.layers.Dropout(0.3, seed=1)
        self.flatten = keras.layers.Flatten()
        self.head = keras.layers.Dense(2)
        self.convolution.build((None, 4, 4, 1))
        self.head.build((None, 16 * units))
        self.built = True

    def call(self, images, training=False):
        hidden = self.convolution(keras.ops.cast(images, "float32") / 255)
        return self.head(self.flatten(self.dropout(hidden, training=training)))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@dataclass(frozen=True, kw_only=True)
class CatRecipe(Recipe):
    """How a cat learns."""

    data: str = ""
    epochs: int = 2
    batch_size: int = 8
    units: int = 4
    learning_rate: float = 0.01

    def inputs(self, data):
        return data.train, data.train_labels

    def arguments(self, data):
        return {"units": self.units}

    def compile(self, model, steps):
        schedule = keras.optimizers.schedules.CosineDecay(self.learning_rate, steps)
        model.compile(
            keras.optimizers.Adam(schedule, use_ema=True, ema_momentum=0.9),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )

    def sample(self, model, folder, epoch):
        (folder / f"epoch-{epoch}.txt").write_text("purr")

    def evaluate(self, model, data, seed, limit=None):
        answers = np.argmax(model.predict(data.test, verbose=0), axis=1)
        right = (answers == data.test_labels).astype(float)
        return {
            "accuracy": float(right.mean()),
            "accuracy_standard_error": float(right.std() / len(right) ** 0.5),
            "seed_seen": float(seed),
        }

    def baselines(self, data):
        return {"accuracy_of_the_commoner_class": float(max(data.test_labels.mean(), 1 - data.test_labels.mean()))}
'''


@pytest.fixture
def pets(only_fake_plugins: Any) -> Any:
    """The plugin `pets`, installed; gives its module zoo_pets.cats."""
    from importlib import import_module

    only_fake_plugins.add("pets", plugin=PLUGIN, manifest=MANIFEST)
    only_fake_plugins.write("zoo_pets/cats.py", CATS)
    return import_module("zoo_pets.cats")


def _images(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    labels = random.integers(0, 2, count)
    brightness = np.where(labels, 160, 90)[:, None, None]
    return (brightness + random.integers(-80, 80, (count, 4, 4))).astype("uint8"), labels.astype("uint8")


@pytest.fixture
def make_data(tmp_path: Path) -> Callable[..., Path]:
    """Writes an npz file of 44 dark and bright training images and 20 test images."""

    def make(name: str = "lights.npz", seed: int = 0) -> Path:
        (x_train, y_train), (x_test, y_test) = _images(44, seed), _images(20, seed + 1)
        path = tmp_path / name
        np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
        return path

    return make


@pytest.fixture
def train_cat(pets: Any, make_data: Callable[..., Path], tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Trains `pets/cat` in silence into a folder below tmp_path, with settings, and arguments as `train` has them."""
    from zoo_core.training import train

    data = make_data()
    names = {"data", "init", "resume", "minutes", "checkpoint_minutes", "progress"}

    def run(folder: str, **options: Any) -> dict[str, Any]:
        arguments = {"data": data, "progress": "none", **{key: options.pop(key) for key in names & options.keys()}}
        return train("pets/cat", settings=options, out=tmp_path / folder, **arguments)

    return run
