"""What is checked: an installed plugin, a project that need not be installed, and what neither is."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conformance.project import CORAL, Project, results
from tests.conftest import FakePlugins
from zoo_core.conformance import Result, compiled, runner, subjects, wheel_building
from zoo_core.conformance.results import Undecided
from zoo_core.errors import InstallError, NameNotFoundError, NotInstalledError, PluginError, UsageError


@pytest.fixture
def installed(whole: Project, fake_plugins: FakePlugins) -> FakePlugins:
    """The plugin as a wheel would have installed it."""
    folder = fake_plugins.add("coral", requires="zoo-core>=0.2")
    shutil.rmtree(folder)
    shutil.copytree(whole.package, folder, ignore=shutil.ignore_patterns("__pycache__"))
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(fake_plugins.folder).as_posix()},sha256=x,{path.stat().st_size}" for path in files]
    fake_plugins.write("zoo_coral-1.0.dist-info/RECORD", "\n".join([*lines, "zoo_coral-1.0.dist-info/RECORD,,", ""]))
    return fake_plugins


def wheel_of_installed() -> Result:
    with subjects.opened(["coral"]) as (subject,):
        assert subject.project is None
        return results(subject, "wheel")["wheel"]


def test_of_an_installed_plugin_the_record_is_read(installed: FakePlugins) -> None:
    assert wheel_of_installed().status == "passed"
    record = installed.folder / "zoo_coral-1.0.dist-info" / "RECORD"
    lines = record.read_text().splitlines()
    record.write_text("\n".join(line for line in lines if "model.safetensors" not in line))
    assert "RECORD lacks zoo_coral/presets/coral-small/model.safetensors" in wheel_of_installed().detail
    record.write_text(
        "\n".join(lines).replace("parts.py", "others.py").replace("config.json,sha256=x,", "config.json,sha256=x,9")
    )
    assert "config.json has 9" in wheel_of_installed().detail
    record.unlink()
    assert wheel_of_installed().status == "skipped"


def test_a_preset_that_is_on_the_hub_alone_is_not_downloaded(installed: FakePlugins) -> None:
    manifest = installed.folder / "zoo_coral" / "zoo-plugin.toml"
    place = f'repo = "someone/coral"\nrevision = "{"0" * 40}"'
    manifest.write_text(manifest.read_text().replace('folder = "presets/coral-small"', place))
    with subjects.opened(["coral"]) as (subject,):
        found = results(subject, "preset-files", "preset-card", "preset-loads")
    assert {result.status for result in found.values()} == {"skipped"}
    assert found["preset-loads"].detail.endswith("zoo pull coral:small")


def test_a_project_is_as_if_installed_while_it_is_checked(coral: Project) -> None:
    before = list(sys.path)
    with coral.opened() as subject:
        assert subject.package == coral.package
        assert subject.project == coral.folder
        assert [(item.kind, item.name) for item in subject.items()] == [
            ("plugin", "coral"),
            ("commands", "coral count"),
            ("losses", "coral/Quartic"),
            ("layers", "coral/Scale"),
            ("layers", "coral/Noise"),
            ("layers", "coral/Blend"),
            ("optimizers", "coral/Drift"),
            ("optimizers", "coral/Swell"),
            ("callbacks", "coral/Tide"),
            ("models", "coral/coral"),
            ("presets", "coral/coral:small"),
        ]
        assert "zoo_coral.parts" not in sys.modules
    assert sys.path == before
    assert find_spec("zoo_coral") is None


def test_a_copy_of_what_is_imported_already_is_refused(coral: Project, tmp_path: Path) -> None:
    copy = shutil.copytree(CORAL, tmp_path / "copy")
    with coral.opened() as subject:
        assert subject.registrations.models
        with pytest.raises(PluginError, match="is imported from .* already"), subjects.opened([f"{copy}/"]):
            pass


def test_what_is_not_there_is_told_with_what_to_do(
    only_fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_fake_plugins.add("tiny")
    for name, error, told in (
        ("tinny", NameNotFoundError, "no plugin 'tinny', did you mean 'tiny'?"),
        ("./nowhere", InstallError, "nowhere does not exist"),
        (str(tmp_path), InstallError, "is no Python project"),
    ):
        with pytest.raises(error, match=told), subjects.opened([name]):
            pass
    monkeypatch.setattr(subjects, "installed_plugins", tuple)
    with pytest.raises(NotInstalledError), subjects.opened(["tiny"]):
        pass


def test_of_a_plugin_for_another_core_only_that_is_told(fake_plugins: FakePlugins) -> None:
    fake_plugins.add_broken("wrong core version", "broken")
    with subjects.opened(["broken"]) as (subject,):
        found = results(subject, "hooks", "manifest", "imports", "docstring")
    assert "it needs zoo-core >=99" in found.pop("hooks").detail
    assert {result.status for result in found.values()} == {"skipped"}


def test_an_unknown_check_is_met_with_the_nearest(coral: Project) -> None:
    with coral.opened() as subject, pytest.raises(UsageError, match="no check 'jitt', did you mean 'jit'"):
        runner.plan(subject, ["jitt"])


def test_a_wheel_whose_builder_cannot_be_had_is_skipped(
    coral: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    coral.spoil("pyproject.toml", '"hatchling"]', '"no-such-builder"]').spoil(
        "pyproject.toml", "hatchling.build", "nsb"
    )
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(Undecided, match="needs no-such-builder, which is not installed here"):
        wheel_building.build(coral.folder, tmp_path)


def test_building_leaves_nothing_in_the_project(coral: Project, tmp_path: Path) -> None:
    # setuptools would leave its build/ and its .egg-info there.
    coral.spoil("pyproject.toml", '"hatchling"]', '"setuptools"]').spoil("pyproject.toml", "hatchling.", "setuptools.")
    coral.spoil("pyproject.toml", '"setuptools.build"', '"setuptools.build_meta"')
    before = sorted(coral.folder.rglob("*"))
    assert wheel_building.build(coral.folder, tmp_path).name.startswith("zoo_coral-1.0-")
    assert sorted(coral.folder.rglob("*")) == before


@pytest.mark.backend
def test_where_keras_cannot_compile_nothing_is_said_about_it(coral: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_COMPILERS", {})
    results = coral.check("jit")
    assert {result.status for result in results.values()} == {"skipped"}
    assert all("run this on TensorFlow or JAX" in result.detail for result in results.values())
