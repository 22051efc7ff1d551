"""The cache: only what the zoo pinned is looked at, and only what it no longer needs is deleted."""

from __future__ import annotations

import json
import os
import time

import pytest

from zoo_core import cache, hub, manifest
from zoo_core.cli import main
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


def zoo(capsys, *arguments):
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


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
    assert [entry.name for entry in cache.entries()] == ["tiny:first"]
    cached("toys/tiny", NEW, {"weights": b"weights"})
    cached("toys/other", NEW, {"weights": b"weights"})
    assert {entry.name: (entry.source, entry.complete) for entry in cache.entries()} == {
        "tiny:first": ("bundled", True),
        "tiny:far": ("hub", True),
    }


def test_an_incomplete_preset_is_listed_as_such(site):
    cached("toys/tiny", NEW, {"weights": b"wei"})
    assert not entry("tiny:far").complete


def test_damage_is_found_and_named_with_its_remedy(site):
    cached("toys/tiny", NEW, {"weights": b"WEIGHTS"})
    cache.verify(entry("tiny:first"))
    with pytest.raises(IntegrityError, match="weights: expected sha256 .*found .*zoo pull tiny/tiny:far"):
        cache.verify(entry("tiny:far"))
    (site / "presets" / "tiny-first" / "config.json").write_text("{}")
    with pytest.raises(IntegrityError, match=r"config\.json: expected .*zoo uninstall tiny"):
        cache.verify(entry("tiny:first"))


def test_a_pulled_preset_is_removed_and_others_stay(site):
    cached("toys/tiny", NEW, {"weights": b"weights"})
    cached("toys/tiny", OLD, {"weights": b"older"})
    assert cache.remove(entry("tiny:far")) == len(b"weights")
    assert [entry.name for entry in cache.entries()] == ["tiny:first"]
    assert (hub.repository_folder("toys/tiny") / "snapshots" / OLD / "weights").read_bytes() == b"older"


def test_a_bundled_preset_is_not_removed(site):
    with pytest.raises(UsageError, match="zoo uninstall tiny"):
        cache.remove(entry("tiny:first"))


@pytest.mark.parametrize("options", [(), ("--yes",), ("--dry-run",), ("--dry-run", "--json")])
def test_nothing_is_announced_of_a_bundled_preset_that_is_to_be_removed(site, capsys, options):
    message = "zoo: tiny:first is part of the plugin 'tiny' (zoo uninstall tiny removes both)\n"
    assert zoo(capsys, "remove", "tiny:first", *options) == (2, "", message)
    assert entry("tiny:first").complete


def test_the_command_removes_what_it_said_it_would(site, capsys):
    status, out, err = zoo(capsys, "remove", "tiny:far", "--yes")
    assert (status, out, err) == (1, "", "zoo: there are no weights of 'tiny:far' on this disk (zoo cache list)\n")
    cached("toys/tiny", NEW, {"weights": b"weights"})
    status, out, err = zoo(capsys, "remove", "tiny:far", "--dry-run")
    assert (status, out, err.startswith("delete "), err.endswith(" (7 B)\n")) == (0, "", True, True)
    planned = json.loads(zoo(capsys, "remove", "tiny:far", "--dry-run", "--json")[1])
    assert (planned["name"], planned["size"], planned["deleted"]) == ("tiny:far", 7, False)
    assert zoo(capsys, "remove", "tiny:far")[0] == 2
    assert json.loads(zoo(capsys, "remove", "tiny:far", "--yes", "--json")[1]) == {**planned, "deleted": True}
    assert [entry.name for entry in cache.entries()] == ["tiny:first"]


def test_a_plan_says_where_the_weights_are_or_come_from(site, capsys):
    assert "tiny:first: " in (out := zoo(capsys, "pull", "tiny:first", "--dry-run")[1])
    assert "bundled with the plugin 'tiny': they are here already\n" in out
    out = zoo(capsys, "pull", "tiny:far", "--dry-run")[1]
    assert out.startswith(f"tiny:far: 7 B (7 bytes) to download from the Hub, toys/tiny at {NEW}\n")
    cached("toys/tiny", NEW, {"weights": b"weights"})
    assert zoo(capsys, "pull", "tiny:far", "--dry-run")[1].startswith("tiny:far: 7 B, downloaded already\n")


def test_the_same_revision_is_told_everywhere(site, capsys):
    presets = json.loads(zoo(capsys, "info", "tiny", "--json")[1])["presets"]
    told = {preset["variant"]: preset["revision"] for preset in presets}
    pulled = {name: json.loads(zoo(capsys, "pull", f"tiny:{name}", "--dry-run", "--json")[1]) for name in told}
    assert told == {name: plan["revision"] for name, plan in pulled.items()} == {"first": None, "far": NEW}


def test_names_in_the_cache_are_those_of_the_list(site, only_fake_plugins, capsys):
    assert zoo(capsys, "cache", "verify")[1].split() == ["PRESET", "STATUS", "REASON", "tiny:first", "ok", "-"]
    rival = manifest.render(Manifest("rival", models=(Model("tiny", "zoo_rival.parts:Tiny", "testing"),)))
    only_fake_plugins.add("rival", manifest=rival)
    assert [entry.name for entry in cache.entries()] == ["tiny/tiny:first"]


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
