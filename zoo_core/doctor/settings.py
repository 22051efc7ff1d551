"""What the user set, and the registries of plugins."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from zoo_core import index, known_registries, paths, user_config
from zoo_core.doctor.finding import ERROR, OK, WARNING, Finding
from zoo_core.errors import ConfigError, RegistryError
from zoo_core.text import plural

_OLD_DAYS = 90


def findings() -> Iterator[Finding]:
    """What these checks find."""
    yield _config()
    yield _registry()
    yield from _registries()


def _config() -> Finding:
    path = user_config.path()
    try:
        config = user_config.read()
    except ConfigError as error:
        return Finding("config", ERROR, f"{error.message}; it counts as empty", error.fix)
    if not path.exists():
        return Finding("config", OK, f"there is no {path}: nothing is set, and nothing has to be")
    registries = len(config.registries)
    counts = [
        plural(len(config.mirrors), "mirror"),
        plural(len(config.trusted_endpoints), "trusted endpoint"),
        "1 other registry" if registries == 1 else f"{registries} other registries",
    ]
    return Finding("config", OK, f"{path}: {', '.join(counts)}")


def _registry() -> Finding:
    try:
        known = index.available_plugins()
    except RegistryError as error:
        return Finding("registry", ERROR, error.message, error.fix or "reinstall zoo-core")
    path = paths.registry_path()
    if path is None:
        return Finding("registry", WARNING, "there is none: only installed plugins are known", "reinstall zoo-core")
    return Finding("registry", OK, f"{plural(len(known), 'plugin')} in {path}")


def _registries() -> Iterator[Finding]:
    """The copies of the registries that the user added, and how old they are."""
    try:
        states = known_registries.states()
    except ConfigError:
        return
    for state in states:
        name = state.registry.name
        check = f"registry {name}"
        if state.problem:
            detail = f"{state.problem}; it counts as empty"
            yield Finding(check, ERROR, detail, f"zoo registry update {name}, or: zoo registry remove {name}")
            continue
        days = (datetime.now(UTC) - state.updated).days if state.updated else 0
        detail = f"registry {name}: {plural(len(state.plugins), 'plugin')}, copied from {state.registry.location}"
        when = f"{plural(days, 'day')} ago" if days else "today"
        if days > _OLD_DAYS:
            yield Finding(check, WARNING, f"{detail} {when}", f"zoo registry update {name}")
        else:
            yield Finding(check, OK, f"{detail} {when}")
