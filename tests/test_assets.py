"""Texts beside the weights: kept with a preset, given back when it is loaded, and refused where they do not belong."""

from __future__ import annotations

import json

import pytest

from tests.test_loading import toy  # noqa: F401  # the plugin with a model that knows words
from zoo_core.errors import IntegrityError, PresetError
from zoo_core.loading import load, load_weights, save
from zoo_core.presets import PresetFolder, describe, write_run

pytestmark = pytest.mark.backend

WORDS = ("水", "fire")


@pytest.fixture
def reader(toy):  # noqa: F811
    model = toy.Reader(2)
    model.words = WORDS
    return model


def record_anew(folder):
    names = [file.name for file in PresetFolder(folder).files()]
    write_run(folder, json.loads((folder / "run.json").read_text()), [describe(folder / name) for name in names])


def test_a_vocabulary_comes_back_with_the_model(reader, tmp_path):
    files = save(reader, tmp_path / "preset")
    assert {file.name for file in files} == {"config.json", "model.safetensors", "vocab.txt"}
    assert (tmp_path / "preset" / "vocab.txt").read_text("utf-8") == "水\nfire"
    assert load(tmp_path / "preset").words == WORDS
    assert load(tmp_path / "preset", weights=False).words == WORDS


def test_a_changed_vocabulary_is_noticed_before_it_is_used(reader, tmp_path):
    save(reader, tmp_path / "preset")
    (tmp_path / "preset" / "vocab.txt").write_text("火\nfire", "utf-8")
    with pytest.raises(IntegrityError, match=r"vocab\.txt: expected sha256"):
        load(tmp_path / "preset")


def test_what_the_model_refuses_is_an_error_that_names_the_file(reader, tmp_path):
    save(reader, tmp_path / "preset")
    (tmp_path / "preset" / "vocab.txt").write_text("one", "utf-8")
    record_anew(tmp_path / "preset")
    with pytest.raises(PresetError, match=r"vocab\.txt: Reader refuses it: vocab\.txt has 1 words instead of 2"):
        load(tmp_path / "preset")


def test_what_is_no_text_is_refused(reader, tmp_path):
    save(reader, tmp_path / "preset")
    (tmp_path / "preset" / "vocab.txt").write_bytes(b"\xff\xfe")
    record_anew(tmp_path / "preset")
    with pytest.raises(PresetError, match=r"vocab\.txt: not a text in UTF-8"):
        load(tmp_path / "preset")


def test_weights_of_another_vocabulary_are_refused(reader, toy, tmp_path):  # noqa: F811
    save(reader, tmp_path / "preset")
    other = toy.Reader(2)
    other.words = ("水", "air")
    with pytest.raises(PresetError, match="weights would mean something else"):
        load_weights(other, tmp_path / "preset")
    other.words = WORDS
    load_weights(other, tmp_path / "preset")


def test_a_model_that_wants_no_texts_leaves_them_alone(toy, tmp_path):  # noqa: F811
    save(toy.Net(2), tmp_path / "preset")
    (tmp_path / "preset" / "notes.bin").write_bytes(b"\xff")
    record = json.loads((tmp_path / "preset" / "run.json").read_text())
    files = [*PresetFolder(tmp_path / "preset").files(), describe(tmp_path / "preset" / "notes.bin")]
    write_run(tmp_path / "preset", record, files)
    load(tmp_path / "preset")


@pytest.mark.parametrize(
    ("assets", "message"),
    [
        ({"../vocab.txt": ""}, "no room for"),
        ({"config.json": ""}, "no room for 'config.json'"),
        ({"vocab.txt": b""}, "vocab.txt is bytes, not a text"),
        ({"vocab.txt": "\ud800"}, "no text in UTF-8"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(reader, tmp_path, assets, message):
    reader.assets = lambda: assets
    with pytest.raises(PresetError, match=message):
        save(reader, tmp_path / "preset")
    assert not (tmp_path / "preset").exists()
