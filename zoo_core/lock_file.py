"""A lock file, `zoo.lock`: plugins by version and presets by revision and hashes; how it is read and written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core import toml_files
from zoo_core.checks import Check, Invalid, at, exactly, listing, named, no_doubles, or_empty, table
from zoo_core.errors import LockError, ManifestError, UsageError
from zoo_core.names import (
    is_hub_reference,
    is_plugin_name,
    is_repository,
    is_revision,
    parse_hub_reference,
    parse_reference,
)
from zoo_core.records import File, Source
from zoo_core.registry_file import DISTRIBUTION, VERSION, checked_source
from zoo_core.schema import FILE
from zoo_core.text import clean

FILE_NAME = "zoo.lock"

_SCHEMA = 1
_HEADING = "# Written by `zoo freeze`; `zoo pull --from FILE` brings exactly this to another machine.\n"


@dataclass(frozen=True, slots=True)
class LockedPlugin:
    """A plugin at one version; `source` is where on the web that version is, None where no registry said so."""

    name: str
    distribution: str
    version: str
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class LockedPreset:
    """Weights: `name` is what to pull, `repo` and `revision` their place on the Hub, "" where they are bundled."""

    name: str
    plugin: str
    files: tuple[File, ...]
    repo: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """What there was on a machine, and the version of zoo-core that it ran."""

    core: str
    plugins: tuple[LockedPlugin, ...] = ()
    presets: tuple[LockedPreset, ...] = ()


def read(path: Path) -> Lock:
    """The lock in a file; raises LockError for anything wrong in it."""
    try:
        return _checked(toml_files.read(path), clean(str(path)))
    except (ManifestError, Invalid) as error:
        raise LockError(str(error), "make it again: zoo freeze --output FILE") from None


def render(lock: Lock) -> str:
    """The lock as TOML; `read` gives it back."""
    return "\n".join(_lines(lock)) + "\n"


def _lines(lock: Lock) -> Iterator[str]:
    yield f"{_HEADING}schema = {_SCHEMA}"
    yield from _pairs(core=lock.core)
    for plugin in lock.plugins:
        yield "\n[[plugins]]"
        yield from _pairs(name=plugin.name, distribution=plugin.distribution, version=plugin.version)
        if plugin.source:
            yield "[plugins.source]"
            yield from _pairs(**{plugin.source.kind: plugin.source.value, "sha256": plugin.source.sha256})
    for preset in lock.presets:
        yield "\n[[presets]]"
        yield from _pairs(name=preset.name, plugin=preset.plugin, repo=preset.repo, revision=preset.revision)
        for file in preset.files:
            yield "[[presets.files]]"
            yield from _pairs(name=file.name, size=file.size, sha256=file.sha256)


def _pairs(**values: str | int) -> Iterator[str]:
    from zoo_core.manifest import toml_value

    return (f"{key} = {toml_value(value)}" for key, value in values.items() if value != "")


def _checked(values: dict[str, Any], where: str) -> Lock:
    found = at(where, _LOCK, values)
    lock = Lock(found["core"], found.get("plugins", ()), found.get("presets", ()))
    no_doubles(f"{where}: plugin {plugin.name}" for plugin in lock.plugins)
    no_doubles(f"{where}: preset {preset.name}" for preset in lock.presets)
    plugins = {plugin.name for plugin in lock.plugins}
    for preset in lock.presets:
        no_doubles(f"{where}: preset {preset.name}: file {file.name}" for file in preset.files)
        if preset.plugin not in plugins:
            raise Invalid(f"{where}: preset {preset.name} is of the plugin '{preset.plugin}', which is not in it")
    return lock


def _is_pinned(name: str) -> bool:
    """Whether this names one preset for ever: `plugin/model:variant`, or `hf://owner/name@<40 digits>`."""
    try:
        if is_hub_reference(name):
            parse_hub_reference(name)
            return True
        reference = parse_reference(name)
    except UsageError:
        return False
    return bool(reference.plugin and reference.variant and not reference.revision)


def _web_source(value: object) -> Source:
    source = checked_source(value)
    if source.kind == "path":
        raise Invalid("a path means nothing on another machine")
    return source


_PLUGIN = table(
    LockedPlugin,
    "name distribution version",
    "source",
    {
        "name": named(is_plugin_name, "a plugin's name"),
        "distribution": DISTRIBUTION,
        "version": VERSION,
        "source": _web_source,
    },
)
_PRESET = table(
    LockedPreset,
    "name plugin files",
    "repo revision",
    {
        "name": named(_is_pinned, "plugin/model:variant, or hf://owner/name@ and 40 hexadecimal digits"),
        "plugin": named(is_plugin_name, "a plugin's name"),
        "files": listing(FILE),
        "repo": or_empty(named(is_repository, "owner/name")),
        "revision": or_empty(named(is_revision, "40 hexadecimal digits")),
    },
)
_LOCK: Check[dict[str, Any]] = table(
    dict,
    "schema core",
    "plugins presets",
    {"schema": exactly(_SCHEMA), "core": VERSION, "plugins": listing(_PLUGIN), "presets": listing(_PRESET)},
)
