"""Loading and saving: what comes back is what was saved, and whatever does not fit is refused before it is used."""

from __future__ import annotations

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from zoo_core import manifest as manifests
from zoo_core.config import Config
from zoo_core.errors import IntegrityError, NameNotFoundError, NotInstalledError, PresetError, WeightsError
from zoo_core.loading import load, load_weights, save
from zoo_core.manifest import Manifest, Model, Preset
from zoo_core.presets import PresetFolder, describe, write_preset
from zoo_core.tensors import tensor_arrays

pytestmark = pytest.mark.backend

PLUGIN = """
from zoo_core import hookimpl

@hookimpl
def register_models(register):
    register("net", "zoo_toy.nets:Net", task="testing", default="first")
    register("other", "zoo_toy.nets:Other", task="testing")
    register("late", "zoo_toy.nets:Late", task="testing")
    register("reader", "zoo_toy.nets:Reader", task="testing")
"""

NETS = '''
import keras


class Net(keras.Model):
    """A stack of dense layers, built by the constructor."""

    argument_limits = {"units": (1, 2**30), "rate": (0.0, 1.0)}

    def __init__(self, inputs, units=(3,), rate=0.5, **kwargs):
        super().__init__(**kwargs)
        self.inputs_, self.units, self.rate = inputs, units, rate
        self.hidden = [keras.layers.Dense(width) for width in units]
        self.dropout = keras.layers.Dropout(rate, seed=3)
        for layer in self.hidden:
            layer.build((None, inputs))
            inputs = layer.units
        self.scale = self.add_weight(shape=(), initializer="ones", trainable=False)
        self.scale.assign(5.0)
        self.built = True

    @classmethod
    def check_arguments(cls, arguments):
        if len(arguments.get("units", ())) > 3:
            raise ValueError("at most three layers")

    def call(self, x):
        for layer in self.hidden:
            x = self.dropout(layer(x))
        return x * self.scale

    def get_config(self):
        return {**super().get_config(), "inputs": self.inputs_, "units": self.units, "rate": self.rate}


class Other(Net):
    """Another model of the same shape."""


class Late(keras.Model):
    """A model whose variables are created when it is called."""

    def __init__(self, units):
        super().__init__()
        self.units = units
        self.dense = keras.layers.Dense(units)

    def build_for_loading(self):
        self(keras.KerasTensor((1, 2)))

    def call(self, x):
        return self.dense(x)

    def get_config(self):
        return {"units": self.units}


class Reader(Net):
    """A model that knows words."""

    words = ()

    def assets(self):
        return {"vocab.txt": "\\n".join(self.words)} if self.words else {}

    def set_assets(self, contents):
        words = tuple(contents["vocab.txt"].split("\\n"))
        if len(words) != self.inputs_:
            raise ValueError(f"vocab.txt has {len(words)} words instead of {self.inputs_}")
        self.words = words
'''


@pytest.fixture
def toy(only_fake_plugins):
    """The plugin `toy`, with a bundled preset of its model `net`; gives its module of models."""
    package = only_fake_plugins.add("toy", plugin=PLUGIN, manifest=None)
    only_fake_plugins.write("zoo_toy/nets.py", NETS)
    from zoo_toy import nets

    net = nets.Net(2, (4, 3))
    files = save(net, package / "presets" / "net-first", reference="toy/net")
    models = tuple(
        Model(name, f"zoo_toy.nets:{name.title()}", "testing") for name in ("net", "other", "late", "reader")
    )
    preset = Preset("net", "first", "MIT", net.count_params(), files=files, folder="presets/net-first")
    text = manifests.render(Manifest("toy", models=models, presets=(preset,)))
    only_fake_plugins.write("zoo_toy/zoo-plugin.toml", text)
    return nets


@pytest.fixture
def folder(toy, tmp_path):
    """A preset's folder with a trained `net`, free to be changed."""
    save(toy.Net(2, (4, 3)), tmp_path / "preset")
    return tmp_path / "preset"


