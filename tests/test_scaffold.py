"""`zoo new`: what it writes is a well-formed plugin, and it refuses what it must without leaving anything behind.

That a new plugin installs, passes its checks and tests, trains and is listed: `make check-new`.
"""

from __future__ import annotations

import ast
import json
import os
import re
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import FakePlugins
from zoo_core import manifest, packages, scaffold, snapshot
from zoo_core.cli import main
from zoo_core.errors import UsageError

CHECKOUT = Path(__file__).resolve().parents[1]
LONGEST = "a" + 39 * "b"
NAMES = ("x", "3d", "two-words", LONGEST)

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def here(tmp_path: Path, only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, where no plugin is installed but `taken`."""
    only_fake_plugins.add("taken")
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def content(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def workflows() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, text in scaffold.render("gates").items():
        if name.startswith(".github/workflows/"):
            yield text, yaml.safe_load(text)


# What is written


@pytest.mark.parametrize("name", NAMES)
def test_a_project_is_written_whole_under_its_own_name(name: str, here: Path) -> None:
    files = scaffold.write_project(name, here / "project")
    written = content(here / "project")
    assert set(written) == set(files) == set(scaffold.render(name))
    assert {"pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github/workflows/test.yml"} <= set(files)
    package = f"zoo_{name.replace('-', '_')}"
    modules = ("plugin", "layers", "losses", "models", "recipes", "commands")
    assert {f"{package}/{module}.py" for module in modules} <= set(files)
    for path, text in written.items():
        assert not re.search(r"my.plugin|\{core\}|tmpl", path + text), path
    assert [path.name for path in here.iterdir()] == ["project"]


@pytest.mark.parametrize("name", NAMES)
def test_its_code_is_formatted_and_without_complaints(name: str, here: Path) -> None:
    scaffold.write_project(name, here / "project")
    for command in (["check"], ["format", "--check", "--diff"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=here / "project",
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_it_is_a_plugin_for_this_core(name: str, here: Path) -> None:
    scaffold.write_project(name, here / "project")
    package = packages.read(here / "project")
    assert (package.distribution, list(package.plugins)) == (f"zoo-{name}", [name])
    assert package.fits
    assert packages.import_folder(package, name).is_dir()
    assert manifest.read(here / "project" / f"zoo_{name.replace('-', '_')}" / manifest.FILE_NAME).plugin == name


def test_every_definition_has_a_docstring() -> None:
    for name, text in scaffold.render("gates").items():
        if not name.endswith(".py"):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                plain = getattr(node, "name", "").startswith(("test_", "__"))
                assert plain or ast.get_docstring(node), (name, getattr(node, "name", "module"))


def test_it_works_with_this_core_and_later_ones_only() -> None:
    project = tomllib.loads(scaffold.render("gates")["pyproject.toml"])["project"]
    from zoo_core.version import __version__

    minor = ".".join(__version__.split(".")[:2])
    assert f"zoo-core>={minor}" in project["dependencies"]


def test_its_licence_is_ours_and_so_is_that_of_our_plugins() -> None:
    ours = (CHECKOUT / "LICENSE").read_text()
    assert scaffold.render("gates")["LICENSE"] == ours
    for project in CHECKOUT.glob("plugins/*/"):
        assert (project / "LICENSE").read_text() == ours


def test_every_action_is_pinned_to_a_commit_and_says_which_version_that_is() -> None:
    steps = [line.strip(" -") for text, _ in workflows() for line in text.splitlines() if "uses:" in line]
    assert len(steps) >= 6
    for step in steps:
        assert re.fullmatch(r"uses: (\./[\w./-]+\.yml|[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)", step), step


def test_workflows_may_write_only_where_they_publish() -> None:
    allowed = {"attach": {"contents": "write"}, "publish": {"id-token": "write"}}
    for _, workflow in workflows():
        assert workflow["permissions"] == {"contents": "read"}
        for name, job in workflow["jobs"].items():
            assert job.get("permissions") == allowed.get(name), name


def test_no_workflow_gets_the_core_by_its_bare_name_from_an_index() -> None:
    commands = [line for text, _ in workflows() for line in text.splitlines() if "pip install" in line]
    assert any("zoo-core" in line for line in commands)
    for line in commands:
        assert "zoo-core" not in line or "@ ${ZOO_CORE:?" in line, line


@pytest.mark.backend
def test_its_manifest_is_what_its_hooks_register(here: Path, only_fake_plugins: FakePlugins) -> None:
    scaffold.write_project("two-words", here / "project")
    folder = here / "project" / "zoo_two_words"
    only_fake_plugins.names.append("two-words")
    sys.path.insert(0, str(folder.parent))
    assert manifest.render(snapshot.build("two-words", folder)) == (folder / manifest.FILE_NAME).read_text()


# What is refused


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("Gates", "gates"),
        ("my_gates", "my-gates"),
        ("zoo-gates", "gates"),
        ("zoo_gates", "gates"),
        ("-gates", "gates"),
        ("gates-", "gates"),
        ("two--gates", "two-gates"),
        ("two gates", "two-gates"),
        ("../gates", "gates"),
        ("gates\x1b[31m", "gates-31m"),
        ("", "my-plugin"),
        ("门", "my-plugin"),
        (LONGEST + "b", "my-plugin"),
        ("zoo-core", "my-plugin"),
    ],
)
def test_a_malformed_name_is_met_with_a_better_one(name: str, better: str, here: Path) -> None:
    with pytest.raises(UsageError) as refused:
        scaffold.write_project(name, here / "project")
    assert refused.value.fix.endswith(f"zoo new {better}")
    assert refused.value.message.isprintable()
    assert not list(here.iterdir())


@pytest.mark.parametrize("name", ["core", "list", "new", "train"])
def test_a_name_of_the_zoo_itself_is_refused(name: str, here: Path) -> None:
    with pytest.raises(UsageError, match="name of zoo itself"):
        scaffold.write_project(name, here / "project")
    assert not list(here.iterdir())


def test_the_name_of_another_plugin_is_refused(here: Path) -> None:
    with pytest.raises(UsageError, match="there is a plugin 'taken' already, in zoo-taken"):
        scaffold.write_project("taken", here / "project")
    assert not list(here.iterdir())


@pytest.mark.parametrize("kind", ["folder", "file", "dangling link"])
def test_what_is_there_already_is_left_alone(kind: str, here: Path) -> None:
    place = here / "project"
    if kind == "folder":
        place.mkdir()
    elif kind == "file":
        place.write_text("mine")
    else:
        place.symlink_to("nowhere")
    before = place.lstat()
    with pytest.raises(UsageError, match="exists already"):
        scaffold.write_project("gates", place)
    assert [path.name for path in here.iterdir()] == ["project"]
    assert place.lstat() == before


def test_a_missing_parent_is_not_made(here: Path) -> None:
    with pytest.raises(UsageError, match=r"gone is no folder \(mkdir -p \S*gone\)"):
        scaffold.write_project("gates", here / "gone" / "project")
    assert not list(here.iterdir())


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_half_way_leaves_nothing(error: BaseException, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Path] = []
    write_text = Path.write_text

    def failing(path: Path, *arguments: Any, **options: Any) -> int:
        written.append(path)
        if len(written) == 5:
            raise error
        return write_text(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", failing)
    with pytest.raises((UsageError, KeyboardInterrupt)) as failed:
        scaffold.write_project("gates", here / "project")
    assert len(written) == 5
    assert not list(here.iterdir())
    if isinstance(error, OSError):
        assert "cannot be written: No space left on device" in str(failed.value)


# The command


def test_the_command_names_every_file_and_what_comes_next(here: Path, capsys: Captured) -> None:
    assert main(["new", "gates"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [f"./zoo-gates/{file}" for file in scaffold.render("gates")]
    assert "zoo install ./zoo-gates" in captured.err
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((here / "zoo-gates").stat().st_mode) == 0o777 & ~mask


def test_the_command_answers_in_json(here: Path, capsys: Captured) -> None:
    assert main(["new", "gates", "--out", "two gates", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["plugin"], answer["folder"], answer["done"]) == ("gates", "./two gates", True)
    assert answer["files"] == list(scaffold.render("gates"))
    assert answer["next"][0] == "zoo install './two gates'"


def test_a_dry_run_writes_nothing(here: Path, capsys: Captured) -> None:
    assert main(["new", "gates", "--dry-run"]) == 0
    assert "./zoo-gates/pyproject.toml" in capsys.readouterr().out
    assert not list(here.iterdir())


def test_the_command_refuses_in_one_line(here: Path, capsys: Captured) -> None:
    assert main(["new", "my_gates"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.endswith("(zoo new my-gates)\n")
