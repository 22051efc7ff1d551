"""Names that several claim, and names that are made to be taken for others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zoo_core import index, known_registries, lookalikes, paths, registry_file
from zoo_core.distributions import normalised
from zoo_core.doctor.finding import OK, WARNING, Finding
from zoo_core.errors import RegistryError
from zoo_core.records import OURS, Plugin


def findings() -> Iterator[Finding]:
    """What these checks find; of two distributions with one plugin name, the plugins themselves tell."""
    ours, others = _ours(), known_registries.plugins()
    found = [*_doubles(ours, others), *_lookalikes(ours, others)]
    yield from found or [Finding("names", OK, "no name is claimed twice, and none looks like another")]


def _ours() -> tuple[Plugin, ...]:
    path = paths.registry_path()
    try:
        return registry_file.read(path) if path else ()
    except RegistryError:
        return ()


def _doubles(ours: tuple[Plugin, ...], others: tuple[Plugin, ...]) -> Iterator[Finding]:
    for plugin, rival in known_registries.doubles((*ours, *others)):
        kept, passed_over = (f"{each.distribution} as the plugin '{each.name}'" for each in (rival, plugin))
        first = rival.registry or OURS
        detail = f"the registry '{first}' has {kept}, so that '{plugin.registry}' is not asked for {passed_over}"
        yield Finding(f"registry {plugin.registry}", WARNING, detail, f"zoo registry remove {plugin.registry}")


def _lookalikes(ours: tuple[Plugin, ...], others: tuple[Plugin, ...]) -> Iterator[Finding]:
    installed = index.installed_plugins()
    trusted = {(plugin.name, normalised(plugin.distribution)) for plugin in ours}
    for plugin in installed:
        if (plugin.name, normalised(plugin.distribution)) not in trusted:
            known = [*ours, *(other for other in installed if other.name != plugin.name)]
            fix = f"zoo uninstall {plugin.name}, if you meant the other"
            yield from _lookalike(plugin, known, f"{plugin.distribution}, which is installed", fix)
    for plugin in others:
        where = f"{plugin.distribution} in the registry '{plugin.registry}'"
        yield from _lookalike(plugin, (*ours, *installed), where, f"zoo registry remove {plugin.registry}")


def _lookalike(plugin: Plugin, known: Iterable[Plugin], what: str, fix: str) -> Iterator[Finding]:
    if warnings := lookalikes.warnings(plugin, known):
        yield Finding(f"name {plugin.name}", WARNING, f"{what}: {'; '.join(warnings)}", fix)