def assert_same_weights(model, expected):
    arrays = tensor_arrays(model)
    assert arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(arrays[name], array)


def rewrite(folder, arguments=None, changes=None, reference="toy/net", **more):
    """Write the preset anew, with right hashes, but with other arguments or tensors (None: without)."""
    from zoo_core import safetensors_file

    tensors = safetensors_file.read(folder / "model.safetensors")[0]
    kept = {name: array for name, array in {**tensors, **(changes or {})}.items() if array is not None}
    write_preset(folder, Config(reference, arguments or {"inputs": 2, "units": [4, 3]}, **more), kept)


def test_a_saved_model_is_loaded_by_its_path(toy, tmp_path):
    model = toy.Net(2, (4, 3), rate=0.25)
    save(model, tmp_path / "mine")
    for path in (tmp_path / "mine", str(tmp_path / "mine")):
        loaded = load(path)
        assert type(loaded) is toy.Net
        assert (loaded.units, loaded.rate) == ([4, 3], 0.25)
        assert_same_weights(loaded, tensor_arrays(model))
        x = np.ones((2, 2), np.float32)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(loaded(x)), keras.ops.convert_to_numpy(model(x)))


def test_a_bundled_preset_is_loaded_by_its_name(toy):
    expected = tensor_arrays(load(Path(toy.__file__).parent / "presets" / "net-first"))
    for name in ("net", "toy/net", "net:first", "toy/net:first"):
        assert_same_weights(load(name), expected)


def test_without_weights_the_model_is_as_newly_made(toy):
    model, trained = load("net", weights=False), load("net")
    assert model.units == [4, 3]
    assert (tensor_arrays(model)["hidden/0/kernel"] != tensor_arrays(trained)["hidden/0/kernel"]).any()
    assert float(model.scale) == 5.0


def test_a_loaded_model_trains(toy):
    model = load("net")
    model.compile("sgd", "mse")
    before = tensor_arrays(model)
    model.fit(np.ones((4, 2)), np.zeros((4, 3)), verbose=0)
    assert (tensor_arrays(model)["hidden/1/bias"] != before["hidden/1/bias"]).any()


def test_a_model_that_is_built_by_calling_it_is_loaded(toy, tmp_path):
    model = toy.Late(3)
    model.build_for_loading()
    save(model, tmp_path / "late")
    assert_same_weights(load(tmp_path / "late"), tensor_arrays(model))


def test_an_existing_model_is_given_a_presets_weights(toy, folder):
    model = toy.Net(2, (4, 3))
    load_weights(model, folder)
    assert_same_weights(model, tensor_arrays(load(folder)))


def test_weights_that_do_not_fit_leave_an_existing_model_alone(toy, folder):
    model = toy.Net(2, (4, 5))
    before = tensor_arrays(model)
    with pytest.raises(WeightsError, match=r"hidden/1/bias': expected float32 of shape \(5,\)"):
        load_weights(model, folder)
    assert_same_weights(model, before)


def test_float16_storage_takes_half_the_room_and_gives_float32(toy, tmp_path):
    model = toy.Net(2, (4, 3))
    full, half = save(model, tmp_path / "full"), save(model, tmp_path / "half", storage="float16")
    assert half[1].size < full[1].size
    rounded = {name: array.astype("float16").astype("float32") for name, array in tensor_arrays(model).items()}
    assert_same_weights(load(tmp_path / "half"), rounded)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_flipped_bit_is_refused(folder, file):
    content = bytearray((folder / file).read_bytes())
    content[-2] ^= 4
    (folder / file).write_bytes(content)
    with pytest.raises(IntegrityError, match=f"{file}: expected sha256 [0-9a-f]{{64}}, found [0-9a-f]{{64}}"):
        load(folder)


