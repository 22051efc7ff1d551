"""Registries besides ours, which the user added: copies of them on this disk, and what those copies say.

Only `look` and `update` leave this disk; whatever lists or finds plugins reads the copies. A registry that is away,
slow, malformed or huge is therefore as good as its last good copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core import paths, registry_file, toml_files, user_config
from zoo_core.addresses import is_loopback, is_web_address
from zoo_core.distributions import normalised
from zoo_core.errors import RegistryError, UsageError, ZooError
from zoo_core.names import is_path
from zoo_core.records import OURS, Plugin, Source
from zoo_core.text import clean
from zoo_core.user_config import RegistryLocation, UserConfig, is_registry_name

if TYPE_CHECKING:
    from datetime import datetime

_MEMORY = "registries.json"


@dataclass(frozen=True, slots=True)
class Found:
    """A registry that was read where it lies: its name here, its place, its content, and the plugins that it knows."""

    registry: RegistryLocation
    content: bytes
    plugins: tuple[Plugin, ...]


@dataclass(frozen=True, slots=True)
class State:
    """What is on this disk of a registry: its plugins, when they were copied, and why the copy is of no use."""

    registry: RegistryLocation
    plugins: tuple[Plugin, ...] = ()
    updated: datetime | None = None
    problem: str = ""


def look(location: str, name: str = "") -> Found:
    """Read a registry at an address or a path, and name it, after its place unless a name is given; nothing is kept.

    Raises UsageError for a place or a name that cannot be, DownloadError and RegistryError for what is not there.
    """
    place = location if is_web_address(location) else _file(location)
    chosen = name or _name_of(place)
    if not is_registry_name(chosen):
        raise UsageError(f"'{clean(chosen)[:100]}' cannot be a registry's name here", "give another one: --name NAME")
    registry = RegistryLocation(chosen, place)
    _check_new(user_config.read(), registry)
    return _look(registry)


def add(found: Found) -> None:
    """Keep a registry that was looked at: it comes after those that are there. Raises UsageError for a name twice."""
    config = user_config.read()
    _check_new(config, found.registry)
    _keep(found)
    user_config.write(replace(config, registries=(*config.registries, found.registry)))


def remove(name: str) -> RegistryLocation:
    """Forget a registry and its copy; plugins that came from it stay. Raises UsageError for an unknown one."""
    config = user_config.read()
    registry = _named(config, name)
    user_config.write(replace(config, registries=tuple(each for each in config.registries if each != registry)))
    copy_path(name).unlink(missing_ok=True)
    return registry


def update(names: Sequence[str] = ()) -> list[tuple[RegistryLocation, Found | ZooError]]:
    """Copy registries anew, all or those named, and at once; of one that cannot be read, the last copy stays.

    Raises UsageError for an unknown name.
    """
    from concurrent.futures import ThreadPoolExecutor

    config = user_config.read()
    chosen = [_named(config, name) for name in names] or config.registries
    with ThreadPoolExecutor(max_workers=max(1, len(chosen))) as workers:
        return list(zip(chosen, workers.map(_updated, chosen), strict=True))


def states() -> list[State]:
    """What is on this disk of each registry, in the order in which they count; raises ConfigError."""
    cache = toml_files.Cache(_MEMORY)
    found = [_state(registry, cache) for registry in user_config.read().registries]
    cache.save()
    return found


def plugins() -> tuple[Plugin, ...]:
    """What the copies know, in their order; a copy, or a config.toml, that cannot be read counts as empty."""
    registries = user_config.read_or_empty().registries
    if not registries:
        return ()
    cache = toml_files.Cache(_MEMORY)
    known = [plugin for registry in registries for plugin in _copied(registry, cache)]
    cache.save()
    return tuple(known)


def first_of_each(known: Iterable[Plugin]) -> tuple[Plugin, ...]:
    """Of plugins in the order of their registries, those whose name and whose distribution no earlier registry has."""
    return tuple(plugin for plugin, rival in _with_rivals(known) if rival is None)


def doubles(known: Iterable[Plugin]) -> tuple[tuple[Plugin, Plugin], ...]:
    """Each plugin that gives way, with the one of an earlier registry that has its name or its distribution."""
    return tuple((plugin, rival) for plugin, rival in _with_rivals(known) if rival is not None)


def folder(name: str) -> Path | None:
    """The folder that the paths in a registry start from: ours or another; None for one that is on the web."""
    if not name:
        path = paths.registry_path()
        return path.parent if path else None
    places = (each for each in user_config.read_or_empty().registries if each.name == name and each.is_path)
    return next((Path(place.location).parent for place in places), None)


def location(name: str) -> str:
    """Where a registry lies; "" for ours."""
    registries = user_config.read_or_empty().registries
    return next((registry.location for registry in registries if registry.name == name), "")


def copy_path(name: str) -> Path:
    """Where the copy of a registry is kept."""
    return paths.cache_dir() / "registries" / f"{name}.toml"


def _check_new(config: UserConfig, registry: RegistryLocation) -> None:
    for there in config.registries:
        if there.location == registry.location:
            fix = f"zoo registry update {there.name}"
            raise UsageError(f"{there.location} is there already, as '{there.name}'", fix)
        if there.name == registry.name:
            raise UsageError(
                f"'{there.name}' is the registry {there.location} already", "give another one: --name NAME"
            )


def _look(registry: RegistryLocation) -> Found:
    if registry.is_path:
        content = registry_file.content(Path(registry.location))
    else:
        from zoo_core import web

        content = web.fetch(registry.location)
    return Found(registry, content, _checked(registry_file.parse(content, registry.location), registry))


def _updated(registry: RegistryLocation) -> Found | ZooError:
    try:
        found = _look(registry)
        _keep(found)
    except ZooError as error:
        return error
    return found


def _keep(found: Found) -> None:
    from zoo_core.files import replacing

    path = copy_path(found.registry.name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(found.content)
    except OSError as error:
        raise RegistryError(f"{clean(str(path))}: cannot be written: {clean(str(error))}", "set ZOO_HOME") from None


def _state(registry: RegistryLocation, cache: toml_files.Cache) -> State:
    from datetime import UTC, datetime

    try:
        known = _read_copy(registry, cache)
        changed = copy_path(registry.name).stat().st_mtime
    except (RegistryError, OSError) as error:
        return State(registry, problem=error.message if isinstance(error, RegistryError) else clean(str(error)))
    return State(registry, known, datetime.fromtimestamp(changed, UTC))


def _copied(registry: RegistryLocation, cache: toml_files.Cache) -> tuple[Plugin, ...]:
    try:
        return _read_copy(registry, cache)
    except RegistryError:
        return ()


def _read_copy(registry: RegistryLocation, cache: toml_files.Cache) -> tuple[Plugin, ...]:
    return _checked(registry_file.read(copy_path(registry.name), cache), registry)


def _checked(known: Iterable[Plugin], registry: RegistryLocation) -> tuple[Plugin, ...]:
    """The plugins as that registry's; raises RegistryError for paths, and for this machine, in one from the web."""
    marked = tuple(replace(plugin, registry=registry.name) for plugin in known)
    for plugin in marked:
        if not _may_come_from(plugin.source, registry):
            where = f"{clean(registry.location)}: plugin {plugin.name}"
            raise RegistryError(f"{where} comes from a disk or a machine that a registry on the web cannot know")
    return marked


