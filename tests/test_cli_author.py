"""The commands for those who make plugins and train models: manifest, registry, train, evaluate, install."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FakePlugins
from tests.projects import entry, write_project, write_wheel
from zoo_core import cache, evaluation, installer, pulling, training
from zoo_core.cache import Leftover
from zoo_core.cli import main
from zoo_core.evaluation import Evaluation

Captured = pytest.CaptureFixture[str]
MEASURED = Evaluation(
    split="test",
    examples=1000,
    seed=0,
    metrics={"bits_per_dim": 3.25, "bits_per_dim_standard_error": 0.01},
    baselines={"bits_per_dim": 4.5},
    data={"name": "mnist", "sha256": "0" * 64},
)


class Calls:
    """Stands in for a function: keeps the arguments of every call and answers the same to each."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self.calls.append((arguments, named))
        return self.answer


@pytest.mark.backend
def test_a_manifest_is_written_when_it_is_stale_and_only_then(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    checkout = only_fake_plugins.folder
    write_project(checkout)
    only_fake_plugins.names.append("tiny")
    manifest = checkout / "plugins/tiny/zoo_tiny/zoo-plugin.toml"
    monkeypatch.chdir(checkout)
    assert main(["manifest", "check"]) == 1
    assert capsys.readouterr().err.endswith(
        "not up to date: plugins/tiny/zoo_tiny/zoo-plugin.toml (zoo manifest update)\n"
    )
    assert main(["manifest", "update"]) == 0
    assert "Doubles its input." in manifest.read_text()
    assert main(["manifest", "check", "plugins/tiny"]) == 0
    capsys.readouterr()
    assert main(["manifest", "check", "--json"]) == 0
    path = str(manifest.relative_to(checkout))
    assert json.loads(capsys.readouterr().out) == [{"path": path, "current": True}]
    written = manifest.stat().st_mtime_ns
    assert main(["manifest", "update"]) == 0
    assert manifest.stat().st_mtime_ns == written
    assert capsys.readouterr().out.endswith("zoo-plugin.toml is up to date\n")


def test_a_folder_without_a_plugin_has_no_manifest(
    only_fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["manifest", "update"]) == 1
    assert "no Python project" in capsys.readouterr().err


def test_the_registry_is_built_and_checked(only_fake_plugins: FakePlugins, tmp_path: Path, capsys: Captured) -> None:
    write_project(tmp_path)
    assert main(["registry", "check", str(tmp_path)]) == 1
    assert "zoo registry build" in capsys.readouterr().err
    assert main(["registry", "check", str(tmp_path), "--json"]) == 1
    path = str(tmp_path / "registry.toml")
    assert json.loads(capsys.readouterr().out) == {"path": path, "current": False}
    assert main(["registry", "build", str(tmp_path)]) == 0
    assert main(["registry", "check", str(tmp_path)]) == 0
    capsys.readouterr()
    assert main(["list", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == ["tiny"]


def test_there_is_no_registry_outside_a_checkout(tmp_path: Path, capsys: Captured) -> None:
    for command in ("check", "build"):
        assert main(["registry", command, str(tmp_path)]) == 1
        assert f"{tmp_path} is no checkout of the zoo" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_train_passes_on_what_it_is_told(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    only_fake_plugins.add("tiny")
    record = {"model": "tiny/tiny", "settings": {"data": "mnist"}}
    train = Calls(record)
    monkeypatch.setattr(training, "train", train)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert main(["train", "tiny", "--data", "mnist", "--set", "epochs=3", "--set", "note=a=b", "--minutes", "2"]) == 0
    arguments, named = train.calls[0]
    assert arguments == ("tiny", "mnist", {"epochs": "3", "note": "a=b"})
    assert named == {"out": None, "init": None, "resume": True, "minutes": 2.0}
    assert "zoo evaluate ./runs/tiny-mnist --record" in capsys.readouterr().out
    assert main(["train", "tiny", "--out", "elsewhere", "--init", "tiny:first", "--fresh", "--json"]) == 0
    assert train.calls[1][1] == {"out": Path("elsewhere"), "init": "tiny:first", "resume": False, "minutes": None}
    assert json.loads(capsys.readouterr().out) == record


def test_evaluate_shows_metrics_beside_the_baseline(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    only_fake_plugins.add("tiny")
    evaluate, verify, pull = Calls(MEASURED), Calls(MEASURED), Calls()
    monkeypatch.setattr(pulling, "pull", pull)
    monkeypatch.setattr(evaluation, "evaluate", evaluate)
    monkeypatch.setattr(evaluation, "verify", verify)
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    assert main(["evaluate", "tiny", "--limit", "1000", "--seed", "7", "--record"]) == 0
    assert evaluate.calls == [(("tiny", None), {"split": "test", "seed": 7, "limit": 1000, "record": True})]
    shown = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert shown[1:] == [["bits_per_dim", "3.2500", "0.0100"], ["baseline:", "bits_per_dim", "4.5000", "-"]]
    assert main(["evaluate", "./runs/tiny", "--verify", "--json"]) == 0
    assert verify.calls == [(("./runs/tiny", None), {})]
    assert [arguments for arguments, _ in pull.calls] == [("tiny",), ("./runs/tiny",)]
    document = json.loads(capsys.readouterr().out)
    assert (document["name"], document["examples"], document["metrics"]) == (
        "./runs/tiny",
        1000,
        dict(MEASURED.metrics),
    )


def test_an_unknown_model_is_refused_before_anything_is_loaded(
    only_fake_plugins: FakePlugins, capsys: Captured
) -> None:
    for command in ("train", "evaluate"):
        assert main([command, "nothing"]) == 1
        assert capsys.readouterr().err == "zoo: no model 'nothing' (zoo list)\n"


def test_install_shows_the_command_and_runs_it_with_consent(
    only_fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    execute = Calls()
    monkeypatch.setattr(installer, "execute", execute)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setenv("ZOO_WHEELS", str(tmp_path))
    wheel = write_wheel(tmp_path)
    only_fake_plugins.write("../registry.toml", f"schema = 1\n{entry()}")
    assert main(["install", "tiny", "--dry-run"]) == 0
    assert main(["install", "tiny"]) == 2
    assert execute.calls == []
    assert main(["install", "tiny", "--yes"]) == 0
    assert len(execute.calls) == 1
    captured = capsys.readouterr()
    assert captured.out == "installed zoo-tiny 1.0\n"
    assert captured.err.count(f"pip install --quiet --disable-pip-version-check --no-input {wheel}\n") == 3
    capsys.readouterr()
    assert main(["install", "tiny", "--dry-run", "--json"]) == 0
    (plan,) = json.loads(capsys.readouterr().out)
    assert (plan["action"], plan["plugins"], plan["commands"][0][-1], plan["done"]) == (
        "install",
        ["tiny"],
        str(wheel),
        False,
    )
    only_fake_plugins.add("tiny")
    assert main(["install", "tiny"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "tiny is installed already\n"
    assert main(["install", "tiny", "--json"]) == 0
    assert [plan["done"] for plan in json.loads(capsys.readouterr().out)] == [True]


def test_uninstall_runs_with_consent(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    only_fake_plugins.add("tiny")
    execute = Calls()
    monkeypatch.setattr(installer, "execute", execute)
    assert main(["uninstall", "tiny"]) == 2
    assert main(["uninstall", "tiny", "--dry-run"]) == 0
    assert execute.calls == []
    assert main(["uninstall", "tiny", "--yes"]) == 0
    assert len(execute.calls) == 1
    capsys.readouterr()
    assert main(["uninstall", "tiny", "--yes", "--json"]) == 0
    (plan,) = json.loads(capsys.readouterr().out)
    assert (plan["action"], plan["distribution"], plan["done"]) == ("uninstall", "zoo-tiny", True)


def test_prune_shows_what_it_would_delete_and_deletes_it_with_consent(
    only_fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    old = Leftover("superseded", "someone/weights@" + "0" * 40, tmp_path, 1_500_000)
    delete = Calls()
    monkeypatch.setattr(cache, "leftovers", Calls([old]))
    monkeypatch.setattr(cache, "delete", delete)
    row = {"kind": "superseded", "name": old.name, "path": str(tmp_path), "size": 1_500_000}
    assert main(["cache", "prune", "--dry-run", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"deleted": [], "would_delete": [row]}
    assert main(["cache", "prune"]) == 2
    assert delete.calls == []
    assert main(["cache", "prune", "--yes"]) == 0
    assert delete.calls == [(([old],), {})]
    assert "1.5 MB to delete" in capsys.readouterr().err