def test_a_truncated_file_is_refused(folder):
    size = (folder / "model.safetensors").stat().st_size
    os.truncate(folder / "model.safetensors", size - 4)
    with pytest.raises(IntegrityError, match=f"model.safetensors: expected {size} bytes, found {size - 4}"):
        load(folder)


def test_a_file_name_that_leaves_the_folder_is_refused(folder):
    record = json.loads((folder / "run.json").read_text())
    record["files"]["../secret"] = {"size": 1, "sha256": "0" * 64}
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(IntegrityError, match=r"\.\./secret: expected a name of a file within the folder"):
        load(folder)


def test_a_damaged_bundled_preset_names_the_remedy(toy):
    path = Path(toy.__file__).parent / "presets" / "net-first" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    with pytest.raises(IntegrityError, match="zoo uninstall toy, then zoo pull toy --yes"):
        load("net")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"inputs": 2, "unit": [4, 3]}, "Net has no argument 'unit', did you mean 'units'"),
        ({"inputs": 2, "kwargs": {}}, "Net has no argument 'kwargs'"),
        ({"inputs": 2, "name": "x"}, "Net has no argument 'name'"),
        ({"units": [4, 3]}, "Net needs the argument 'inputs'"),
        ({"inputs": 2, "units": [4, 0]}, "units: expected 1 to 1073741824, found 0"),
        ({"inputs": 2, "units": [4, 2000000000]}, "units: expected 1 to 1073741824, found 2000000000"),
        ({"inputs": 2, "rate": -0.1}, "rate: expected 0.0 to 1.0, found -0.1"),
        ({"inputs": 2, "units": [1, 1, 1, 1]}, "Net cannot be built from these arguments: at most three layers"),
        ({"inputs": "two"}, "Net cannot be built from these arguments: .*two"),
        ({"inputs": None}, "Net cannot be built from these arguments"),
        ({"inputs": 10**12}, "1000000000000 is out of range"),
    ],
)
def test_arguments_that_do_not_fit_the_constructor_are_refused(folder, arguments, message):
    rewrite(folder, arguments)
    with pytest.raises(PresetError, match=message) as caught:
        load(folder)
    assert str(caught.value).startswith(str(folder / "config.json"))


@pytest.mark.parametrize("weights", [True, False])
def test_a_huge_model_is_refused_before_memory_is_taken(toy, folder, weights):
    """10**9 inputs times 10**9 filters, four exabytes: nothing is allocated, here or by what Keras does next."""
    rewrite(folder, {"inputs": 10**9, "units": [10**9, 3]})
    with pytest.raises(WeightsError, match=r"hidden/0/bias': expected float32 of shape \(1000000000,\)"):
        load(folder, weights=weights)
    keras.Sequential([keras.layers.Dense(1)]).build((None, 1))
    toy.Net(2, (4, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden/0/bias": None}, "1 tensor missing: 'hidden/0/bias'"),
        ({"hidden/2/bias": np.zeros(3, np.float32)}, "1 tensor left over: 'hidden/2/bias'"),
        (
            {"hidden/0/bias": np.zeros(3, np.float32)},
            r"expected float32 of shape \(4,\), found float32 of shape \(3,\)",
        ),
        (
            {"hidden/0/bias": np.zeros(4, np.float64)},
            r"expected float32 of shape \(4,\), found float64 of shape \(4,\)",
        ),
        (
            {"hidden/0/bias": np.zeros(4, np.float16)},
            r"expected float32 of shape \(4,\), found float16 of shape \(4,\)",
        ),
        ({"hidden/0/bias": np.full(4, np.nan, np.float32)}, "'hidden/0/bias': expected finite numbers, found 4 NaN"),
        ({"hidden/0/bias": np.array([0, 1, -np.inf, 2], np.float32)}, "found 1 NaN or infinite"),
    ],
)
def test_tensors_that_do_not_fit_the_model_are_refused(folder, changes, message):
    rewrite(folder, changes=changes)
    with pytest.raises(WeightsError, match=message) as caught:
        load(folder)
    assert str(caught.value).startswith(str(folder / "model.safetensors"))


