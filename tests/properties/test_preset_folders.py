"""Presets' folders by strangers: links, devices, folders and names that lead elsewhere, and sizes of any size."""

from __future__ import annotations

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import hostile
from tests.properties.profiles import examples
from tests.properties.watch import attempt
from zoo_core.errors import IntegrityError
from zoo_core.presets import PresetFolder
from zoo_core.records import File

CONTENT = b"some weights"
RIGHT = (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
HELD = (
    "config.json",
    "model.safetensors",
    "inner-link",
    "folder",
    "pipe",
    "zeros",
    "dangling",
    "loop",
    "sparse",
    "con",
)
ELSEWHERE = ("../outside", "folder/../../outside", "./config.json", "folder/inside", "config.json/", "CONFIG.JSON")
NAMES = st.one_of(hostile.one_of((*HELD, *ELSEWHERE)), hostile.texts)
SIZES = hostile.one_of((RIGHT[0], RIGHT[0], RIGHT[0], 0, 1, 10**9, 2**45, 2**50))
SHAS = hostile.one_of((RIGHT[1], RIGHT[1], RIGHT[1].upper(), "", "0" * 64, "\x1b[31m", "é"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("presets")
    folder = root / "preset"
    (folder / "folder").mkdir(parents=True)
    for path in (root / "outside", folder / "config.json", folder / "model.safetensors", folder / "folder" / "inside"):
        path.write_bytes(CONTENT)
    (folder / "con").write_bytes(CONTENT)
    os.mkfifo(folder / "pipe")
    links = {"inner-link": "config.json", "zeros": "/dev/zero", "dangling": "nowhere", "loop": "loop"}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    with (folder / "sparse").open("wb") as file:
        file.truncate(2**42)
    return folder


@examples(deep=30_000)
@given(st.lists(st.builds(File, NAMES, SIZES, SHAS), max_size=2))
def test_only_files_within_the_folder_are_read_and_only_whole_ones_accepted(folder, files):
    preset = PresetFolder(folder)
    contents = attempt(IntegrityError, preset.contents, files, folder=folder)
    if contents is not None:
        assert {file.name for file in files} <= {"config.json", "model.safetensors", "inner-link"}
        assert all(value == CONTENT for value in contents.values())
    verified = attempt(IntegrityError, lambda: preset.verify(files) or True, folder=folder)
    assert bool(verified) == (contents is not None)
    assert attempt(IntegrityError, preset.is_complete, files, folder=folder) in (True, False)
