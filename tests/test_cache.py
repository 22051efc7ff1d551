"""The cache: only what the zoo pulled is looked at, and only what nothing needs any more is deleted."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from zoo_core import cache, hub, manifest, paths
from zoo_core.cli import complete, main
from zoo_core.config import Config
from zoo_core.errors import IntegrityError, UsageError
from zoo_core.manifest import Manifest, Model, Preset
from zoo_core.presets import describe, write_preset

OLD, NEW, OTHER = "0" * 40, "1" * 40, "2" * 40


def cached(repository, revision, files, ref="", blob_names=None):
    """Lay files into the client's cache as the client does; the snapshot's folder."""
    folder = hub.repository_folder(repository)
    snapshot = folder / "snapshots" / revision
    for each in (folder / "blobs", folder / "refs", folder / "trees", snapshot):
        each.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        blob = folder / "blobs" / ((blob_names or {}).get(name) or f"{revision[:8]}{name}")
        blob.write_bytes(content)
        (snapshot / name).symlink_to(os.path.relpath(blob, snapshot))
    (folder / "trees" / f"{revision}.json").write_text("{}")
    if ref:
        (folder / "refs" / ref).write_text(revision)
    return snapshot


def mirrored(repository, revision, files):
    """Lay files where those from a plain mirror go; their folder."""
    folder = paths.cache_dir() / "presets" / repository.replace("/", "--") / revision
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def preset_files(folder: Path, model="elsewhere/thing"):
    """The files of a preset of the zoo."""
    write_preset(folder, Config(model), {})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def aged(path):
    os.utime(path, (time.time() - 7200,) * 2, follow_symlinks=False)
    return path


def kinds():
    return {leftover.path.name: leftover.kind for leftover in cache.leftovers()}


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
    (found,) = (entry for entry in cache.entries() if entry.name == name)
    return found


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


def test_a_repositorys_name_is_enough_to_find_a_preset_that_no_plugin_names(site, tmp_path):
    files = preset_files(tmp_path / "preset")
    cached("people/thing", NEW, files)
    cached("people/half", NEW, {**files, "model.safetensors": b""})
    cached("people/damaged", NEW, {**files, "config.json": b"{"})
    mirrored("people/mirrored", NEW, files)
    cached("people/other", NEW, {"config.json": b'{"architectures": []}', "model.safetensors": b"theirs"})
    found = {
        each.name: (each.source, each.complete, each.plugin) for each in cache.entries() if each.name[:5] == "hf://"
    }
    assert found == {
        f"hf://people/thing@{NEW}": ("hub", True, "elsewhere"),
        f"hf://people/half@{NEW}": ("hub", False, "elsewhere"),
        f"hf://people/damaged@{NEW}": ("hub", False, "elsewhere"),
        f"hf://people/mirrored@{NEW}": ("mirror", True, "elsewhere"),
    }
    assert cache.leftovers() == ()
    cache.verify(entry(f"hf://people/thing@{NEW}"))
    with pytest.raises(IntegrityError, match=f"zoo pull hf://people/half@{NEW}"):
        cache.verify(entry(f"hf://people/half@{NEW}"))


def test_a_preset_without_a_record_cannot_be_verified(site, tmp_path):
    files = preset_files(tmp_path / "preset")
    cached("people/thing", NEW, {"config.json": files["config.json"]})
    with pytest.raises(IntegrityError, match=r"its run\.json, which records the files, is missing"):
        cache.verify(entry(f"hf://people/thing@{NEW}"))


def test_a_mirrors_copy_is_listed_beside_the_hubs(site):
    cached("toys/tiny", NEW, {"weights": b"wei"})
    mirrored("toys/tiny", NEW, {"weights": b"weights"})
    assert {(each.source, each.complete) for each in cache.entries() if each.name == "tiny:far"} == {
        ("hub", False),
        ("mirror", True),
    }
    assert kinds() == {NEW: "duplicate"}
    cache.delete(cache.leftovers())
    assert entry("tiny:far").source == "mirror"


def test_a_broken_link_makes_a_preset_incomplete_and_can_be_removed(site):
    snapshot = cached("toys/tiny", NEW, {"weights": b"weights"})
    (snapshot / "weights").resolve().unlink()
    assert not entry("tiny:far").complete
    cache.remove([entry("tiny:far")])
    assert not hub.repository_folder("toys/tiny").exists()


def test_a_pulled_preset_is_removed_and_others_stay(site):
    cached("toys/tiny", NEW, {"weights": b"weights", "shared": b"both"}, blob_names={"shared": "shared"})
    cached("toys/tiny", OLD, {"weights": b"older", "shared": b"both"}, blob_names={"shared": "shared"})
    assert cache.size_of([entry("tiny:far")]) == len(b"weights")
    cache.remove([entry("tiny:far")])
    assert [entry.name for entry in cache.entries()] == [f"hf://toys/tiny@{OLD}", "tiny:first"][::-1]
    folder = hub.repository_folder("toys/tiny")
    assert sorted(os.listdir(folder / "blobs")) == [f"{OLD[:8]}weights", "shared"]
    assert os.listdir(folder / "trees") == [f"{OLD}.json"]
    assert (folder / "snapshots" / OLD / "weights").read_bytes() == b"older"


def test_nothing_is_left_of_a_repository_without_revisions(site):
    cached("toys/tiny", NEW, {"weights": b"weights"}, ref="main")
    locks = hub.cache_folder() / ".locks" / "models--toys--tiny"
    locks.mkdir(parents=True)
    cache.remove([entry("tiny:far")])
    assert not locks.exists()
    assert not hub.repository_folder("toys/tiny").exists()


def test_a_repository_stays_while_something_is_downloaded_into_it(site):
    cached("toys/tiny", NEW, {"weights": b"weights"})
    running = hub.repository_folder("toys/tiny") / "blobs" / "a.incomplete"
    running.write_bytes(b"half")
    cache.remove([entry("tiny:far")])
    assert running.exists()
    assert cache.leftovers() == ()


def test_files_without_links_are_removed_too(site):
    snapshot = hub.repository_folder("toys/tiny") / "snapshots" / NEW
    snapshot.mkdir(parents=True)
    (snapshot / "weights").write_bytes(b"weights")
    assert cache.size_of([entry("tiny:far")]) == len(b"weights")
    cache.remove([entry("tiny:far")])
    assert not snapshot.exists()


def test_what_a_link_leads_to_outside_its_repository_stays(site, tmp_path):
    snapshot = hub.repository_folder("toys/tiny") / "snapshots" / NEW
    snapshot.mkdir(parents=True)
    (snapshot / "weights").symlink_to(tmp_path / "weights")
    assert cache.size_of([entry("tiny:far")]) == 0
    cache.remove([entry("tiny:far")])
    assert (tmp_path / "weights").read_bytes() == b"weights"


def test_a_bundled_preset_is_not_removed(site):
    with pytest.raises(UsageError, match="zoo uninstall tiny"):
        cache.removable([entry("tiny:first")])


@pytest.mark.parametrize("options", [(), ("--yes",), ("--dry-run",), ("--dry-run", "--json")])
def test_nothing_is_announced_of_a_bundled_preset_that_is_to_be_removed(site, capsys, options):
    message = "zoo: tiny:first is part of the plugin 'tiny' (zoo uninstall tiny removes both)\n"
    assert zoo(capsys, "remove", "tiny:first", *options) == (2, "", message)
    assert entry("tiny:first").complete


def test_the_command_removes_what_it_said_it_would(site, capsys):
    status, out, err = zoo(capsys, "remove", "tiny:far", "--yes")
    assert (status, out, err) == (1, "", "zoo: there are no weights of 'tiny:far' on this disk (zoo cache list)\n")
    cached("toys/tiny", NEW, {"weights": b"weights"})
    mirrored("toys/tiny", NEW, {"weights": b"weights"})
    status, out, err = zoo(capsys, "remove", "tiny:far", "--dry-run")
    assert (status, out, err.count("delete "), err.endswith(" (14 B)\n")) == (0, "", 2, True)
    planned = json.loads(zoo(capsys, "remove", "tiny:far", "--dry-run", "--json")[1])
    assert (planned["name"], planned["size"], planned["deleted"]) == ("tiny:far", 14, False)
    assert len(planned["paths"]) == 2
    assert zoo(capsys, "remove", "tiny:far")[0] == 2
    assert json.loads(zoo(capsys, "remove", "tiny:far", "--yes", "--json")[1]) == {**planned, "deleted": True}
    assert [entry.name for entry in cache.entries()] == ["tiny:first"]


def test_the_command_removes_by_a_repositorys_name(site, capsys, tmp_path):
    files = preset_files(tmp_path / "preset")
    for revision in (OLD, NEW):
        cached("people/thing", revision, files)
    status, out, err = zoo(capsys, "remove", "hf://people/nothing", "--yes")
    message = "zoo: there are no weights of 'hf://people/nothing' on this disk (zoo cache list)\n"
    assert (status, out, err) == (1, "", message)
    assert zoo(capsys, "remove", f"hf://people/thing@{OLD}", "--yes")[0] == 0
    assert entry(f"hf://people/thing@{NEW}").complete
    assert zoo(capsys, "remove", "hf://people/thing", "--yes")[1].startswith(f"deleted hf://people/thing@{NEW}, ")
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


def test_what_can_be_removed_is_offered(site, tmp_path):
    assert complete.downloaded("") == []
    cached("toys/tiny", NEW, {"weights": b"weights"})
    cached("people/thing", NEW, preset_files(tmp_path / "preset"))
    assert complete.downloaded("") == [f"hf://people/thing@{NEW}", "tiny:far"]
    assert complete.downloaded("t") == ["tiny:far"]


def test_names_in_the_cache_are_those_of_the_list(site, only_fake_plugins, capsys):
    assert zoo(capsys, "cache", "verify")[1].splitlines()[1].split() == ["tiny:first", "ok", "-"]
    rival = manifest.render(Manifest("rival", models=(Model("tiny", "zoo_rival.parts:Tiny", "testing"),)))
    only_fake_plugins.add("rival", manifest=rival)
    assert [entry.name for entry in cache.entries()] == ["tiny/tiny:first"]


def test_the_state_of_each_is_shown(site, capsys):
    assert "superseded" not in zoo(capsys, "cache", "list")[1]
    cached("toys/tiny", NEW, {"weights": b"wei"})
    cached("toys/tiny", OLD, {"weights": b"older"})
    status, out, err = zoo(capsys, "cache", "list")
    states = {line.split()[0]: line.split()[4] for line in out.splitlines()[1:]}
    assert states == {"tiny:first": "complete", "tiny:far": "incomplete", f"hf://toys/tiny@{OLD}": "superseded"}
    assert (status, "5 B " in err, "zoo cache prune --dry-run" in err) == (0, True, True)
    rows = {row["name"]: row for row in json.loads(zoo(capsys, "cache", "list", "--json")[1])}
    assert (rows["tiny:far"]["complete"], rows["tiny:far"]["superseded"]) == (False, False)
    assert rows[f"hf://toys/tiny@{OLD}"]["size"] == len(b"older")
    assert (rows["tiny:first"]["repo"], rows["tiny:first"]["revision"]) == ("", None)


def test_verifying_names_the_damage_and_what_mends_it(site, capsys):
    cached("toys/tiny", NEW, {"weights": b"WEIGHTS"})
    cached("toys/tiny", OLD, {"weights": b"older"})
    status, out, _ = zoo(capsys, "cache", "verify", "--json")
    errors = {row["name"]: (row["error"], row["fix"]) for row in json.loads(out)}
    assert status == 1
    assert errors["tiny:first"] == (None, "")
    assert "weights: expected sha256" in errors["tiny:far"][0]
    assert errors["tiny:far"][1] == "zoo pull tiny/tiny:far"
    assert len(errors) == 2, "a superseded revision is nobody's concern"
    assert " (fix: zoo pull tiny/tiny:far)\n" in zoo(capsys, "cache", "verify")[1]


def test_an_empty_cache_has_no_leftovers(site, capsys):
    assert cache.leftovers() == ()
    assert zoo(capsys, "cache", "prune") == (0, "", "Nothing to delete.\n")


def test_pruning_deletes_what_nothing_needs_and_nothing_else(site, capsys):
    cached("toys/tiny", NEW, {"weights": b"weights"})
    cached("toys/tiny", OLD, {"weights": b"older"})
    cached("toys/tiny", OTHER, {"weights": b"by branch"}, ref="main")
    cached("toys/other", OLD, {"weights": b"somebody else's"})
    mirrored("toys/tiny", OLD, {"weights": b"older"})
    theirs = hub.repository_folder("toys/other") / "blobs"
    blobs = hub.repository_folder("toys/tiny") / "blobs"
    gone = [blobs / "a.incomplete", blobs / "orphan", paths.cache_dir() / "data" / ".x.part"]
    somebodys, growing = paths.cache_dir() / "firefox.part", paths.cache_dir() / ".growing.part" / "weights"
    kept = [theirs / "a.incomplete", theirs / "orphan", somebodys, blobs / "running.incomplete", blobs / "new", growing]
    for path in (*gone, *kept):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    for path in (*gone, *kept[:3], growing.parent):
        aged(path)
    names = ["superseded", "superseded", "unfinished", "unfinished", "orphan"]
    assert [leftover.kind for leftover in cache.leftovers()] == names
    assert [leftover.size for leftover in cache.leftovers()] == [5, 5, 4, 4, 4]
    planned = json.loads(zoo(capsys, "cache", "prune", "--dry-run", "--json")[1])
    assert (planned["deleted"], len(planned["would_delete"])) == ([], 5)
    status, out, err = zoo(capsys, "cache", "prune")
    assert (status, out, "22 B to delete" in err, err.endswith("(add --yes)\n")) == (2, "", True, True)
    assert all(path.exists() for path in gone)
    assert zoo(capsys, "cache", "prune", "--yes")[:2] == (0, "deleted 22 B\n")
    snapshots = hub.repository_folder("toys/tiny") / "snapshots"
    assert sorted(os.listdir(snapshots)) == [NEW, OTHER]
    assert (snapshots / NEW / "weights").read_bytes() == b"weights"
    assert (snapshots / OTHER / "weights").read_bytes() == b"by branch"
    assert (hub.repository_folder("toys/other") / "snapshots" / OLD / "weights").read_bytes() == b"somebody else's"
    assert not any(path.exists() for path in gone)
    assert all(path.exists() for path in kept)
    assert not (paths.cache_dir() / "presets" / "toys--tiny").exists()
    assert cache.leftovers() == ()


def test_what_two_old_revisions_share_is_counted_once_and_goes_with_both(site):
    for revision in (OLD, OTHER):
        cached("toys/tiny", revision, {"weights": b"older"}, blob_names={"weights": "shared"})
    assert [leftover.size for leftover in cache.leftovers()] == [0, 5]
    cache.delete(cache.leftovers())
    assert not hub.repository_folder("toys/tiny").exists()


def test_an_absolute_link_keeps_its_blob(site):
    snapshot = cached("toys/tiny", NEW, {"weights": b"weights"})
    blob = aged((snapshot / "weights").resolve())
    (snapshot / "weights").unlink()
    (snapshot / "weights").symlink_to(blob)
    assert cache.leftovers() == ()


def test_a_cache_behind_a_link_is_read_like_any_other(site, tmp_path, monkeypatch):
    snapshot = cached("toys/tiny", NEW, {"weights": b"weights"})
    aged((snapshot / "weights").resolve())
    (tmp_path / "linked").symlink_to(hub.cache_folder())
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "linked"))
    assert cache.leftovers() == ()
    assert cache.size_of([entry("tiny:far")]) == len(b"weights")


def test_a_folder_that_cannot_be_deleted_is_one_line(site, capsys, monkeypatch):
    cached("toys/tiny", NEW, {"weights": b"weights"})

    def refuse(path, **options):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    status, out, err = zoo(capsys, "remove", "tiny:far", "--yes")
    assert (status, out, err.splitlines()[-1].startswith("zoo: [Errno 13] Permission denied")) == (1, "", True)
    assert entry("tiny:far").complete
