"""Presets by strangers, hashes in order, loaded for real: a model with the very weights, or one error and no memory."""

from __future__ import annotations

import resource

import keras
import numpy as np
import pytest
from hypothesis import given

from tests.properties import bases, hostile, watch
from tests.properties.profiles import examples
from tests.properties.test_safetensors import TENSOR_VALUES
from tests.test_loading import toy  # noqa: F401  (a fixture)
from zoo_core.errors import ZooError
from zoo_core.loading import load, save
from zoo_core.presets import CONFIG_FILE, WEIGHTS_FILE, PresetFolder, describe, write_run
from zoo_core.safetensors_file import parse_header
from zoo_core.tensors import tensor_arrays

pytestmark = pytest.mark.backend

CONFIGS = (
    {"schema": 1, "model": "toy/net", "arguments": {"inputs": 2, "units": [4, 3]}},
    {"schema": 1, "model": "toy/net", "arguments": {"inputs": 2, "units": [4, 10**9], "rate": 0.5}},
    {"schema": 1, "model": "toy/late", "arguments": {"units": 3}},
)
MOST_KILOBYTES = 300_000


@pytest.fixture
def preset(toy, tmp_path):  # noqa: F811
    """A preset's folder, its header as a table, and the bytes behind that."""
    folder = tmp_path / "preset"
    save(toy.Net(2, (4, 3)), folder)
    content = (folder / WEIGHTS_FILE).read_bytes()
    header = parse_header(content, "here")
    names = {"float32": "F32"}
    table = {
        name: {"dtype": names[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [tensor.start, tensor.stop]}
        for name, tensor in header.tensors.items()
    }
    return folder, table, content[header.size :]


def _load(folder, config, header, data):
    (folder / CONFIG_FILE).write_bytes(config)
    (folder / WEIGHTS_FILE).write_bytes(len(header).to_bytes(8, "little") + header + data)
    write_run(folder, {}, [describe(folder / CONFIG_FILE), describe(folder / WEIGHTS_FILE)])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        model = load(folder)
    except ZooError as error:
        watch.assert_error_is_shown_safely(error)
        return None
    finally:
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MOST_KILOBYTES
    assert isinstance(model, keras.Model)
    return model


@examples(deep=2_000, few=25)
@given(hostile.mutated(CONFIGS, most=2))
def test_a_preset_whose_config_says_anything(preset, config):
    folder, table, data = preset
    _load(folder, bases.as_json(config), bases.as_json(table), data)
    assert PresetFolder(folder).is_complete(PresetFolder(folder).files())


@pytest.fixture
def changed(preset):
    """Changes the header as somebody wants it, and loads that."""
    folder, table, data = preset
    config = bases.as_json(CONFIGS[0])
    return lambda change: _load(folder, config, bases.as_json(change(table)), data)


@examples(deep=1_000, few=25)
@given(hostile.mutated(({"0": {}},), most=2, replacing=TENSOR_VALUES), hostile.one_of(tuple(range(6))))
def test_a_preset_whose_header_says_anything(changed, extra, which):
    def change(table):
        names = sorted(table)
        name = names[which % len(names)]
        entry = {**table[name], **(extra.get("0") if isinstance(extra.get("0"), dict) else {})}
        return {**{key: table[key] for key in names}, name: entry, **{key: extra[key] for key in extra if key != "0"}}

    model = changed(change)
    if model is not None:
        for array in tensor_arrays(model).values():
            assert np.isfinite(array).all()
