"""What `zoo doctor` finds: each thing that is amiss, with the command that mends it."""

from __future__ import annotations

import json
import shutil
from importlib import metadata
from pathlib import Path

import pytest

from tests.conftest import BROKEN, FakePlugins
from zoo_core import doctor
from zoo_core.cli import main
from zoo_core.doctor import Finding


def findings(check: str) -> list[Finding]:
    return [finding for finding in doctor.diagnose() if finding.check == check]


def finding(check: str) -> Finding:
    (found,) = findings(check)
    return found


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The distributions that are installed, as a test sets them."""
    installed = {"keras": "3.15.1", "tensorflow-cpu": "2.21.0"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return installed


def test_a_sound_plugin_is_ok(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    found = finding("plugin tiny")
    assert (found.status, found.fix) == ("ok", "")
    assert found.detail.startswith("zoo-tiny 1.0, loads in ")


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_an_error_with_its_reason(kind: str, only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.add_broken(kind, "mishap")
    assert finding("plugin tiny").status == "ok"
    for found in findings("plugin mishap"):
        assert (found.status, BROKEN[kind][1] in found.detail) == ("error", True)
        assert "zoo uninstall mishap" in found.fix


def test_heavy_slow_and_stale_plugins_are_warnings(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add_heavy()
    only_fake_plugins.add("bare", manifest=None)
    only_fake_plugins.add(
        "stale", plugin="from zoo_core import hookimpl\n@hookimpl\ndef register_layers(register): ..."
    )
    assert "loading it imports tensorflow" in finding("plugin heavy").detail
    for name in ("bare", "stale"):
        found = finding(f"plugin {name}")
        assert (found.status, found.fix) == ("warning", "zoo manifest update PATH")


def test_an_old_keras_is_an_error(versions: dict[str, str], only_fake_plugins: FakePlugins) -> None:
    assert finding("keras") == Finding("keras", "ok", "Keras 3.15.1")
    versions["keras"] = "3.13.2"
    found = finding("keras")
    assert (found.status, "known vulnerabilities" in found.detail) == ("error", True)
    assert "keras>=3.15.1" in found.fix
    del versions["keras"]
    assert finding("keras").detail == "Keras is not installed"


def test_a_backend_that_is_missing_is_an_error(
    versions: dict[str, str], only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", "/nowhere")
    assert finding("backend").detail == "tensorflow 2.21.0; tensorflow will compute"
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert finding("backend").detail == "tensorflow 2.21.0; tensorflow will compute, as KERAS_BACKEND says"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert finding("backend").status == "error"
    monkeypatch.delenv("KERAS_BACKEND")
    del versions["tensorflow-cpu"]
    assert "tensorflow" in finding("backend").fix


def test_a_full_disk_and_a_read_only_cache_are_warnings(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    monkeypatch.setattr(doctor.os, "access", lambda path, mode: False)
    assert (finding("hub").status, "1.0 MB free" in finding("hub").detail) == ("warning", True)
    assert finding("cache").fix == "set ZOO_HOME"


def test_an_unreadable_registry_is_an_error(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.write("../registry.toml", "not toml")
    assert finding("registry").status == "error"


def test_incomplete_weights_are_an_error(only_fake_plugins: FakePlugins) -> None:
    package = only_fake_plugins.add("tiny")
    (package / "presets" / "tiny-first").mkdir(parents=True)
    found = finding("weights tiny:first")
    assert (found.status, "zoo pull tiny" in found.fix) == ("error", True)


def test_the_command_fails_only_where_something_is_broken(
    versions: dict[str, str], only_fake_plugins: FakePlugins, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    only_fake_plugins.add("tiny")
    assert main(["doctor", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {"check", "status", "detail", "fix"} == {key for row in rows for key in row}
    only_fake_plugins.add_broken("raises on import")
    assert main(["doctor"]) == 1
    assert "RuntimeError: on purpose" in capsys.readouterr().out
