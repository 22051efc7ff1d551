"""Plugins that are not installed: projects in a checkout, wheels, and entries of a registry."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

from tests.conftest import MANIFEST, PARTS, PLUGIN, _fill

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "zoo-{name}"
version = "1.0"
description = "A tiny plugin"
dependencies = ["zoo-core>=0.1"]

[project.entry-points."zoo.plugins"]
{name} = "{package}.plugin"
"""

ENTRY = """
[[plugins]]
distribution = "zoo-{name}"
version = "1.0"
summary = "A tiny plugin"
requires-core = "{requires}"
schema = 1
plugin = "{name}"
[[plugins.models]]
name = "{name}"
target = "{package}.parts:Tiny"
task = "testing"
summary = "A tiny model"
[plugins.source]
{source}
"""


def write_project(root: Path, name: str = "tiny", pyproject: str = PYPROJECT) -> Path:
    """A plugin's project in `plugins/` of a checkout, with its manifest; its folder."""
    names = _names(name)
    folder = root / "plugins" / name
    package = folder / names["package"]
    package.mkdir(parents=True)
    (folder / "pyproject.toml").write_text(_fill(pyproject, names))
    texts = {"__init__.py": "", "plugin.py": PLUGIN, "parts.py": PARTS, "zoo-plugin.toml": MANIFEST}
    for file, text in texts.items():
        (package / file).write_text(_fill(text, names))
    return folder


def write_wheel(
    folder: Path,
    name: str = "tiny",
    version: str = "1.0",
    requires: Iterable[str] = ("zoo-core>=0.1",),
    tag: str = "py3",
    manifest: str | None = MANIFEST,
) -> Path:
    """A wheel with no more than its metadata and its manifest, as much of it as is read before it is installed."""
    package = f"zoo_{name}"
    path = folder / f"{package}-{version}-{tag}-none-any.whl"
    header = [f"Name: zoo-{name}", f"Version: {version}", "Summary: A tiny plugin"]
    header += [f"Requires-Dist: {each}" for each in requires]
    folder.mkdir(parents=True, exist_ok=True)
    with ZipFile(path, "w") as wheel:
        wheel.writestr(f"{package}-{version}.dist-info/METADATA", "\n".join(["Metadata-Version: 2.4", *header, "", ""]))
        wheel.writestr(f"{package}-{version}.dist-info/entry_points.txt", f"[zoo.plugins]\n{name} = {package}.plugin\n")
        kind = ["Wheel-Version: 1.0", "Root-Is-Purelib: true", f"Tag: {tag}-none-any", ""]
        wheel.writestr(f"{package}-{version}.dist-info/WHEEL", "\n".join(kind))
        if manifest is not None:
            wheel.writestr(f"{package}/zoo-plugin.toml", _fill(manifest, _names(name)))
    return path


def entry(name: str = "tiny", source: str = 'path = "plugins/tiny"', requires: str = ">=0.1") -> str:
    """A registry's entry for a plugin with one model."""
    return _fill(ENTRY, {**_names(name), "source": source, "requires": requires})


def _names(name: str) -> dict[str, str]:
    return {"name": name, "package": f"zoo_{name.replace('-', '_')}", "hash": "0" * 64}
