"""Installations for `zoo doctor` to look at."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from tests.conftest import FakePlugins
from tests.doctor.support import KERAS, NEW
from zoo_core import manifest
from zoo_core.backend import BACKENDS
from zoo_core.doctor import computing, installation
from zoo_core.manifest import Manifest, Model, Preset
from zoo_core.presets import describe


@pytest.fixture(autouse=True)
def surroundings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty cache; whether the backend computes, which takes seconds, is tried only where that is tested."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE", "KERAS_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    if "keras" not in request.fixturenames:
        monkeypatch.setattr(computing, "_start", lambda: None)


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The distributions that are installed, as a test sets them."""
    installed = {"keras": "3.15.1", "tensorflow-cpu": "2.21.0", "zoo-core": installation.__version__}
    really = metadata.version

    def version(name: str) -> str:
        if name in installed:
            return installed[name]
        if name in ("keras", "zoo-core", *BACKENDS, *(f"{backend}-cpu" for backend in BACKENDS)):
            raise metadata.PackageNotFoundError(name)
        return really(name)

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setenv("KERAS_HOME", "/nowhere")
    return installed


@pytest.fixture
def keras(only_fake_plugins: FakePlugins) -> FakePlugins:
    """A stand-in for Keras and for TensorFlow in the process that tries them."""
    only_fake_plugins.write("tensorflow/__init__.py", "")
    for name, text in KERAS.items():
        only_fake_plugins.write(f"keras/{name}", text)
    return only_fake_plugins


@pytest.fixture
def site(only_fake_plugins: FakePlugins, tmp_path: Path) -> FakePlugins:
    """The plugin `tiny`, all of it well, with a preset on the Hub, toys/tiny at NEW, of one file."""
    (tmp_path / "weights").write_bytes(b"weights")
    preset = Preset("tiny", "far", "MIT", 3, files=(describe(tmp_path / "weights"),), repo="toys/tiny", revision=NEW)
    models = (Model("tiny", "zoo_tiny.parts:Tiny", "testing"),)
    package = only_fake_plugins.add(
        "tiny",
        plugin="from zoo_core import hookimpl\n@hookimpl\ndef register_models(register):\n"
        "    register('tiny', 'zoo_tiny.parts:Tiny', task='testing')\n",
    )
    (package / manifest.FILE_NAME).write_text(manifest.render(Manifest("tiny", models=models, presets=(preset,))))
    return only_fake_plugins
