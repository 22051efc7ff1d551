"""The packages: what the build files promise, and that what is generated and pinned belongs to them."""

from __future__ import annotations

import ast
import os
import re
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from zoo_core import packages
from zoo_core.version import __version__

CHECKOUT = Path(__file__).resolve().parents[1]
PLUGINS = sorted(file.parent for file in CHECKOUT.glob("plugins/*/pyproject.toml"))
BACKENDS = ("tensorflow", "tensorflow-cpu", "jax", "torch")


def project(folder: Path) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return table


def requirements() -> list[Requirement]:
    """Everything that any of our packages or their extras asks for, but for one another."""
    tables = [project(folder) for folder in (CHECKOUT, *PLUGINS)]
    lines = [line for table in tables for line in table["dependencies"]]
    lines += [line for table in tables for extra in table.get("optional-dependencies", {}).values() for line in extra]
    return [requirement for requirement in map(Requirement, lines) if not requirement.name.startswith("zoo-")]


def modules(lines: list[str]) -> set[str]:
    """The import packages of requirements."""
    unlike = {"huggingface-hub": "huggingface_hub", "pillow": "PIL", "zoo-core": "zoo_core"}
    return {unlike.get(name, name) for name in (Requirement(line).name for line in lines)}


def imports(folder: Path) -> set[str]:
    """The import packages that a package's modules import, but for itself and the standard library."""
    trees = [ast.parse(file.read_text()) for file in folder.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    return {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {folder.name}


def pins() -> dict[str, str]:
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines)


def test_constraints_are_plain_pins_in_order() -> None:
    lines = (CHECKOUT / "constraints.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9a-z.]+", line) for line in lines)
    names = [line.partition("==")[0] for line in lines]
    assert names == sorted(set(names))


def test_every_requirement_is_pinned_to_a_version_that_it_allows() -> None:
    # TensorFlow with GPU support is for users: what runs here is the CPU build.
    for requirement in requirements():
        if requirement.name != "tensorflow":
            assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)]), str(requirement)


def test_what_runs_here_is_what_is_pinned() -> None:
    for name, pinned in pins().items():
        try:
            found = Version(metadata.version(name))
        except metadata.PackageNotFoundError:
            continue
        assert found.public == pinned, name


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_backend_is_an_extra_with_a_keras_that_is_safe(backend: str) -> None:
    (keras, computing) = map(Requirement, project(CHECKOUT)["optional-dependencies"][backend])
    assert (keras.name, computing.name) == ("keras", backend)
    assert not keras.specifier.contains("3.15.0")


def test_what_is_imported_is_asked_for_and_what_is_asked_for_is_imported() -> None:
    # The backends are extras, Pillow is asked for by the plugins that read images, and pytest loads its plugin itself.
    imported = imports(CHECKOUT / "zoo_core") - {"keras", "tensorflow", "jax", "torch", "PIL", "pytest"}
    assert imported == modules(project(CHECKOUT)["dependencies"])


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_what_a_plugin_imports_is_asked_for_and_the_other_way_round(folder: Path) -> None:
    (package,) = folder.glob("zoo_*/")
    # The core brings typer, in which commands are written, and rich, which shows their progress; backends are extras.
    assert imports(package) - {"typer", "rich", "tensorflow", "jax", "torch"} == modules(
        project(folder)["dependencies"]
    )


def test_the_version_is_written_once() -> None:
    assert project(CHECKOUT)["dynamic"] == ["version"]
    assert f'__version__ = "{__version__}"' in (CHECKOUT / "zoo_core" / "version.py").read_text()


@pytest.mark.parametrize("folder", PLUGINS, ids=lambda folder: folder.name)
def test_a_plugins_project_is_one(folder: Path) -> None:
    package = packages.read(folder)
    assert package.distribution == f"zoo-{folder.name}"
    assert list(package.plugins) == [folder.name]
    assert packages.import_folder(package, folder.name).name == f"zoo_{folder.name.replace('-', '_')}"
    assert package.fits
    assert any(Requirement(line).name == "keras" for line in package.requires)


def test_the_wheel_holds_the_registry_and_the_type_marker() -> None:
    build = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    assert build["wheel"]["force-include"] == {"registry.toml": "zoo_core/registry.toml"}
    assert (CHECKOUT / "registry.toml").is_file()
    assert (CHECKOUT / "zoo_core" / "py.typed").is_file()


def test_ci_runs_and_stops_at_the_first_failure() -> None:
    script = CHECKOUT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text()


def test_no_file_names_a_machines_path() -> None:
    files = ["Makefile", ".ci/run", "pyproject.toml", "constraints.txt", "registry.toml"]
    for text in ((CHECKOUT / file).read_text() for file in files):
        assert not re.search(r"/(work|root|home|opt|Users)/", text)
