"""What `zoo doctor` finds of weights: incomplete, at another revision, needed by nothing, not recorded."""

from __future__ import annotations

import json

from tests.conftest import FakePlugins
from tests.doctor.support import NEW, OLD, finding, findings
from tests.test_cache import aged, cached
from zoo_core import hub, manifest
from zoo_core.config import Config
from zoo_core.manifest import Manifest, Model, Preset
from zoo_core.presets import write_preset


def test_weights_that_are_whole_are_counted(site: FakePlugins) -> None:
    assert finding("weights").detail == "none are here yet; zoo pull gets some"
    cached("toys/tiny", NEW, {"weights": b"weights"})
    assert finding("weights").detail == "1 preset, 7 B; zoo cache verify checks their hashes"


def test_a_download_that_broke_off_is_a_warning_and_a_damaged_file_an_error(site: FakePlugins) -> None:
    snapshot = cached("toys/tiny", NEW, {"weights": b"wei"})
    found = finding("weights tiny:far")
    assert (found.status, found.fix) == ("error", "zoo pull tiny/tiny:far")
    assert found.detail == f"{snapshot}: weights has 3 of 7 bytes"
    (snapshot / "weights").resolve().unlink()
    found = finding("weights tiny:far")
    assert (found.status, found.detail, found.fix) == (
        "warning",
        f"{snapshot}: missing: weights",
        "zoo pull tiny/tiny:far",
    )


def test_bundled_weights_that_are_missing_are_an_error(only_fake_plugins: FakePlugins) -> None:
    package = only_fake_plugins.add("tiny")
    (package / "presets" / "tiny-first").mkdir(parents=True)
    found = finding("weights tiny:first")
    assert (found.status, "zoo pull tiny" in found.fix) == ("error", True)
    assert "missing: config.json, model.safetensors" in found.detail


def test_another_revision_than_the_pinned_one_is_told(site: FakePlugins) -> None:
    cached("toys/tiny", OLD, {"weights": b"older"})
    found = finding("weights tiny:far")
    assert (found.status, found.fix) == ("warning", "zoo pull tiny/tiny:far")
    assert found.detail == "toys/tiny is here at 000000000000, but zoo-tiny 1.0 names 111111111111"
    cached("toys/tiny", NEW, {"weights": b"weights"})
    assert findings("weights tiny:far") == []
    assert finding("leftovers").detail == "5 B that nothing needs: 1 superseded revision"


def test_what_nothing_needs_is_a_warning(site: FakePlugins) -> None:
    cached("toys/tiny", NEW, {"weights": b"weights"})
    blobs = hub.repository_folder("toys/tiny") / "blobs"
    for name in ("a.incomplete", "b.incomplete", "orphan"):
        (blobs / name).write_bytes(b"1234")
    assert findings("leftovers") == []
    for path in blobs.iterdir():
        aged(path)
    found = finding("leftovers")
    assert (found.status, found.fix) == ("warning", "zoo cache prune")
    assert found.detail == "12 B that nothing needs: 2 unfinished downloads, 1 orphaned blob"


def test_weights_that_were_published_but_not_recorded_are_told(only_fake_plugins: FakePlugins) -> None:
    package = only_fake_plugins.add("tiny")
    folder = package / "presets" / "tiny-first"
    files = write_preset(folder, Config("tiny/tiny"), {})
    bundled = Preset("tiny", "first", "MIT", 3, files=files, folder="presets/tiny-first")
    models = (Model("tiny", "zoo_tiny.parts:Tiny", "testing"),)
    text = manifest.render(Manifest("tiny", models=models, presets=(bundled,)))
    (package / manifest.FILE_NAME).write_text(text)
    record = {
        "schema": 1,
        "repo": "toys/tiny",
        "revision": NEW,
        "files": {file.name: {"size": file.size, "sha256": file.sha256} for file in files},
    }
    (folder / "hub.json").write_text(json.dumps(record))
    found = finding("weights tiny-first")
    assert (found.status, "hub.json names toys/tiny at 111111111111" in found.detail) == ("warning", True)
    assert "zoo manifest update" in found.fix
    (folder / "hub.json").write_text("{")
    assert "no valid JSON" in finding("weights tiny-first").detail
    record["files"]["config.json"]["size"] += 1
    (folder / "hub.json").write_text(json.dumps(record))
    assert findings("weights tiny-first") == [], "published from an earlier state: nothing to record"
