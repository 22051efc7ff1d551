"""`zoo check` and `pytest --zoo-plugin`: the same checks, shown in two ways."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.project import Project, forget
from zoo_core.cli import main
from zoo_core.conformance.table import CHECKS

CHECKOUT = Path(__file__).resolve().parents[2]
LIGHT = """
def test_nothing_heavy():
    import sys
    assert not {"keras", "tensorflow", "jax", "torch", "numpy", "typer", "huggingface_hub"} & sys.modules.keys()
    ours = {name.removeprefix("zoo_core") for name in sys.modules if name.startswith("zoo_core")}
    assert ours == {"", ".conformance", ".conformance.example", ".conformance.pytest_plugin"}
"""

Captured = pytest.CaptureFixture[str]


def zoo(capsys: Captured, *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(arguments)
    forget()
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def run_pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """pytest as an author of plugins has it: with no plugins but zoo-core's, from somewhere else."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-m", "pytest", "-p", "zoo_core.conformance.pytest_plugin", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=120
    )


def test_results_are_counted_and_failures_told(coral: Project, capsys: Captured) -> None:
    coral.spoil("zoo_coral/parts.py", '    """A linear map, times a factor."""\n', "")
    status, out, _ = zoo(capsys, "check", str(coral.folder), "--only", "docstring", "--only", "hooks")
    assert status == 1
    assert re.search(r"^hooks +1 +- +-$", out, re.MULTILINE)
    assert re.search(r"^docstring +9 +1 +-$", out, re.MULTILINE)
    assert "FAILED docstring of coral/Scale: Scale has no docstring\n" in out
    assert out.splitlines()[-1].startswith("11 checks: 10 passed, 1 failed, 0 skipped, in ")


def test_json_is_one_document_even_where_the_plugin_prints(coral: Project, capsys: Captured) -> None:
    coral.spoil("zoo_coral/__init__.py", '"""\n', '"""\n\nprint("hello")\n')
    status, out, _ = zoo(capsys, "check", str(coral.folder), "--only", "docstring", "--json")
    document = json.loads(out)
    assert status == 0
    assert document["backend"] in ("tensorflow", "jax", "torch")
    first = document["results"][0]
    assert first.pop("seconds") >= 0
    assert first == {"check": "docstring", "kind": "plugin", "object": "coral", "status": "passed", "detail": ""}


def test_what_is_skipped_for_one_reason_is_told_in_one_line(coral: Project, capsys: Captured) -> None:
    coral.spoil("zoo_coral/plugin.py", '"Drift", "zoo_coral.parts:Drift"', '"Drift", "zoo_coral.parts:Drft"')
    status, out, _ = zoo(capsys, "check", str(coral.folder), "--only", "docstring", "--only", "keras-name")
    assert status == 0
    assert "skipped docstring of coral/Drift: it cannot be imported: see the check 'builds'\n" in out
    assert "skipped keras-name of coral/Tide: Keras does not save callbacks, so it needs no name for one\n" in out


def test_without_a_name_the_projects_here_are_meant(
    coral: Project, capsys: Captured, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(coral.folder)
    assert zoo(capsys, "check", "--only", "hooks")[0] == 0
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    coral.folder.rename(plugins / "coral")
    monkeypatch.chdir(tmp_path)
    assert zoo(capsys, "check", "--only", "hooks")[0] == 0
    monkeypatch.chdir(plugins)
    status, out, error = zoo(capsys, "check", "--only", "hooks")
    assert (status, out) == (2, "")
    assert error == "zoo: there is no project in this folder: name a plugin, or a project's folder (zoo check glow)\n"


def test_the_checks_are_listed(capsys: Captured) -> None:
    status, out, _ = zoo(capsys, "check", "--list")
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == [check.name for check in CHECKS]
    document = json.loads(zoo(capsys, "check", "--list", "--json")[1])
    assert document[0] == {"check": "hooks", "kinds": ["plugin"], "demands": CHECKS[0].demand}


def test_every_check_is_documented_with_what_it_demands() -> None:
    text = (CHECKOUT / "docs" / "conformance.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| [^|]+ \| ([^|]+) \|$", text, re.MULTILINE))
    assert rows == {check.name: check.demand.replace("plugin>ClassName", "`plugin>ClassName`") for check in CHECKS}


def test_pytest_has_a_test_for_each_check_and_tells_failures_in_a_line(coral: Project, tmp_path: Path) -> None:
    coral.spoil("zoo_coral/plugin.py", '        """Count the corals."""\n', "")
    place = f'repo = "someone/coral"\nrevision = "{"0" * 40}"'
    coral.spoil("zoo_coral/zoo-plugin.toml", 'folder = "presets/coral-small"', place)
    chosen = "hooks or count or preset-card"
    done = run_pytest(tmp_path / "there", "--zoo-plugin", str(coral.folder), "-k", chosen, "-v", "-ra")
    assert done.returncode == 1
    assert "zoo-check/coral::hooks[coral] PASSED" in done.stdout
    assert "zoo-check/coral::docstring[coral count] FAILED" in done.stdout
    assert "zoo-check/coral::preset-card[coral/coral:small] SKIPPED" in done.stdout
    assert "its files are on the Hub alone" in done.stdout
    assert "\nthe command has no help: give its function a docstring\n" in done.stdout
    assert "Traceback" not in done.stdout
    assert "1 failed, 1 passed, 1 skipped" in done.stdout


def test_pytest_chooses_by_marker_among_the_author_s_own_tests(coral: Project, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "test_own.py").write_text("def test_own():\n    pass\n")
    done = run_pytest(there, "--zoo-plugin", str(coral.folder), "--collect-only", "-q", "--strict-markers")
    ids = [line for line in done.stdout.splitlines() if "::" in line]
    assert ids[0] == "test_own.py::test_own"
    assert "zoo-check/coral::jit[coral/Scale]" in ids
    done = run_pytest(there, "--zoo-plugin", str(coral.folder), "--collect-only", "-q", "-m", "zoo_check")
    assert [line for line in done.stdout.splitlines() if "::" in line] == ids[1:]


def test_pytest_tells_of_a_plugin_that_there_is_not(tmp_path: Path) -> None:
    done = run_pytest(tmp_path / "there", "--zoo-plugin", "nothing-like-it")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --zoo-plugin: no plugin 'nothing-like-it'" in done.stderr


def test_without_the_option_pytest_imports_nothing_heavy(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "test_light.py").write_text(LIGHT)
    done = run_pytest(there, "-q")
    assert done.returncode == 0, done.stdout
