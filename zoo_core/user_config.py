"""The user's settings, `config.toml`: other registries, mirrors of the Hub, and endpoints that may see a token."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo_core import paths, toml_files
from zoo_core.addresses import is_web_address
from zoo_core.checks import Check, Invalid, at, exactly, listing, named, no_doubles, table
from zoo_core.errors import ConfigError, ManifestError
from zoo_core.names import is_plugin_name
from zoo_core.records import OURS
from zoo_core.text import clean

__all__ = [
    "MIRROR_KINDS",
    "Mirror",
    "RegistryLocation",
    "UserConfig",
    "is_registry_name",
    "path",
    "read",
    "read_or_empty",
    "render",
    "write",
]

MIRROR_KINDS = ("hub", "modelscope", "folder")
_SCHEMA = 1
_HEADING = f"# Settings of zoo. `zoo registry` rewrites this file and keeps no comments.\nschema = {_SCHEMA}\n"
_A_WEB_ADDRESS = "an https:// address (http:// only of this machine)"


@dataclass(frozen=True, slots=True)
class RegistryLocation:
    """Another registry: the name that it has here, and its address or the absolute path of its file."""

    name: str
    location: str

    @property
    def is_path(self) -> bool:
        """Whether it is a file on this disk."""
        return not is_web_address(self.location)


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where else weights may come from: `kind` is "hub", "modelscope" (whose url may be empty) or "folder"."""

    kind: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class UserConfig:
    """What the user set, each in the order in which it is tried; `trusted_endpoints` may be sent the Hub's token."""

    registries: tuple[RegistryLocation, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    trusted_endpoints: tuple[str, ...] = ()


def path() -> Path:
    """The settings' file, wherever `paths.config_path` says."""
    return paths.config_path()


def read() -> UserConfig:
    """The settings; empty without a file. Raises ConfigError, naming file and key, for anything wrong in it."""
    file = path()
    if not os.path.lexists(file):
        return UserConfig()
    cache = toml_files.Cache("config.json")
    try:
        config = cache.read(file, _checked)
    except (ManifestError, Invalid) as error:
        raise ConfigError(str(error), "correct that file, or move it away") from None
    cache.save()
    return config


def read_or_empty() -> UserConfig:
    """The settings, empty where they cannot be read: for what has to work regardless."""
    try:
        return read()
    except ConfigError:
        return UserConfig()


def write(config: UserConfig) -> None:
    """Replace the settings; the file appears whole or not at all. Raises ConfigError where it cannot be written."""
    from zoo_core.files import replace_text

    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_text(file, render(config))
    except OSError as error:
        raise ConfigError(f"{clean(str(file))}: cannot be written: {clean(str(error))}", "set ZOO_CONFIG") from None


def render(config: UserConfig) -> str:
    """The settings as TOML; `read` gives them back."""
    return "\n".join([_HEADING, *_tables(config)])


def is_registry_name(name: str) -> bool:
    """Whether a registry may be called this: as a plugin may, but not by the name of ours."""
    return is_plugin_name(name) and name != OURS


def _tables(config: UserConfig) -> Iterator[str]:
    from zoo_core.manifest import toml_value

    if config.trusted_endpoints:
        yield f"trusted-endpoints = [{', '.join(map(toml_value, config.trusted_endpoints))}]\n"
    for registry in config.registries:
        yield f"[[registries]]\nname = {toml_value(registry.name)}\nlocation = {toml_value(registry.location)}\n"
    for mirror in config.mirrors:
        url = f"url = {toml_value(mirror.url)}\n" if mirror.url else ""
        yield f"[[mirrors]]\nkind = {toml_value(mirror.kind)}\n{url}"


def _checked(values: dict[str, Any], where: str) -> UserConfig:
    found = at(clean(where), _CONFIG, values)
    config = UserConfig(
        found.get("registries", ()), found.get("mirrors", ()), tuple(found.get("trusted-endpoints", ()))
    )
    no_doubles(f"{clean(where)}: registry {registry.name}" for registry in config.registries)
    return config


def _addresses(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise Invalid("should be a list of addresses")
    return listing(_address)(value)


def _address(value: object) -> str:
    return _openly(_WEB_ADDRESS, value)


def _location(value: object) -> str:
    return _openly(_PLACE, value)


def _openly(check: Check[str], value: object) -> str:
    """What the check makes of an address; one with a password in it is refused without being shown."""
    if isinstance(value, str) and "@" in value.partition("://")[2].partition("/")[0]:
        raise Invalid("may not hold a user name or a password")
    return check(value)


def _mirror(value: object) -> Mirror:
    mirror = _MIRROR(value)
    if not mirror.url and mirror.kind != "modelscope":
        raise Invalid("lacks url")
    return mirror


_WEB_ADDRESS = named(is_web_address, _A_WEB_ADDRESS)
_PLACE = named(lambda value: is_web_address(value) or Path(value).is_absolute(), f"{_A_WEB_ADDRESS} or a whole path")
_REGISTRY = table(
    RegistryLocation,
    "name location",
    "",
    {
        "name": named(is_registry_name, f"a name: lower case, digits, - and _, but not {OURS}"),
        "location": _location,
    },
)
_MIRROR = table(
    Mirror,
    "kind",
    "url",
    {"kind": named(MIRROR_KINDS.__contains__, f"one of {', '.join(MIRROR_KINDS)}"), "url": _address},
)
_CONFIG: Check[dict[str, Any]] = table(
    dict,
    "schema",
    "registries mirrors trusted-endpoints",
    {
        "schema": exactly(_SCHEMA),
        "registries": listing(_REGISTRY),
        "mirrors": listing(_mirror),
        "trusted-endpoints": _addresses,
    },
)
