"""What may be wrong with an installation: each check says what it found and, if that is not right, what mends it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from zoo_core import cache, hub, index, installer, paths, probe
from zoo_core.backend import BACKENDS, in_keras_json, install_command
from zoo_core.errors import InstallError, RegistryError, ZooError
from zoo_core.records import Plugin
from zoo_core.text import human_size, plural
from zoo_core.version import __version__

_LEAST_KERAS = "3.15.1"
_LITTLE_ROOM = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome: `status` is ok, warning or error; `fix` what to do about it."""

    check: str
    status: str
    detail: str
    fix: str = ""


def diagnose(refresh: bool = False) -> Iterator[Finding]:
    """All findings; with `refresh`, plugins that were loaded before are loaded again."""
    yield _python()
    yield _registry()
    yield _keras()
    yield _backend()
    yield _environment()
    yield _cache_folder()
    yield _hub()
    yield from _plugins(refresh)
    yield from _weights()


def _python() -> Finding:
    detail = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, zoo-core {__version__}"
    return Finding("python", "ok", f"{detail}, {Path(__file__).parent}")


def _registry() -> Finding:
    try:
        known = index.available_plugins()
    except RegistryError as error:
        return Finding("registry", "error", error.message, error.fix or "reinstall zoo-core")
    path = paths.registry_path()
    if path is None:
        return Finding("registry", "warning", "there is none: only installed plugins are known", "reinstall zoo-core")
    return Finding("registry", "ok", f"{plural(len(known), 'plugin')} in {path}")


def _keras() -> Finding:
    from packaging.version import Version

    version = _version_of("keras")
    if version is None:
        return Finding("keras", "error", "Keras is not installed", install_command(BACKENDS[0]))
    if Version(version) < Version(_LEAST_KERAS):
        detail = f"Keras {version} has known vulnerabilities, mended in {_LEAST_KERAS}"
        return Finding("keras", "error", detail, f"{sys.executable} -m pip install 'keras>={_LEAST_KERAS}'")
    return Finding("keras", "ok", f"Keras {version}")


def _backend() -> Finding:
    versions = {name: _version_of(name) or _version_of(f"{name}-cpu") for name in BACKENDS}
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    chosen = os.environ.get("KERAS_BACKEND", "")
    if not found:
        return Finding("backend", "error", "no backend is installed to compute with", install_command(BACKENDS[0]))
    if chosen and not versions.get(chosen):
        detail = f"KERAS_BACKEND is {chosen!r}, installed is {found}"
        return Finding("backend", "error", detail, f"unset KERAS_BACKEND, or set it to one of {', '.join(BACKENDS)}")
    computing = f"{chosen} will compute, as KERAS_BACKEND says" if chosen else f"{_usual(versions)} will compute"
    return Finding("backend", "ok", f"{found}; {computing}")


def _usual(versions: Mapping[str, str | None]) -> str:
    """The backend that `backend.choose` would take of these where KERAS_BACKEND is not set."""
    usual = in_keras_json() or BACKENDS[0]
    return next(name for name in (usual, *BACKENDS) if versions[name])


def _environment() -> Finding:
    try:
        tool = installer.check_environment()
    except InstallError as error:
        return Finding("installer", "warning", error.message, error.fix)
    return Finding("installer", "ok", tool)


def _cache_folder() -> Finding:
    folder = paths.cache_dir()
    if os.access(_existing(folder), os.W_OK):
        return Finding("cache", "ok", str(folder))
    return Finding(
        "cache", "warning", f"{folder} cannot be written: plugins are looked at anew each time", "set ZOO_HOME"
    )


def _hub() -> Finding:
    folder = hub.cache_folder()
    free = shutil.disk_usage(_existing(folder)).free
    settings = [f"{name}={os.environ[name]}" for name in ("HF_ENDPOINT", "HF_HUB_OFFLINE") if os.environ.get(name)]
    detail = ", ".join([f"weights are downloaded to {folder}", f"{human_size(free)} free", *settings])
    if free < _LITTLE_ROOM:
        return Finding("hub", "warning", detail, "zoo cache prune, or set HF_HOME to a larger disk")
    return Finding("hub", "ok", detail)


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(place for place in (folder, *folder.absolute().parents) if place.exists())


def _plugins(refresh: bool) -> Iterator[Finding]:
    installed = index.installed_plugins()
    results = probe.results(installed, refresh=refresh)
    if not installed:
        yield Finding("plugins", "warning", "no plugin is installed", "zoo list, then zoo pull NAME")
    for plugin in installed:
        yield _plugin(plugin, results.get(plugin.name))


def _plugin(plugin: Plugin, result: probe.Result | None) -> Finding:
    name, described = f"plugin {plugin.name}", f"{plugin.distribution} {plugin.version}"
    if reason := plugin.broken or (result.error if result else None):
        return Finding(name, "error", f"{described}: {reason}", f"zoo uninstall {plugin.name}, or mend it")
    if blemish := _blemish(plugin, result):
        return Finding(name, "warning", f"{described}: {blemish[0]}", blemish[1])
    return Finding(name, "ok", f"{described}, loads in {result.seconds:.2f} s" if result else described)


def _blemish(plugin: Plugin, result: probe.Result | None) -> tuple[str, str] | None:
    """What is not as it should be in a plugin that works, and what mends it."""
    if result is None:
        return "its code was not tried", "unset ZOO_NO_PROBE"
    if result.heavy:
        return f"loading it imports {', '.join(result.heavy)}", "its author should import that inside functions"
    if plugin.manifest is None:
        return "it has no manifest, so its code is run to list it", "zoo manifest update PATH"
    if result.stale:
        return "its manifest is not what it registers", "zoo manifest update PATH"
    return None


def _weights() -> Iterator[Finding]:
    try:
        entries = cache.entries()
    except ZooError as error:
        yield Finding("weights", "error", error.message, error.fix)
        return
    for entry in entries:
        if not entry.complete:
            yield Finding(f"weights {entry.name}", "error", f"{entry.path} is incomplete", entry.fix)
    complete = [entry for entry in entries if entry.complete]
    if complete:
        size = human_size(sum(entry.preset.size for entry in complete))
        yield Finding(
            "weights", "ok", f"{plural(len(complete), 'preset')}, {size}; zoo cache verify checks their hashes"
        )


def _version_of(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None
