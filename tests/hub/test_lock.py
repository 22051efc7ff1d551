"""`zoo freeze` on one machine and `zoo pull --from` on another: the same weights, from the Hub."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.hub.client import READER
from tests.hub.remote import contents
from zoo_core import lock, manifest
from zoo_core.cli import main
from zoo_core.config import Config
from zoo_core.manifest import Manifest, Model, Preset
from zoo_core.presets import RUN_FILE, describe, write_preset

REPO = "toys/tiny"


@pytest.fixture
def tiny(remote, only_fake_plugins, tmp_path):
    """The plugin `tiny` with a preset on the test Hub, and a later revision there that no plugin names."""
    import numpy as np

    folder = tmp_path / "preset"
    files = write_preset(folder, Config("tiny/tiny"), {"weights": np.arange(100, dtype="float32")})
    files = (*files, describe(folder / RUN_FILE))
    remote.revision = remote.server.add_folder(REPO, folder)
    preset = Preset("tiny", "far", "MIT", 100, files=files, repo=REPO, revision=remote.revision)
    package = only_fake_plugins.add("tiny")
    known = Manifest("tiny", models=(Model("tiny", "zoo_tiny.parts:Tiny", "testing"),), presets=(preset,))
    (package / manifest.FILE_NAME).write_text(manifest.render(known), encoding="utf-8")
    remote.environment.variables["PYTHONPATH"] += os.pathsep + str(only_fake_plugins.folder)
    remote.environment.variables["ZOO_REGISTRY"] = os.environ["ZOO_REGISTRY"]
    return folder


def test_another_machine_is_brought_to_the_same_weights(remote, tiny, tmp_path, monkeypatch):
    zoo, repository = remote.environment.zoo, "models--toys--tiny/snapshots"
    stranger = remote.server.add("people/net", {path.name: path for path in tiny.iterdir()})
    for name in ("tiny", f"hf://people/net@{stranger}"):
        done = zoo("pull", name, HF_TOKEN=READER)
        assert done.returncode == 0, done.stderr
    file = tmp_path / "zoo.lock"
    monkeypatch.setenv("HF_TOKEN", READER)
    assert main(["freeze", "--output", str(file)]) == 0
    monkeypatch.delenv("HF_TOKEN")
    assert not [secret for secret in (READER, str(tmp_path), remote.server.address) if secret in file.read_text()]
    mine, theirs = sorted(lock.read(file).presets, key=lambda preset: preset.repo, reverse=True)
    assert (mine.name, mine.repo, mine.revision) == ("tiny/tiny:far", REPO, remote.revision)
    assert (theirs.name, theirs.repo, theirs.revision) == (f"hf://people/net@{stranger}", "people/net", stranger)

    other = {"HF_HUB_CACHE": str(tmp_path / "other"), "ZOO_HOME": str(tmp_path / "other-zoo")}
    remote.server.reset(keep_repositories=True)
    refused = zoo("pull", "--from", str(file), "--offline", **other)
    assert (refused.returncode, remote.server.log()) == (1, [])
    done = zoo("pull", "--from", str(file), **other)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("is ready") == 2
    brought = Path(other["HF_HUB_CACHE"]) / repository / remote.revision
    assert contents(brought) == contents(remote.environment.cache / repository / remote.revision)
    asked = len(remote.server.log())
    assert zoo("pull", "--from", str(file), "--offline", **other).returncode == 0
    assert len(remote.server.log()) == asked


def test_what_changed_under_a_lock_file_is_refused(remote, tiny, tmp_path):
    zoo = remote.environment.zoo
    assert zoo("pull", "tiny").returncode == 0
    file = tmp_path / "zoo.lock"
    assert main(["freeze", "--output", str(file)]) == 0
    (preset,) = lock.read(file).presets
    recorded = next(each.sha256 for each in preset.files if each.name == "model.safetensors")
    file.write_text(file.read_text().replace(recorded, "1" * 64))
    done = zoo("pull", "--from", str(file))
    assert done.returncode == 1
    assert f"tiny/tiny:far: model.safetensors: the lock file has 512 bytes with sha256 {'1' * 64}" in done.stderr
    assert len(done.stderr.splitlines()) == 1