def _may_come_from(source: Source | None, registry: RegistryLocation) -> bool:
    if source is None or registry.is_path:
        return True
    return source.kind != "path" and (is_loopback(registry.location) or not is_loopback(source.value))


def _with_rivals(known: Iterable[Plugin]) -> Iterator[tuple[Plugin, Plugin | None]]:
    taken: dict[str, Plugin] = {}
    for plugin in known:
        claims = (f"plugin {plugin.name}", f"distribution {normalised(plugin.distribution)}")
        rivals = (taken[claim] for claim in claims if claim in taken)
        rival = next((each for each in rivals if each.registry != plugin.registry), None)
        if rival is None:
            taken.update(dict.fromkeys(claims, plugin))
        yield plugin, rival


def _named(config: UserConfig, name: str) -> RegistryLocation:
    from zoo_core.names import suggest

    if name == OURS:
        raise UsageError(f"'{OURS}' is the registry that zoo-core brings along", "it changes when zoo-core is updated")
    known = {registry.name: registry for registry in config.registries}
    if name not in known:
        raise UsageError(f"no registry '{clean(name)}' was added{suggest(name, known)}", "zoo registry list")
    return known[name]


def _file(location: str) -> str:
    """The whole path of a registry's file; a folder stands for the registry.toml in it."""
    if "://" in location:
        raise UsageError("a registry on the web has an https:// address, without a user name or a password in it")
    path = Path(location).expanduser().resolve()
    if not is_path(location) and not path.exists():
        raise UsageError(f"{clean(location)[:200]} does not exist", "an address on the web begins with https://")
    return str(path / registry_file.FILE_NAME if path.is_dir() else path)


def _name_of(place: str) -> str:
    """What to call a registry of which only the place is known: the host, or the folder that it is in."""
    from urllib.parse import urlsplit

    said = (urlsplit(place).hostname or "") if is_web_address(place) else Path(place).parent.name
    return re.sub(r"[^a-z0-9]+", "-", said.lower()).strip("-")[:64]
