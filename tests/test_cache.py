"""The cache: only what the zoo pinned is looked at, and only what it no longer needs is deleted."""

from __future__ import annotations

import os
import time

import pytest

from zoo_core import cache, hub, manifest
from zoo_core.config import Config
from zoo_core.errors import IntegrityError, UsageError
from zoo_core.manifest import Manifest, Model, Preset
from zoo_core.presets import describe, write_preset

OLD, NEW = "0" * 40, "1" * 40


def cached(repository, revision, files, ref=""):
    """Lay files into the client's cache as the client does."""
    folder = hub.repository_folder(repository)
    (folder / "blobs").mkdir(parents=True, exist_ok=True)
    (folder / "snapshots" / revision).mkdir(parents=True)
    (folder / "refs").mkdir(exist_ok=True)
    for name, content in files.items():
        blob = folder / "blobs" / f"{revision[:8]}{name}"
        blob.write_bytes(content)
        (folder / "snapshots" / revision / name).symlink_to(os.path.relpath(blob, folder / "snapshots" / revision))
    if ref:
        (folder / "refs" / ref).write_text(revision)


@pytest.fixture
def site(only_fake_plugins, monkeypatch, tmp_path):
    """The plugin `tiny` with a bundled preset and one on the Hub at revision NEW, and an empty cache."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    package = only_fake_plugins.add("tiny")
    files = write_preset(package / "presets" / "tiny-first", Config("tiny/tiny"), {})
    (tmp_path / "weights").write_bytes(b"weights")
    bundled = Preset("tiny", "first", "MIT", 3, files=files, folder="presets/tiny-first")
    remote = Preset("tiny", "far", "MIT", 3, files=(describe(tmp_path / "weights"),), repo="toys/tiny", revision=NEW)
    models = (Model("tiny", "zoo_tiny.parts:Tiny", "testing"),)
    only_fake_plugins.write(
        "zoo_tiny/zoo-plugin.toml", manifest.render(Manifest("tiny", models=models, presets=(bundled, remote)))
    )
    return package


def entry(name):
    return {entry.name: entry for entry in cache.entries()}[name]


def test_bundled_and_pulled_presets_are_listed(site):
    assert [entry.name for entry in cache.entries()] == ["tiny/tiny:first"]
    cached("toys/tiny", NEW, {"weights": b"weights"})
    cached("toys/other", NEW, {"weights": b"weights"})
    assert {entry.name: (entry.source, entry.complete) for entry in cache.entries()} == {
        "tiny/tiny:first": ("bundled", True),
        "tiny/tiny:far": ("hub", True),
    }


def test_an_incomplete_preset_is_listed_as_such(site):
    cached("toys/tiny", NEW, {"weights": b"wei"})
    assert not entry("tiny/tiny:far").complete


def test_damage_is_found_and_named_with_its_remedy(site):
    cached("toys/tiny", NEW, {"weights": b"WEIGHTS"})
    cache.verify(entry("tiny/tiny:first"))
    with pytest.raises(IntegrityError, match="weights: expected sha256 .*found .*zoo pull tiny/tiny:far"):
        cache.verify(entry("tiny/tiny:far"))
    (site / "presets" / "tiny-first" / "config.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"config\.json: expected .*zoo uninstall tiny"):
        cache.verify(entry("tiny/tiny:first"))


def test_a_pulled_preset_is_removed_and_others_stay(site):
    cached("toys/tiny", NEW, {"weights": b"weights"})
    cached("toys/tiny", OLD, {"weights": b"older"})
    assert cache.remove(entry("tiny/tiny:far")) == len(b"weights")
    assert [entry.name for entry in cache.entries()] == ["tiny/tiny:first"]
    assert (hub.repository_folder("toys/tiny") / "snapshots" / OLD / "weights").read_bytes() == b"older"


def test_a_bundled_preset_is_not_removed(site):
    with pytest.raises(UsageError, match="zoo uninstall tiny"):
        cache.remove(entry("tiny/tiny:first"))


def test_pruning_an_empty_cache_does_nothing(site):
    assert cache.prune() == cache.Pruning((), (), 0)


def test_pruning_deletes_what_no_preset_needs_and_nothing_else(site):
    cached("toys/tiny", NEW, {"weights": b"weights"})
    cached("toys/tiny", OLD, {"weights": b"older"})
    cached("toys/tiny", "2" * 40, {"weights": b"by branch"}, ref="main")
    cached("toys/other", "3" * 40, {"weights": b"somebody else's"})
    blobs = hub.repository_folder("toys/tiny") / "blobs"
    abandoned, running = blobs / "a.incomplete", blobs / "b.incomplete"
    abandoned.write_bytes(b"half")
    running.write_bytes(b"half")
    os.utime(abandoned, (time.time() - 7200,) * 2)
    expected = cache.Pruning((f"toys/tiny@{OLD}",), (abandoned,), len(b"older") + len(b"half"))
    assert cache.prune(dry_run=True) == expected
    assert abandoned.exists()
    assert cache.prune() == expected
    snapshots = hub.repository_folder("toys/tiny") / "snapshots"
    assert sorted(os.listdir(snapshots)) == [NEW, "2" * 40]
    assert (snapshots / NEW / "weights").read_bytes() == b"weights"
    assert (hub.repository_folder("toys/other") / "snapshots" / ("3" * 40)).is_dir()
    assert not abandoned.exists()
    assert running.exists()
    assert cache.prune() == cache.Pruning((), (), 0)
