"""Python, the core, Keras and its backend, what installs, and the folders that are written to."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

from zoo_core import hub, install_tool, paths
from zoo_core.backend import BACKENDS, in_keras_json, install_command
from zoo_core.doctor.computing import Computing
from zoo_core.doctor.finding import ERROR, OK, WARNING, Finding, pip
from zoo_core.errors import InstallError
from zoo_core.text import human_size
from zoo_core.version import __version__

_LEAST_KERAS = "3.15.1"
_LITTLE_ROOM = 1_000_000_000


def findings(computing: Computing) -> Iterator[Finding]:
    """What these checks find; `computing` tries whether the backend computes, if anything does."""
    yield Finding("python", OK, f"Python {platform.python_version()} on {platform.system()} {platform.machine()}")
    yield _core()
    yield _keras()
    yield (chosen := _backend())
    if chosen.status == OK:
        yield from computing.findings()
    yield _installer()
    yield _memory()
    yield _hub()


def version_of(distribution: str) -> str | None:
    """The version of an installed distribution; None where it is not installed."""
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _core() -> Finding:
    folder = Path(__file__).parents[1]
    installed = version_of("zoo-core")
    if installed not in (None, __version__):
        checkout = folder.parent if (folder.parent / "pyproject.toml").is_file() else None
        fix = pip("install", "--editable", str(checkout)) if checkout else "reinstall zoo-core"
        detail = f"{folder} is zoo-core {__version__}, but it is installed as {installed}: plugins are held to that"
        return Finding("zoo-core", WARNING, detail, fix)
    return Finding("zoo-core", OK, f"zoo-core {__version__}, {folder}")


def _keras() -> Finding:
    from packaging.version import Version

    version = version_of("keras")
    if version is None:
        return Finding("keras", ERROR, "Keras is not installed", install_command(BACKENDS[0]))
    if Version(version) < Version(_LEAST_KERAS):
        detail = f"Keras {version} has known vulnerabilities, mended in {_LEAST_KERAS}"
        return Finding("keras", ERROR, detail, pip("install", f"keras>={_LEAST_KERAS}"))
    return Finding("keras", OK, f"Keras {version}")


def _backend() -> Finding:
    versions = {name: version_of(name) or version_of(f"{name}-cpu") for name in BACKENDS}
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    chosen = os.environ.get("KERAS_BACKEND", "")
    if not found:
        return Finding("backend", ERROR, "no backend is installed to compute with", install_command(BACKENDS[0]))
    if chosen and not versions.get(chosen):
        there = next(name for name in BACKENDS if versions[name])
        detail = f"KERAS_BACKEND is {chosen!r}, installed is {found}"
        return Finding("backend", ERROR, detail, f"unset KERAS_BACKEND, or: export KERAS_BACKEND={there}")
    if chosen:
        return Finding("backend", OK, f"{found}; {chosen} will compute, as KERAS_BACKEND says")
    return Finding("backend", OK, f"{found}; {_usual(versions)} will compute")


def _usual(versions: Mapping[str, str | None]) -> str:
    """The backend that `backend.choose` would take of these where KERAS_BACKEND is not set."""
    usual = in_keras_json() or BACKENDS[0]
    return next(name for name in (usual, *BACKENDS) if versions[name])


def _installer() -> Finding:
    try:
        tool = install_tool.check_environment()
    except InstallError as error:
        return Finding("installer", WARNING, error.message, error.fix)
    return Finding("installer", OK, f"plugins are installed with {tool}")


def _memory() -> Finding:
    folder = paths.cache_dir()
    if os.access(_existing(folder), os.W_OK):
        return Finding("memory", OK, f"what the zoo remembers is in {folder}")
    detail = f"{folder} cannot be written: plugins are looked at anew each time"
    return Finding("memory", WARNING, detail, "export ZOO_HOME=FOLDER, one that can be written")


def _hub() -> Finding:
    folder = hub.cache_folder()
    free = shutil.disk_usage(_existing(folder)).free
    settings = [f"{name}={os.environ[name]}" for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE") if os.environ.get(name)]
    detail = ", ".join([f"weights are downloaded to {folder}", f"{human_size(free)} free", *settings])
    if not os.access(_existing(folder), os.W_OK):
        fix = "export HF_HOME=FOLDER, one that can be written"
        return Finding("downloads", WARNING, f"{folder} cannot be written: no weights can be pulled", fix)
    if free < _LITTLE_ROOM:
        return Finding("downloads", WARNING, detail, "zoo cache prune, or: export HF_HOME=FOLDER, on a larger disk")
    return Finding("downloads", OK, detail)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())
