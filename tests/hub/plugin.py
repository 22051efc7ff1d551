"""A plugin with a model of three weights that draws a picture, for tests that publish and pull it."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

PLUGIN = """
from zoo_core import hookimpl

@hookimpl
def register_models(register):
    register("dot", "zoo_dots.dots:Dot", recipe="zoo_dots.dots:DotRecipe", task="image-generation",
             summary="A dot: the smallest picture", paper="arXiv:0000.00001", default="first")
"""

MANIFEST = """\
schema = 1
plugin = "dots"

[[models]]
name = "dot"
target = "zoo_dots.dots:Dot"
task = "image-generation"
summary = "A dot: the smallest picture"
recipe = "zoo_dots.dots:DotRecipe"
paper = "arXiv:0000.00001"
default = "first"
"""

DOTS = '''
from dataclasses import dataclass

import keras

from zoo_core.recipes import Recipe


class Dot(keras.Model):
    """A dot: the smallest picture."""

    def __init__(self, units=1, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = keras.layers.Dense(units)
        self.dense.build((None, 2))
        self.built = True

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@dataclass(frozen=True, kw_only=True)
class DotRecipe(Recipe):
    """How a dot learns."""

    data: str = ""
    epochs: int = 1
    batch_size: int = 8

    def inputs(self, data):
        return data.train, data.train_labels

    def arguments(self, data):
        return {"units": 1}

    def compile(self, model, steps):
        model.compile(keras.optimizers.SGD(0.01), "mse")

    def sample(self, model, folder, epoch):
        kernel = keras.ops.convert_to_numpy(model.dense.kernel)
        (folder / f"{epoch:04d}.png").write_bytes(b"\\x89PNG\\r\\n\\x1a\\n" + kernel.tobytes())

    def evaluate(self, model, data, seed, limit=None):
        return {"loss": 0.25, "loss_standard_error": 0.125}
'''

RUN: dict[str, Any] = {
    "variant": "first",
    "license": "Apache-2.0",
    "recipe": "zoo_dots.dots:DotRecipe",
    "settings": {"data": "dots", "epochs": 1, "batch_size": 8},
    "data": {"name": "dots", "sha256": "0" * 64, "license": "CC0-1.0", "splits": {"train": 44, "test": 20}},
    "parameters": 3,
    "evaluation": {
        "split": "test",
        "examples": 20,
        "seed": 0,
        "metrics": {"loss": 0.25, "loss_standard_error": 0.125},
        "baselines": {"loss_of_nothing": 1.0},
    },
}


def install(plugins: Any) -> Any:
    """Install the plugin `dots` among these fake plugins; gives its module zoo_dots.dots."""
    plugins.add("dots", plugin=PLUGIN, manifest=MANIFEST)
    plugins.write("zoo_dots/dots.py", DOTS)
    return import_module("zoo_dots.dots")


def save_dot(module: Any, folder: Path, **run: Any) -> Path:
    """Write a preset of the model, with weights that are always the same, into a folder; the record is RUN."""
    from zoo_core import save

    model = module.Dot()
    model.dense.kernel.assign([[0.5], [-1.5]])
    model.dense.bias.assign([0.25])
    save(model, folder, {**RUN, **run}, reference="dots/dot")
    return folder


def change_json(path: Path, **values: Any) -> None:
    """Set keys of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
