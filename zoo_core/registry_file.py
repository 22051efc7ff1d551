"""A registry, `registry.toml`: which plugins exist and where they come from; how it is read, every value checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zoo_core import manifest as manifests
from zoo_core import toml_files
from zoo_core.addresses import is_web_address
from zoo_core.checks import Check, Invalid, at, exactly, listing, named, no_doubles, table, text
from zoo_core.errors import ManifestError, RegistryError
from zoo_core.installed import why_incompatible
from zoo_core.names import is_sha256
from zoo_core.records import Plugin, Source
from zoo_core.schema import is_relative_folder
from zoo_core.text import clean

__all__ = ["FILE_NAME", "Plugin", "Source", "content", "parse", "read"]

FILE_NAME = "registry.toml"

SCHEMA = 1
_FACT_KEYS = ("distribution", "version", "summary", "requires-core", "source")


def read(path: Path, cache: toml_files.Cache | None = None) -> tuple[Plugin, ...]:
    """The plugins that a registry knows, none marked installed; raises RegistryError for anything wrong in it.

    What was parsed is remembered in `cache`, which is then the caller's to save.
    """
    remembered = cache or toml_files.Cache("registry.json")
    try:
        plugins = remembered.read(path, _plugins)
    except (ManifestError, Invalid) as error:
        raise RegistryError(str(error)) from None
    if cache is None:
        remembered.save()
    return plugins


def content(path: Path) -> bytes:
    """A registry's file as it is, at most 1 MB; raises RegistryError where it cannot be read."""
    try:
        return toml_files.read_bytes(path)
    except ManifestError as error:
        raise RegistryError(str(error)) from None


def parse(text: bytes, where: str) -> tuple[Plugin, ...]:
    """The plugins in a registry's content; raises RegistryError, with `where` in it."""
    try:
        return from_table(toml_files.decode(text, where), where)
    except ManifestError as error:
        raise RegistryError(str(error)) from None


def from_table(values: dict[str, Any], where: str) -> tuple[Plugin, ...]:
    """The plugins in a parsed registry; raises RegistryError, with `where` in it."""
    try:
        return _plugins(values, where)
    except (ManifestError, Invalid) as error:
        raise RegistryError(str(error)) from None


def _plugins(values: dict[str, Any], where: str) -> tuple[Plugin, ...]:
    where = clean(where)
    entries = enumerate(at(where, _REGISTRY, values).get("plugins", ()), 1)
    plugins = tuple(_plugin(entry, f"{where}: plugins: number {number}") for number, entry in entries)
    no_doubles(f"{where}: plugin {plugin.name}" for plugin in plugins)
    return plugins


def _plugin(entry: Mapping[str, Any], where: str) -> Plugin:
    facts = at(where, _FACTS, {key: value for key, value in entry.items() if key in _FACT_KEYS})
    manifest = manifests.from_table({key: value for key, value in entry.items() if key not in _FACT_KEYS}, where)
    return Plugin(
        name=manifest.plugin,
        distribution=facts["distribution"],
        version=facts["version"],
        summary=facts.get("summary", ""),
        requires_core=facts.get("requires-core", ""),
        compatible=why_incompatible(facts.get("requires-core", "")) is None,
        manifest=manifest,
        source=facts["source"],
    )


def checked_source(value: object) -> Source:
    """The source in a table; raises Invalid."""
    chosen = _SOURCE(value)
    kinds = chosen.keys() - {"sha256"}
    if len(kinds) != 1 or ("wheel" in kinds) != ("sha256" in chosen):
        raise Invalid('should have a "path", or an "index", or a "wheel" with its "sha256"')
    kind = kinds.pop()
    return Source(kind, chosen[kind], chosen.get("sha256", ""))


def _entry(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid("should be a table")
    return value


DISTRIBUTION = named(re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?").fullmatch, "a distribution's name")
VERSION = named(re.compile(r"[0-9][0-9A-Za-z.+!-]{0,60}").fullmatch, "a version")
# What follows a # is the installer's: a hash there would be the one that it checks.
_ADDRESS = named(lambda value: is_web_address(value) and "#" not in value, "an https:// address without a #")

_REGISTRY: Check[dict[str, Any]] = table(
    dict, "schema", "plugins", {"schema": exactly(SCHEMA), "plugins": listing(_entry)}
)
_SOURCE: Check[dict[str, str]] = table(
    dict,
    "",
    "path wheel index sha256",
    {
        "path": named(is_relative_folder, "a folder beside the registry"),
        "wheel": _ADDRESS,
        "index": _ADDRESS,
        "sha256": named(is_sha256, "64 hexadecimal digits"),
    },
)
_FACTS: Check[dict[str, Any]] = table(
    dict,
    "distribution version source",
    "summary requires-core",
    {
        "distribution": DISTRIBUTION,
        "version": VERSION,
        "summary": text,
        "requires-core": text,
        "source": checked_source,
    },
)
