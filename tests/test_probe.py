"""Whether plugins can be loaded, found out in a subprocess and remembered."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import BROKEN, MANIFEST, PLUGIN, FakePlugins, by_name
from zoo_core import index, paths, probe, probe_memory, probing

STATICALLY_BROKEN = {"bad manifest", "wrong core version", "name clash", "missing package"}


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The plugins that each prober was started with."""
    calls: list[list[str]] = []
    answers = probing.answers

    def counted(names: list[str], timeout: float = 30.0) -> object:
        calls.append(list(names))
        return answers(names, timeout)

    monkeypatch.setattr(probing, "answers", counted)
    return calls


def probed(**options: bool) -> dict[str, probe.Result]:
    return probe.results(index.installed_plugins(), **options)


def test_one_process_tells_of_every_broken_plugin_and_of_the_sound_ones(only_fake_plugins: FakePlugins) -> None:
    for number, kind in enumerate(BROKEN):
        only_fake_plugins.add_broken(kind, f"broken{number}")
    only_fake_plugins.add("tiny")
    only_fake_plugins.add("zebra")
    rows = by_name(index.plugins(probing=True))
    for number, kind in enumerate(BROKEN):
        assert BROKEN[kind][1] in rows[f"broken{number}"].broken
        assert rows[f"broken{number}"].broken.isprintable()
    assert rows["tiny"].broken is rows["zebra"].broken is None


def test_a_sound_plugin_is_reported_with_its_time(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    result = probed()["tiny"]
    assert (result.error, result.heavy, result.stale, result.manifest) == (None, (), False, None)
    assert 0 <= result.seconds < 30


def test_each_plugin_is_told_what_it_alone_imports(only_fake_plugins: FakePlugins, started: list[list[str]]) -> None:
    only_fake_plugins.add_heavy("first")
    only_fake_plugins.add("second")
    only_fake_plugins.add_heavy("third")
    heavy = {name: result.heavy for name, result in probed().items()}
    assert heavy == {"first": ("tensorflow",), "second": (), "third": ("tensorflow",)}
    assert len(started) == 1


def test_a_manifest_that_differs_from_the_hooks_is_stale(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", manifest=MANIFEST.replace('"Doubler"', '"Tripler"'))
    only_fake_plugins.add("other", manifest=MANIFEST.replace("Doubles its input.", "Another summary"))
    assert {name: result.stale for name, result in probed().items()} == {"tiny": True, "other": False}


def test_a_plugin_without_a_manifest_gets_one_from_its_hooks_and_is_slow(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", manifest=None)
    (before,) = index.plugins()
    assert (before.slow, before.manifest) == (True, None)
    (plugin,) = index.plugins(probing=True)
    assert (plugin.slow, plugin.broken) == (True, None)
    assert plugin.manifest is not None
    assert [component.name for component in plugin.manifest.components] == ["Doubler"]
    assert [command.name for command in plugin.manifest.commands] == ["hello", "goodbye"]
    assert index.plugins() == (plugin,)
    assert index.find_model("tiny")[1].task == "testing"


def test_what_was_seen_is_remembered_until_the_plugin_changes(
    only_fake_plugins: FakePlugins, started: list[list[str]]
) -> None:
    package = only_fake_plugins.add("tiny")
    only_fake_plugins.add("other")
    assert probed() == probed() == probe.remembered(index.installed_plugins())
    assert started == [["other", "tiny"]]
    (package / "plugin.py").write_text("raise RuntimeError('now broken')")
    assert list(probe.remembered(index.installed_plugins())) == ["other"]
    assert "now broken" in (probed()["tiny"].error or "")
    assert started[1:] == [["tiny"]]


def test_refreshing_looks_at_all_again(only_fake_plugins: FakePlugins, started: list[list[str]]) -> None:
    only_fake_plugins.add("tiny")
    probed()
    probed(refresh=True)
    assert started == [["tiny"], ["tiny"]]


def test_a_failure_is_forgotten_when_another_file_of_the_package_or_another_distribution_changes(
    only_fake_plugins: FakePlugins, started: list[list[str]]
) -> None:
    package = only_fake_plugins.add("tiny", plugin=f"import zoo_tiny.part, missing\n{PLUGIN}")
    assert "zoo_tiny.part" in (probed()["tiny"].error or "")
    (package / "part.py").write_text("")
    assert "'missing'" in (probed()["tiny"].error or "")
    only_fake_plugins.write("missing.py", "")
    os.utime(only_fake_plugins.folder, ns=(1, 1))
    assert probed()["tiny"].error is None
    assert len(started) == 3


def test_nothing_is_probed_where_that_is_turned_off(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch, started: list[list[str]]
) -> None:
    only_fake_plugins.add("tiny")
    monkeypatch.setenv("ZOO_NO_PROBE", "1")
    assert probed() == {}
    assert started == []


def test_what_is_known_to_be_broken_or_not_installed_is_not_run(
    only_fake_plugins: FakePlugins, started: list[list[str]]
) -> None:
    for kind in STATICALLY_BROKEN:
        only_fake_plugins.add_broken(kind, f"broken-{len(kind)}")
    assert probed() == {}
    assert started == []


def test_a_cache_folder_that_cannot_be_written_is_no_error(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    only_fake_plugins.add("tiny")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "file" / "folder"))
    assert probed()["tiny"].error is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"schema": 99, "entries": {}}', '{"schema": 1, "entries": []}', "\udcff"]
)
def test_a_damaged_memory_counts_as_empty(only_fake_plugins: FakePlugins, text: str) -> None:
    only_fake_plugins.add("tiny")
    memory = paths.cache_dir() / probe_memory.FILE_NAME
    memory.parent.mkdir(parents=True)
    memory.write_bytes(text.encode(errors="surrogateescape"))
    assert probe.remembered(index.installed_plugins()) == {}
    assert probed()["tiny"].error is None
    assert json.loads(memory.read_text())["schema"] == 1


def test_a_plugin_that_hangs_is_ended_and_the_next_one_is_looked_at(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("hangs", plugin="import time\ntime.sleep(600)")
    only_fake_plugins.add("tiny")
    hanging, tiny = probing.answers(["hangs", "tiny"], timeout=5)
    assert hanging["error"] == "it was still being loaded after 5 seconds"
    assert tiny["error"] is None


def test_a_crash_is_told_with_its_signal(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", plugin="import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)")
    assert probed()["tiny"].error == "it ends the process that loads it (signal 11)"


def test_what_plugins_print_does_not_mix_with_the_answers(only_fake_plugins: FakePlugins) -> None:
    noise = "import os, sys\nprint('{\"plugin\": 1}')\nos.write(1, b'noise')\nsys.stderr.write('noise')\n"
    only_fake_plugins.add("tiny", plugin=noise + PLUGIN)
    assert probed()["tiny"].error is None


def test_a_plugin_that_looks_at_the_zoo_while_it_is_loaded_starts_no_probers(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", plugin=f"from zoo_core import index\nindex.plugins(probing=True)\n{PLUGIN}")
    assert probed()["tiny"].error is None