def test_a_malformed_header_is_refused_even_with_the_right_hash(folder):
    (folder / "model.safetensors").write_bytes(b"\xff" * 100)
    record = json.loads((folder / "run.json").read_text())
    file = describe(folder / "model.safetensors")
    record["files"][file.name] = {"size": file.size, "sha256": file.sha256}
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(WeightsError, match="not a safetensors file as it should be"):
        load(folder)


def test_a_preset_of_another_model_is_refused_under_this_name(toy):
    preset = Path(toy.__file__).parent / "presets" / "net-first"
    manifest = Path(toy.__file__).parent / "zoo-plugin.toml"
    rewrite(preset, reference="toy/other")
    text = manifest.read_text()
    for file, recorded in zip(PresetFolder(preset).files(), manifests.parse(text, "").presets[0].files, strict=True):
        text = text.replace(recorded.sha256, file.sha256).replace(f"size = {recorded.size}", f"size = {file.size}")
    manifest.write_text(text)
    with pytest.raises(PresetError, match="model: expected toy/net, found toy/other"):
        load("net")


def test_a_preset_whose_plugin_is_missing_says_so(folder):
    rewrite(folder, reference="absent/net")
    with pytest.raises(NameNotFoundError, match="absent"):
        load(folder)


def test_a_plugin_that_is_only_known_is_not_installed_by_loading(toy, only_fake_plugins):
    entry = "\n".join(
        [
            "schema = 1",
            "[[plugins]]",
            'plugin = "far"\ndistribution = "zoo-far"\nversion = "1.0"\nsummary = ""\nrequires-core = ">=0.1"',
            'source = { path = "plugins/far" }\nschema = 1\nhookspec = 1',
            '[[plugins.models]]\nname = "far"\ntarget = "zoo_far.nets:Far"\ntask = "testing"',
        ]
    )
    only_fake_plugins.write("../registry.toml", entry + "\n")
    with pytest.raises(NotInstalledError, match="zoo pull far"):
        load("far")


def test_a_model_without_trained_weights_says_so(toy):
    with pytest.raises(NameNotFoundError, match="toy/late has no trained weights yet"):
        load("late")


def test_a_model_that_no_plugin_registers_is_not_saved_without_a_reference(toy, tmp_path):
    class Foreign(keras.Model):
        def get_config(self):
            return {}

    with pytest.raises(PresetError, match="Foreign is not a registered model"):
        save(Foreign(), tmp_path / "preset")
    assert not (tmp_path / "preset").exists()


def test_a_model_that_could_not_be_built_again_is_not_saved(toy, tmp_path):
    model = toy.Net(2, (4, 3))
    model.rate = np.float32(0.5)
    with pytest.raises(PresetError, match=r"Net\.get_config\(\): no plain JSON"):
        save(model, tmp_path / "preset")
    model.rate = 7.0
    with pytest.raises(PresetError, match=r"Net\.get_config\(\): rate: expected 0.0 to 1.0"):
        save(model, tmp_path / "preset")


def test_a_folder_that_cannot_be_written_is_an_error(toy, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PresetError, match="file/preset: cannot be written: Not a directory"):
        save(toy.Net(2, (4, 3)), tmp_path / "file" / "preset")


@pytest.mark.parametrize(("value", "storage"), [(np.nan, "float32"), (70_000.0, "float16")])
def test_weights_that_are_not_finite_are_not_saved(toy, tmp_path, value, storage):
    model = toy.Net(2, (4, 3))
    model.scale.assign(value)
    with pytest.raises(WeightsError, match="'scale': expected finite numbers"):
        save(model, tmp_path / "preset", storage=storage)
    assert not (tmp_path / "preset").exists()
