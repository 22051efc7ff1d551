"""Weights that somebody published load by their place on the Hub, and only as their record says they are."""

from __future__ import annotations

import pytest

from zoo_core import manifest
from zoo_core.errors import NotInstalledError, UsageError
from zoo_core.manifest import Manifest, Model

pytestmark = pytest.mark.backend

NETS = '''
import keras


class Net(keras.Model):
    """A dense layer."""

    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = keras.layers.Dense(units)
        self.dense.build((None, 2))
        self.built = True

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}
'''

PLUGIN = """
from zoo_core import hookimpl

@hookimpl
def register_models(register):
    register("net", "zoo_toy.nets:Net", task="testing")
"""


def test_it_loads_and_only_by_its_revision(remote, only_fake_plugins, tmp_path):
    import numpy as np

    from zoo_core.loading import load, save

    package = only_fake_plugins.add("toy", plugin=PLUGIN)
    only_fake_plugins.write("zoo_toy/nets.py", NETS)
    models = (Model("net", "zoo_toy.nets:Net", "testing"),)
    (package / manifest.FILE_NAME).write_text(manifest.render(Manifest("toy", models=models)), encoding="utf-8")
    from zoo_toy.nets import Net

    model = Net(5)
    save(model, tmp_path / "preset", reference="toy/net")
    revision = remote.server.add_folder("toys/dense", tmp_path / "preset")
    loaded = load(f"hf://toys/dense@{revision}")
    x = np.ones((1, 2), "float32")
    np.testing.assert_array_equal(loaded(x), model(x))
    with pytest.raises(UsageError, match="names no revision"):
        load("hf://toys/dense")
    (package / manifest.FILE_NAME).write_text(manifest.render(Manifest("toy")), encoding="utf-8")
    with pytest.raises((NotInstalledError, LookupError)):
        load(f"hf://toys/dense@{revision}")
