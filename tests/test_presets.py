"""A preset's folder: nothing in it is believed that its recorded sizes and hashes do not cover."""

from __future__ import annotations

import json
import os
from dataclasses import replace

import numpy as np
import pytest

from zoo_core import safetensors_file
from zoo_core.config import Config
from zoo_core.errors import IntegrityError, PresetError
from zoo_core.presets import PresetFolder, write_preset
from zoo_core.records import File

TENSORS = {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}
CONFIG = Config("toy/net", {"units": 3})


@pytest.fixture
def folder(tmp_path):
    write_preset(tmp_path / "preset", CONFIG, TENSORS, {"seed": 7})
    return PresetFolder(tmp_path / "preset", fix="zoo pull toy")


def test_a_preset_comes_back_as_written(folder):
    assert folder.config() == CONFIG
    np.testing.assert_array_equal(
        safetensors_file.read(folder.path / "model.safetensors")[0]["kernel"], TENSORS["kernel"]
    )
    assert folder.run()["seed"] == 7
    assert folder.run()["model"] == "toy/net"
    assert sorted(os.listdir(folder.path)) == ["config.json", "model.safetensors", "run.json"]


def test_the_run_record_knows_every_file(folder):
    files = folder.files()
    assert [file.name for file in files] == ["config.json", "model.safetensors"]
    assert folder.is_complete(files)
    folder.verify(files)
    contents = folder.contents(files)
    assert all(contents[file.name] == (folder.path / file.name).read_bytes() for file in files)


def test_writing_twice_gives_the_same_files(folder, tmp_path):
    assert write_preset(tmp_path / "again", CONFIG, TENSORS) == folder.files()


@pytest.mark.parametrize("check", ["verify", "contents"])
@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
class TestDamage:
    """Every way in which a file may differ from its record is an error that names file, expected, found and remedy."""

    def refused(self, folder, check, file, *words):
        files = [replace(file, name=other.name) if other.name == file.name else other for other in folder.files()]
        with pytest.raises(IntegrityError) as caught:
            getattr(folder, check)(files)
        for word in (str(folder.path / file.name), "expected", "found", "zoo pull toy", *words):
            assert word in str(caught.value)

    def test_a_flipped_bit(self, folder, name, check):
        file = next(file for file in folder.files() if file.name == name)
        content = bytearray((folder.path / name).read_bytes())
        content[-1] ^= 1
        (folder.path / name).write_bytes(content)
        assert folder.is_complete([file])
        self.refused(folder, check, file, "sha256", file.sha256)

    def test_a_truncated_file(self, folder, name, check):
        file = next(file for file in folder.files() if file.name == name)
        os.truncate(folder.path / name, file.size - 1)
        assert not folder.is_complete([file])
        self.refused(folder, check, file, f"expected {file.size} bytes", f"found {file.size - 1}")

    def test_a_missing_file(self, folder, name, check):
        file = next(file for file in folder.files() if file.name == name)
        (folder.path / name).unlink()
        assert not folder.is_complete([file])
        self.refused(folder, check, file, "No such file")

    def test_a_folder_or_a_pipe_instead_of_a_file(self, folder, name, check):
        file = next(file for file in folder.files() if file.name == name)
        (folder.path / name).unlink()
        os.mkfifo(folder.path / name)
        self.refused(folder, check, file, "something else")


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "..", "a/b", "a\\b", "", "x\n", "\x1b[31m"])
def test_a_file_name_that_leaves_the_folder_is_refused(folder, name):
    (folder.path.parent / "outside").write_bytes(b"secret")
    for check in (folder.verify, folder.contents):
        with pytest.raises(IntegrityError, match="expected a name of a file within the folder"):
            check([File(name, 6, "0" * 64)])
    assert not folder.is_complete([File(name, 6, "0" * 64)])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "no size and sha256"),
        ([], "no size and sha256"),
        ({"config.json": {"size": 1, "sha256": "0"}}, "no size and sha256"),
        ({"config.json": 1, "model.safetensors": 1}, "should have a size and a sha256"),
        ({"config.json": {"size": -1, "sha256": "0"}, "model.safetensors": 1}, "malformed size"),
        ({"config.json": {"size": True, "sha256": "0"}, "model.safetensors": 1}, "malformed size"),
    ],
)
def test_a_run_record_without_proper_hashes_is_refused(folder, files, message):
    (folder.path / "run.json").write_text(json.dumps({"schema": 1, "files": files}))
    with pytest.raises(PresetError, match=message):
        folder.files()


def test_a_folder_that_is_no_preset_is_refused(tmp_path):
    with pytest.raises(PresetError, match="no preset: there is no config.json"):
        PresetFolder(tmp_path).config()
    with pytest.raises(PresetError, match="absent does not exist"):
        PresetFolder(tmp_path / "absent").files()


def test_an_oversized_record_is_not_read(folder):
    (folder.path / "run.json").write_bytes(b" " * 1_000_001)
    with pytest.raises(PresetError, match="larger than 1000000 bytes"):
        folder.run()


def test_a_crash_between_two_files_is_found(folder, monkeypatch):
    """New weights beside an old record do not pass for anything."""
    monkeypatch.setattr("zoo_core.presets.render_config", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_preset(folder.path, CONFIG, {"kernel": TENSORS["kernel"] + 1})
    assert sorted(os.listdir(folder.path)) == ["config.json", "model.safetensors", "run.json"]
    with pytest.raises(IntegrityError, match="sha256"):
        folder.verify(folder.files())
