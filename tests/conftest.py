"""Fake plugins for the core's tests: a distribution's metadata and a package in a folder, as installers leave them."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo_core import host
from zoo_core import manifest as manifests

CHECKOUT = Path(__file__).resolve().parents[1]

PLUGIN = '''
from zoo_core import hookimpl

@hookimpl
def register_layers(register):
    register("Doubler", "{package}.parts:Doubler")

@hookimpl
def register_models(register):
    register("{name}", "{package}.parts:Tiny", recipe="{package}.parts:Recipe", task="testing",
             summary="A tiny model", paper="arXiv:0000.00000", default="first")

@hookimpl
def register_commands(app):
    @app.command()
    def hello() -> None:
        """Say hello."""
        print("hello from {name}")

    @app.command()
    def goodbye() -> None:
        """Say goodbye."""
        print("goodbye from {name}")
'''

PARTS = '''
class Doubler:
    """Doubles its input.

    Twice the input is the output.
    """

    def __init__(self, units=1):
        self.units = units


class Tiny:
    """A tiny model."""


class Recipe:
    """How to train it."""
'''

MANIFEST = """\
schema = 1
plugin = "{name}"

[[components]]
kind = "layers"
name = "Doubler"
target = "{package}.parts:Doubler"
summary = "Doubles its input."

[[models]]
name = "{name}"
target = "{package}.parts:Tiny"
task = "testing"
summary = "A tiny model"
recipe = "{package}.parts:Recipe"
paper = "arXiv:0000.00000"
default = "first"

[[commands]]
name = "hello"
summary = "Say hello."

[[commands]]
name = "goodbye"
summary = "Say goodbye."

[[presets]]
model = "{name}"
variant = "first"
license = "Apache-2.0"
parameters = 1234
data = "mnist"
folder = "presets/{name}-first"
[presets.metrics]
bits_per_dim = 1.25
[[presets.files]]
name = "config.json"
size = 60
sha256 = "{hash}"
[[presets.files]]
name = "model.safetensors"
size = 4936
sha256 = "{hash}"
"""

MORE_FILES = """\
[[presets.files]]
name = "run.json"
size = 1024
sha256 = "{hash}"
[[presets.files]]
name = "README.md"
size = 512
sha256 = "{hash}"
"""

# Kind of broken plugin -> how `FakePlugins.add` makes one, and what its reason says.
BROKEN: dict[str, tuple[dict[str, str], str]] = {
    "raises on import": ({"plugin": "raise RuntimeError('on purpose')"}, "RuntimeError: on purpose"),
    "raises in a hook": (
        {"plugin": "from zoo_core import hookimpl\n@hookimpl\ndef register_layers(register):\n    1 / 0"},
        "ZeroDivisionError",
    ),
    "ends the interpreter": ({"plugin": "raise SystemExit(3)"}, "SystemExit: 3"),
    "ends the process": ({"plugin": "import os\nos._exit(7)"}, "exit status 7"),
    "bad manifest": ({"manifest": "[[components"}, "not valid TOML"),
    "wrong core version": ({"requires": "zoo-core>=99"}, "it needs zoo-core >=99"),
    "name clash": ({"rival": "another-distribution"}, "claim the name"),
    "misspelt hook": (
        {"plugin": "from zoo_core import hookimpl\n@hookimpl\ndef register_layer(register):\n    pass"},
        "register_layer is not a hook, did you mean 'register_layers'?",
    ),
    "undecorated hook": ({"plugin": "def register_layers(register):\n    pass"}, "@hookimpl"),
    "missing module": ({"entry_point": "{package}.elsewhere"}, "ModuleNotFoundError: No module named"),
    "missing package": ({"entry_point": "zoo_nowhere.plugin"}, "'zoo_nowhere' is not there"),
}


class FakePlugins:
    """Makes plugins in one folder that is on the import path, as `site-packages` is."""

    def __init__(self, folder: Path) -> None:
        """They go into this folder."""
        self.folder = folder
        self.names: list[str] = []

    def add(
        self,
        name: str = "tiny",
        *,
        plugin: str = PLUGIN,
        manifest: str | None = MANIFEST,
        init: str = "",
        summary: str = "A tiny plugin",
        version: str = "1.0",
        requires: str = "zoo-core>=0.1",
        entry_point: str = "{package}.plugin",
        distribution: str = "zoo-{name}",
        rival: str = "",
    ) -> Path:
        """Install a plugin and return its package's folder; in the texts, {name} and {package} are filled in."""
        package = f"zoo_{name.replace('-', '_')}"
        names = {"name": name, "package": package, "hash": "0" * 64}
        for distributed in filter(None, [distribution.format(**names), rival]):
            self._add_metadata(distributed, name, entry_point.format(**names), summary, version, requires)
        files = {"__init__.py": init, "plugin.py": _fill(plugin, names), "parts.py": PARTS}
        if manifest is not None:
            files[manifests.FILE_NAME] = _fill(manifest, names)
        for file, text in files.items():
            self.write(f"{package}/{file}", text)
        self.names.append(name)
        return self.folder / package

    def add_broken(self, kind: str, name: str = "broken") -> Path:
        """Install a plugin that is broken in one of the ways in BROKEN."""
        return self.add(name, **BROKEN[kind][0])

    def add_many(self, count: int) -> None:
        """Install so many working plugins, with manifests of more than a kilobyte: plugin000, plugin001..."""
        for number in range(count):
            self.add(f"plugin{number:03}", manifest=MANIFEST + MORE_FILES)

    def add_heavy(self, name: str = "heavy") -> Path:
        """Install a plugin whose module imports tensorflow at its top: a stand-in, quick to import."""
        self.write("tensorflow/__init__.py", "")
        return self.add(name, plugin=f"import tensorflow\n{PLUGIN}")

    def write(self, path: str, text: str) -> Path:
        """Write a file into the folder."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def environment(self, **variables: str) -> dict[str, str]:
        """The environment for a process in which these plugins are installed."""
        path = os.pathsep.join([str(self.folder), str(CHECKOUT)])
        return {**os.environ, "PYTHONPATH": path, **variables}

    def python(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the interpreter in a process in which these plugins are installed."""
        command = [sys.executable, *arguments]
        environment = self.environment(**variables)
        return subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=120)

    def _add_metadata(
        self, distribution: str, name: str, entry: str, summary: str, version: str, requires: str
    ) -> None:
        folder = f"{distribution.replace('-', '_')}-{version}.dist-info"
        header = ["Metadata-Version: 2.4", f"Name: {distribution}", f"Version: {version}", f"Summary: {summary}"]
        header += [f"Requires-Dist: {requires}"] if requires else []
        self.write(f"{folder}/METADATA", "\n".join([*header, "", "Not a header: at all"]))
        self.write(f"{folder}/entry_points.txt", f"[console_scripts]\nother = a:b\n\n[zoo.plugins]\n{name} = {entry}\n")


