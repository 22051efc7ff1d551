"""What `zoo doctor` finds of Python, Keras, the backend, folders and settings, and what mends it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

from tests.conftest import MANIFEST, FakePlugins
from tests.doctor.support import KERAS, finding, findings
from zoo_core import doctor, known_registries, paths, user_config
from zoo_core.doctor import Finding, computing, installation
from zoo_core.user_config import Mirror, RegistryLocation, UserConfig


def test_nothing_is_wrong_with_a_sound_installation(
    versions: dict[str, str], only_fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]
) -> None:
    only_fake_plugins.add("tiny", manifest=MANIFEST.partition("[[presets]]")[0])
    bad = [each for each in findings() if each.status != "ok" and each.check != "installer"]
    assert bad == []
    assert {each.fix for each in findings() if each.status == "ok"} == {""}


def test_an_old_keras_is_an_error(versions: dict[str, str], only_fake_plugins: FakePlugins) -> None:
    assert finding("keras") == Finding("keras", "ok", "Keras 3.15.1", section="installation")
    versions["keras"] = "3.13.2"
    found = finding("keras")
    assert (found.status, "known vulnerabilities" in found.detail) == ("error", True)
    assert "keras>=3.15.1" in found.fix
    del versions["keras"]
    assert finding("keras").detail == "Keras is not installed"


def test_a_backend_that_is_missing_is_an_error(
    versions: dict[str, str], only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert finding("backend").detail == "tensorflow 2.21.0; tensorflow will compute"
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    assert finding("backend").detail == "tensorflow 2.21.0; tensorflow will compute, as KERAS_BACKEND says"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    found = finding("backend")
    assert (found.status, "export KERAS_BACKEND=tensorflow" in found.fix) == ("error", True)
    monkeypatch.delenv("KERAS_BACKEND")
    del versions["tensorflow-cpu"]
    assert "tensorflow" in finding("backend").fix


def test_a_core_that_is_installed_as_another_version_is_a_warning(
    versions: dict[str, str], only_fake_plugins: FakePlugins
) -> None:
    versions["zoo-core"] = "0.0.1"
    found = finding("zoo-core")
    assert (found.status, "installed as 0.0.1" in found.detail) == ("warning", True)
    assert "install --editable" in found.fix or "reinstall" in found.fix


def test_a_full_disk_and_read_only_folders_are_warnings(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9, 10**6))
    found = finding("downloads")
    assert (found.status, "1.0 MB free" in found.detail, "zoo cache prune" in found.fix) == ("warning", True, True)
    monkeypatch.setattr(installation.os, "access", lambda path, mode: False)
    assert "export HF_HOME=" in finding("downloads").fix
    assert "export ZOO_HOME=" in finding("memory").fix


def test_a_backend_that_computes_is_remembered(keras: FakePlugins) -> None:
    found = finding("computing")
    assert (found.status, "tensorflow loads and computes in " in found.detail) == ("ok", True)
    keras.write("keras/__init__.py", "raise RuntimeError('not looked at again')")
    assert finding("computing").status == "ok"
    (refreshed,) = (each for each in doctor.diagnose(refresh=True, network=False) if each.check == "computing")
    assert refreshed.status == "error"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise ImportError('no such symbol')", "Keras cannot be loaded on tensorflow: no such symbol"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGILL)", f"it ends its process (signal {signal.SIGILL:d})"),
        ("raise SystemExit(3)", "it ends its process (exit status 3)"),
        (KERAS["__init__.py"] + "ops.sum = lambda values: 7\n", "0 + 1 + 2 + 3 is 7.0"),
        (KERAS["__init__.py"] + "ops.sum = None\n", "TypeError: 'NoneType' object is not callable"),
    ],
)
def test_a_backend_that_does_not_compute_is_an_error(source: str, reason: str, keras: FakePlugins) -> None:
    keras.write("keras/__init__.py", source)
    found = finding("computing")
    assert (found.status, found.detail) == ("error", f"tensorflow does not compute: {reason}")
    assert "tensorflow" in found.fix


def test_a_backend_that_hangs_is_not_waited_for(keras: FakePlugins) -> None:
    keras.write("keras/__init__.py", "import time\ntime.sleep(600)")
    (found,) = computing.Computing(timeout=1.0).findings()
    assert found.detail == "tensorflow does not compute: it was still being loaded after 1 seconds"


def test_a_try_that_nobody_waits_for_any_longer_is_ended(keras: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> None:
    keras.write("keras/__init__.py", "import time\ntime.sleep(600)")
    started: list[subprocess.Popen[bytes]] = []
    start = computing._start
    monkeypatch.setattr(computing, "_start", lambda: started.append(start()) or started[-1])
    diagnosis = doctor.diagnose(network=False)
    next(diagnosis)
    assert started[0].poll() is None
    diagnosis.close()
    assert started[0].poll() == -signal.SIGKILL


def test_a_damaged_memory_of_it_counts_as_none(keras: FakePlugins) -> None:
    assert finding("computing").status == "ok"
    path = paths.cache_dir() / "backend.json"
    content = json.loads(path.read_text())
    for damage in ({}, [], 3, {"backend": 1, "seconds": "x", "error": None}):
        content["entries"] = dict.fromkeys(content["entries"], damage)
        path.write_text(json.dumps(content))
        assert finding("computing").status == "ok"


@pytest.mark.backend
def test_the_backend_of_this_test_computes(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import keras as real

    monkeypatch.setenv("KERAS_BACKEND", real.backend.backend())
    computing.main()
    outcome = json.loads(capsys.readouterr().out)
    assert (outcome["backend"], outcome["error"]) == (real.backend.backend(), None)


def test_a_malformed_config_is_an_error_and_counts_as_empty(only_fake_plugins: FakePlugins) -> None:
    assert finding("config").detail.startswith("there is no ")
    user_config.path().write_text("schema = 1\n[[mirrors]]\nkind = 'smoke'\n")
    found = finding("config")
    assert (found.status, "mirrors" in found.detail, str(user_config.path()) in found.detail) == ("error", True, True)
    user_config.write(UserConfig(mirrors=(Mirror("hub", "https://mirror.example"),)))
    assert (finding("config").status, "1 mirror" in finding("config").detail) == ("ok", True)


def test_an_unreadable_registry_is_an_error(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.write("../registry.toml", "not toml")
    assert finding("registry").status == "error"


def test_the_copies_of_other_registries_are_looked_at(only_fake_plugins: FakePlugins) -> None:
    user_config.write(UserConfig((RegistryLocation("acme", "https://acme.example/registry.toml"),)))
    found = finding("registry acme")
    assert (found.status, "zoo registry update acme" in found.fix) == ("error", True)
    copy = known_registries.copy_path("acme")
    copy.parent.mkdir(parents=True)
    copy.write_text("schema = 1\n")
    assert finding("registry acme").detail.endswith("0 plugins, copied from https://acme.example/registry.toml today")
    os.utime(copy, (time.time() - 100 * 86400,) * 2)
    found = finding("registry acme")
    assert (found.status, found.detail.endswith("100 days ago"), found.fix) == (
        "warning",
        True,
        "zoo registry update acme",
    )
