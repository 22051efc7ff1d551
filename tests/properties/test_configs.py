"""config.json, run.json and hub.json by strangers: plain JSON within bounds, or refused by one error."""

from __future__ import annotations

import inspect
import math
from typing import ClassVar

import pytest
from hypothesis import given

from tests.properties import bases, hostile
from tests.properties.profiles import examples
from tests.properties.shown import assert_shown_safely
from tests.properties.watch import attempt
from zoo_core import published
from zoo_core.config import Config, parse_config, render_config
from zoo_core.construction import check_arguments
from zoo_core.errors import PresetError
from zoo_core.files import render_json
from zoo_core.names import is_item_name
from zoo_core.presets import RUN_FILE, PresetFolder
from zoo_core.published import HUB_FILE
from zoo_core.runs import read_record

PIECES = hostile.encoded(
    (
        *hostile.TEXTS,
        *('"schema": 1,', '"arguments": {}', "NaN", "-Infinity", "1e999", "-1e999", "9" * 400, "9" * 5000, "1e-999"),
        *("[" * 20, "[" * 3000, '{"a":' * 3000, "]", "}", ",", ":", '"\\ud800"', '"\\u001b[31m"', "\\u0000", "\ufeff"),
        *("true", "1.0", "01", "0x10", "'", "/*", "//", '"model": "glow/../x"', '"a": 1, "a": 2'),
    )
)
NULL = {"schema": 1, "model": "glow/glow", "evaluation": None, "initial": None}
RUNS = (bases.RUN, {**bases.RUN, **NULL})
HUB = {
    "schema": 1,
    "repo": "some-one/glow",
    "revision": bases.REVISION,
    "files": {name: {"size": 3, "sha256": bases.SHA256} for name in ("config.json", "model.safetensors", "run.json")},
}


class Net:
    """Takes what a model might; building one must not be needed to refuse what does not fit."""

    argument_limits: ClassVar = {"units": (1, 2**20), "bound": (0.0, 10.0), "steps": (1, 64), "image_shape": (1, 4096)}

    def __init__(self, units=1, levels=1, steps=(), bound=1.0, image_shape=(), coupling="", nested=None):
        raise AssertionError("it was built")

    @classmethod
    def check_arguments(cls, arguments):
        """Fails in ways that a plugin's own check may fail in."""
        if math.prod(arguments.get("image_shape", ())) > 2**24:
            raise ValueError("too large \x1b[31m")
        len(arguments.get("steps", ()))


def assert_config_is_safe(config: Config) -> None:
    assert parse_config(render_config(config).encode(), "again") == config
    assert config.model.isascii()
    assert type(config.schema) is int
    # What a model would be given is checked without building it, and says so in one line where it does not fit.
    attempt(PresetError, check_arguments, Net, config.arguments, "here/config.json")


@examples(deep=90_000)
@given(hostile.mutated(bases.CONFIGS))
def test_a_config_with_anything_in_any_place(table):
    config = attempt(PresetError, parse_config, bases.as_json(table), "here/config.json")
    if config is not None:
        assert_config_is_safe(config)


@examples(deep=70_000)
@given(hostile.spliced(tuple(map(bases.as_json, bases.CONFIGS)), PIECES))
def test_a_config_as_bytes_cut_and_pasted(content):
    config = attempt(PresetError, parse_config, content, "here/config.json")
    if config is not None:
        assert_config_is_safe(config)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("preset")


def _read(folder, name, content, function, *arguments):
    (folder / name).write_bytes(content)
    return attempt(PresetError, function, *arguments, folder=folder)


@examples(deep=60_000)
@given(hostile.mutated(RUNS))
def test_a_run_record_with_anything_in_any_place(folder, table):
    record = _read(folder, RUN_FILE, bases.as_json(table), read_record, folder)
    if record is not None:
        # What is under other keys is never looked at.
        assert_shown_safely({key: record[key] for key in record.keys() & bases.RUN.keys()})
        render_json(record).encode()


@examples(deep=40_000)
@given(hostile.spliced((bases.as_json(bases.RUN),), PIECES))
def test_the_files_that_a_run_record_names(folder, content):
    files = _read(folder, RUN_FILE, content, PresetFolder(folder).files)
    for file in files or ():
        assert is_item_name(file.name)
        assert 0 <= file.size <= 2**50


@examples(deep=40_000)
@given(hostile.mutated((HUB,)))
def test_where_a_preset_was_published_with_anything_in_any_place(folder, table):
    found = _read(folder, HUB_FILE, bases.as_json(table), published.read, folder)
    if found is not None:
        assert_shown_safely(found)
        published.write(folder, found)
        assert published.read(folder) == found


def test_the_class_that_stands_for_a_model_takes_the_valid_arguments():
    known = inspect.signature(Net).parameters
    assert set(bases.CONFIGS[1]["arguments"]) <= known.keys()