def _fill(text: str, names: dict[str, str]) -> str:
    for key, value in names.items():
        text = text.replace(f"{{{key}}}", value)
    return text


@pytest.fixture
def fake_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePlugins]:
    """A factory of plugins that are installed for this test and its subprocesses; no test sees another's."""
    plugins = FakePlugins(tmp_path / "site")
    plugins.folder.mkdir()
    plugins.write("../registry.toml", "schema = 1\n")
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "zoo-home"))
    monkeypatch.setenv("ZOO_REGISTRY", str(tmp_path / "registry.toml"))
    monkeypatch.setenv("ZOO_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.delenv("ZOO_NO_PROBE", raising=False)
    monkeypatch.setattr(sys, "path", [str(plugins.folder), *sys.path])
    importlib.invalidate_caches()
    yield plugins
    host.outcome.cache_clear()
    packages = {f"zoo_{name.replace('-', '_')}" for name in plugins.names} | {"tensorflow"}
    for module in [module for module in sys.modules if module.partition(".")[0] in packages]:
        if str(getattr(sys.modules[module], "__file__", "")).startswith(str(plugins.folder)):
            del sys.modules[module]


@pytest.fixture
def only_fake_plugins(fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> FakePlugins:
    """The factory, in a process in which no other distribution is seen."""
    from zoo_core import distributions, installed

    def in_the_folder() -> Iterator[distributions.Distribution]:
        found = distributions.plugin_distributions()
        return (each for each in found if each.metadata.parent == fake_plugins.folder)

    monkeypatch.setattr(installed, "plugin_distributions", in_the_folder)
    return fake_plugins


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of data sets, $ZOO_DATA or the one beside the checkout; the test is skipped where there is none."""
    folder = Path(os.environ.get("ZOO_DATA") or CHECKOUT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no data sets: set ZOO_DATA to their folder")
    return folder


def by_name(plugins: Any) -> dict[str, Any]:
    """Plugins in a dictionary."""
    return {plugin.name: plugin for plugin in plugins}
