"""`zoo pull` from the Hub: what it prints on a terminal, into a pipe and as JSON; branches and unlisted presets."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.hub.remote import contents
from zoo_core import manifest, pulling
from zoo_core.config import Config
from zoo_core.errors import NameNotFoundError, OfflineError, PresetError, UsageError
from zoo_core.hub import Progress
from zoo_core.hub.display import shown
from zoo_core.manifest import Manifest, Model, Preset
from zoo_core.presets import RUN_FILE, describe, write_preset

REPO = "toys/tiny"


@pytest.fixture
def tiny(remote, only_fake_plugins, tmp_path):
    """The plugin `tiny` with a preset on the test Hub of half a megabyte; its files."""
    import numpy as np

    folder = tmp_path / "preset"
    files = write_preset(folder, Config("tiny/tiny"), {"weights": np.arange(131072, dtype="float32")})
    (folder / "vocab.txt").write_text("one\ntwo\n")
    files = (*files, describe(folder / RUN_FILE), describe(folder / "vocab.txt"))
    remote.revision = remote.server.add_folder(REPO, folder)
    models = (Model("tiny", "zoo_tiny.parts:Tiny", "testing"), Model("other", "zoo_tiny.parts:Tiny", "testing"))
    preset = Preset("tiny", "far", "MIT", 131072, files=files, repo=REPO, revision=remote.revision)
    package = only_fake_plugins.add("tiny")
    (package / manifest.FILE_NAME).write_text(
        manifest.render(Manifest("tiny", models=models, presets=(preset,))), encoding="utf-8"
    )
    remote.environment.variables["PYTHONPATH"] += os.pathsep + str(only_fake_plugins.folder)
    remote.environment.variables["ZOO_REGISTRY"] = os.environ["ZOO_REGISTRY"]
    return folder


@pytest.fixture
def zoo(remote, tiny):
    return remote.environment.zoo


def test_it_prints_where_the_model_is(remote, zoo):
    done = zoo("pull", "tiny")
    assert done.returncode == 0
    first, path = done.stdout.splitlines()
    assert first == "tiny:far is ready: 4 files, 524.8 kB, hub, checked"
    assert path == str(remote.environment.cache / "models--toys--tiny" / "snapshots" / remote.revision)
    assert done.stderr == "tiny:far: downloading 524.8 kB\n"
    again = zoo("pull", "tiny", "--offline")
    assert (again.returncode, again.stdout, again.stderr) == (0, done.stdout, "")


def test_a_pipe_gets_a_line_now_and_then(monkeypatch, capsys):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with shown() as report:
        for second in range(12):
            report(Progress("tiny:far", 1000 * second, 50_000, rate=1000.0 * bool(second)))
            now[0] += 1
        report(Progress("tiny:far", 12_000, 50_000, note="something to tell"))
    assert capsys.readouterr() == (
        "",
        "tiny:far: downloading 50.0 kB\n"
        "tiny:far: 5.0 kB of 50.0 kB, 1.0 kB/s, 45 s left\n"
        "tiny:far: 10.0 kB of 50.0 kB, 1.0 kB/s, 40 s left\n"
        "something to tell\n",
    )


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.4, "0 s"), (59.4, "59 s"), (61, "1 min 01 s"), (3599, "59 min 59 s"), (7320, "2 h 02 min"), (1e9, "days")],
)
def test_time_left_is_told_as_people_read_it(monkeypatch, capsys, seconds, expected):
    with shown() as report:
        report(Progress("tiny:far", 0, int(seconds * 1000), rate=1000.0))
        monkeypatch.setattr(time, "monotonic", lambda: 1e9)
        report(Progress("tiny:far", 0, int(seconds * 1000), rate=1000.0))
    assert capsys.readouterr().err.endswith(f"1.0 kB/s, {expected} left\n")


def test_json_is_one_document_and_notes_go_elsewhere(remote, zoo):
    remote.server.fault("^HEAD .*config", "status", code=429, headers={"Retry-After": "1"})
    done = zoo("pull", "tiny", "--json")
    document = json.loads(done.stdout)
    assert document["reference"] == "tiny/tiny:far"
    assert document["revision"] == remote.revision
    assert {file["name"] for file in document["files"]} == set(contents(Path(document["path"])))
    assert [line.partition(" ")[2] for line in done.stderr.splitlines()] == ["asks to wait 1 s: waiting"]


def test_a_failure_is_one_line(remote, zoo):
    remote.server.fault("^HEAD", "status", code=403, times=None)
    for arguments in (["pull", "tiny"], ["pull", "tiny", "--json"]):
        done = zoo(*arguments)
        assert (done.returncode, done.stdout) == (1, "")
        error = [line for line in done.stderr.splitlines() if line.startswith("zoo: ")]
        assert error == [done.stderr.splitlines()[-1]]
        assert f"toys/tiny at {remote.revision[:12]}: 127.0.0.1:" in error[0]
        assert "forbids it without a token (403)" in error[0]


def on_a_terminal(remote, *arguments, columns=80):
    """What zoo writes to a terminal so wide, and its exit status."""
    import fcntl
    import struct
    import termios

    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**remote.environment.variables, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo_core", *arguments],
        env=environment,
        cwd=remote.environment.home,
        stdin=child,
        stdout=child,
        stderr=child,
        close_fds=True,
    )
    os.close(child)
    written, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([parent], [], [], 0.2)[0]:
            try:
                written += os.read(parent, 65536)
            except OSError:
                break
    os.close(parent)
    return written.decode(), process.wait(10)


@pytest.mark.parametrize("columns", [30, 50, 80, 120])
def test_a_terminal_gets_a_bar_that_goes_away(remote, zoo, columns):
    from zoo_core.text import clean

    remote.server.fault("^GET /lfs-store", "slow", rate=300_000)
    written, status = on_a_terminal(remote, "pull", "tiny", columns=columns)
    assert status == 0
    frames = [clean(frame) for frame in written.replace("\r", "\n").split("\n")]
    bars = [frame for frame in frames if frame.startswith("t") and ("% " in frame or " of 524.8 kB" in frame)]
    assert len(bars) > 3
    assert max(map(len, bars)) <= columns
    assert any(frame.endswith(" s left") for frame in bars)
    assert any("kB/s" in frame for frame in bars) == (columns >= 45)
    assert any("━" in frame for frame in bars) == (columns >= 60)
    assert [frame for frame in frames if frame][-1].endswith(f"snapshots/{remote.revision}")
    assert "\x1b[2K" in written


def test_a_branch_takes_a_word_more_and_is_warned_of(remote, zoo, tiny):
    refused = zoo("pull", "tiny:far@main")
    assert refused.returncode == 2
    assert "a revision is 40 hexadecimal digits, not 'main'" in refused.stderr
    assert "--unpinned" in refused.stderr
    (tiny / "vocab.txt").write_text("three\n")
    newer = remote.server.add_folder(REPO, tiny)
    done = zoo("pull", "tiny:far@main", "--unpinned")
    assert done.returncode == 0, done.stderr
    assert f"warning: toys/tiny@main may change; what it is now is hf://toys/tiny@{newer}" in done.stderr
    assert done.stdout.startswith(f"hf://toys/tiny@{newer} is ready: 3 files")
    assert newer != remote.revision
    offline = zoo("pull", "tiny:far@main", "--unpinned", "--offline")
    assert (offline.returncode, "only the network knows" in offline.stderr) == (1, True)


def test_what_somebody_published_is_pulled_by_its_place(remote, tiny):
    reference = f"hf://{REPO}@{remote.revision}"
    pulled = pulling.pull(reference)
    assert (pulled.plugin, pulled.name, pulled.revision, pulled.reference) == (
        "tiny",
        "tiny",
        remote.revision,
        reference,
    )
    assert sorted(contents(pulled.path)) == ["config.json", "model.safetensors", "run.json"]
    assert pulling.pull(reference, offline=True) == pulled


@pytest.mark.parametrize(
    "reference", [f"hf://{REPO}", f"hf://{REPO}@main", f"hf://{REPO}@main~1", "hf://tiny", "hf://"]
)
def test_a_place_without_a_revision_is_refused(remote, tiny, reference):
    with pytest.raises(UsageError):
        pulling.pull(reference)
    assert remote.server.log() == []


@pytest.mark.parametrize("reference", [f"hf://{REPO}", f"hf://{REPO}@main"])
def test_a_place_without_a_revision_is_looked_up_where_that_is_allowed(remote, tiny, reference):
    told = []
    pulled = pulling.pull(reference, unpinned=True, progress=told.append)
    assert pulled.revision == remote.revision
    assert [progress.note for progress in told if progress.note] == [
        f"warning: {REPO}@main may change; what it is now is hf://{REPO}@{remote.revision}"
    ]


def test_a_branch_that_is_none_is_told(remote, tiny):
    with pytest.raises(Exception, match="does not have this revision"):
        pulling.pull("tiny:far@nowhere", unpinned=True)


def test_damage_is_found_and_mended_in_what_no_manifest_pins(remote, tiny):
    reference = f"hf://{REPO}@{remote.revision}"
    folder = pulling.pull(reference).path
    good = contents(folder)
    for name in good:
        (folder / name).resolve().write_bytes(b"x" * len(good[name]))
        assert contents(pulling.pull(reference).path) == good
    with pytest.raises(OfflineError, match="not in the cache"):
        pulling.pull(f"hf://toys/other@{remote.revision}", offline=True)


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({"run.json": "{}"}, PresetError, "no size and sha256 of"),
        ({"run.json": "[]"}, PresetError, r"run\.json"),
        ({"run.json": "{" * 100_000}, PresetError, r"run\.json"),
        ({}, Exception, "lacks one of its files"),
        ({"run.json": " " * 1_000_001}, Exception, "expected at most 1000000 bytes, found 1000001"),
    ],
)
def test_what_is_no_preset_is_refused(remote, tiny, files, error, message):
    revision = remote.server.add("toys/nonsense", {"x": "y", **files})
    with pytest.raises(error, match=message):
        pulling.pull(f"hf://toys/nonsense@{revision}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "a b/c d"}, "names no model"),
        ({"model": "tiny"}, "names no model"),
        ({"model": 3}, "names no model"),
        ({"files": {RUN_FILE: {"size": 1, "sha256": "0" * 64}}}, "records itself"),
    ],
)
def test_a_record_that_makes_no_sense_is_refused(remote, tiny, changes, message):
    record = json.loads((tiny / RUN_FILE).read_text())
    changed = {**record, **changes, "files": {**record["files"], **changes.get("files", {})}}
    revision = remote.server.add("toys/odd", {RUN_FILE: json.dumps(changed)})
    with pytest.raises(PresetError, match=message):
        pulling.pull(f"hf://toys/odd@{revision}")


@pytest.mark.parametrize("name", ["../../../victim", "{cache}/victim", "a/b", ".hidden", "nul"])
def test_a_record_with_files_elsewhere_is_refused_and_nothing_there_is_touched(remote, tiny, name):
    victim = remote.environment.cache / "victim"
    victim.parent.mkdir(parents=True)
    victim.write_text("precious")
    record = json.loads((tiny / RUN_FILE).read_text())
    record["files"][name.format(cache=victim.parent)] = {"size": 3, "sha256": "0" * 64}
    revision = remote.server.add("toys/hostile", {"run.json": json.dumps(record)})
    with pytest.raises(PresetError, match="is no name of a preset's file"):
        pulling.pull(f"hf://toys/hostile@{revision}")
    assert victim.read_text() == "precious"


def test_weights_of_an_unknown_model_are_refused(remote, tiny, tmp_path):
    write_preset(tmp_path / "unknown", Config("nobody/nothing"), {})
    revision = remote.server.add_folder("toys/unknown", tmp_path / "unknown")
    with pytest.raises(NameNotFoundError, match="no plugin 'nobody'"):
        pulling.pull(f"hf://toys/unknown@{revision}")


def test_a_record_that_names_another_model_than_the_config_is_refused(remote, tiny, tmp_path):
    folder = tmp_path / "liar"
    write_preset(folder, Config("tiny/other"), {}, {})
    record = json.loads((folder / RUN_FILE).read_text())
    (folder / RUN_FILE).write_text(json.dumps({**record, "model": "tiny/tiny"}))
    revision = remote.server.add_folder("toys/liar", folder)
    with pytest.raises(PresetError, match="model: expected tiny/tiny, found tiny/other"):
        pulling.pull(f"hf://toys/liar@{revision}")


def test_a_dry_run_of_it_downloads_the_record_alone(remote, zoo):
    done = zoo("pull", f"hf://{REPO}@{remote.revision}", "--dry-run", "--json")
    document = json.loads(done.stdout)
    assert document["download"] == sum(file["size"] for file in document["files"] if file["name"] != RUN_FILE)
    assert [path.rpartition("/")[2] for path in remote.downloads()] == ["run.json"]
