"""The index of plugins, installed and available, and what a name in it means; no plugin's code is imported."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from zoo_core import paths
from zoo_core.distributions import normalised
from zoo_core.errors import (
    AmbiguousNameError,
    IncompatibleError,
    NameNotFoundError,
    PluginError,
    RegistryError,
    UsageError,
    ZooError,
)
from zoo_core.installed import installed_plugins
from zoo_core.names import Reference, parse_reference, suggest
from zoo_core.records import KINDS, Component, Manifest, Model, Plugin, Preset, Source
from zoo_core.text import clean, listed

__all__ = [
    "Plugin",
    "Source",
    "available_plugins",
    "find_component",
    "find_model",
    "find_plugin",
    "find_preset",
    "installed_plugins",
    "plugins",
    "registered_plugins",
]

_SINGULAR = {"losses": "loss", "layers": "layer", "optimizers": "optimizer", "callbacks": "callback"}


class _Named(Protocol):
    @property
    def name(self) -> str: ...


_Item = TypeVar("_Item", bound=_Named)
_Select = Callable[[Manifest], Iterable[_Item]]


def plugins(probing: bool = False) -> tuple[Plugin, ...]:
    """Installed and available plugins, sorted by name; of two, the installed one, with the registry's `source`.

    What is remembered from probing a plugin's code is filled in: that it raises, say, or what one without a manifest
    registers. `probing` also probes those that were not seen as they are now. An unreadable registry counts as empty.
    """
    from zoo_core import probe

    installed = installed_plugins()
    results = probe.results(installed) if probing else probe.remembered(installed)
    return _with_available(probe.filled_in(installed, results))


def available_plugins() -> tuple[Plugin, ...]:
    """What the registries know, installed or not: of a name or a distribution that two have, the first one's.

    Ours comes first, then those that the user added. Raises RegistryError if ours is unreadable; of the others, one
    that is unreadable counts as empty.
    """
    entries = registered_plugins()
    if not any(plugin.registry for plugin in entries):
        return entries
    from zoo_core import known_registries

    return known_registries.first_of_each(entries)


def registered_plugins() -> tuple[Plugin, ...]:
    """All that the registries know, also what gives way to an earlier registry's; raises as `available_plugins`."""
    from zoo_core import registry_file

    path = paths.registry_path()
    ours = registry_file.read(path) if path else ()
    if not os.path.lexists(paths.config_path()):
        return ours
    from zoo_core import known_registries

    return (*ours, *known_registries.plugins())


def find_plugin(name: str) -> Plugin:
    """The plugin of this name, installed or available, broken or not; raises NameNotFoundError."""
    rows = _searched()
    for plugin in rows:
        if plugin.name == name:
            return plugin
    raise _not_found("plugin", name, [row.name for row in rows])


def find_model(reference: str | Reference) -> tuple[Plugin, Model]:
    """The model that a reference means, and its plugin; a plugin's name stands for its only model.

    Raises NameNotFoundError, AmbiguousNameError, and PluginError or IncompatibleError where a broken plugin is meant.
    """
    wanted = _parsed(reference)
    rows = _meant(wanted, _searched(), _models)
    if not wanted.plugin and not any(wanted.name in _names(row, _models) for row in rows):
        wanted = _only_model(wanted, rows)
    return _find(wanted, rows, _models, "model")


def find_preset(reference: str | Reference) -> tuple[Plugin, Model, Preset | None]:
    """The preset that a reference means: of no variant, the model's default, else its only one; None without any.

    Raises what `find_model` raises, and NameNotFoundError for an unknown variant or revision.
    """
    wanted = _parsed(reference)
    plugin, model = find_model(wanted)
    every = plugin.manifest.presets if plugin.manifest else ()
    presets = {preset.variant: preset for preset in every if preset.model == model.name}
    if wanted.variant and wanted.variant not in presets:
        there = f"there is {listed(presets)}" if presets else f"{model.name} has no presets"
        raise NameNotFoundError(f"no preset '{model.name}:{wanted.variant}'{suggest(wanted.variant, presets)}", there)
    preset = presets.get(wanted.variant or model.default)
    if preset is None and len(presets) == 1:
        preset = next(iter(presets.values()))
    _check_revision(wanted, preset)
    return plugin, model, preset


def find_component(kind: str, reference: str | Reference) -> tuple[Plugin, Component]:
    """The loss, layer, optimizer or callback that a name means, and its plugin; raises as `find_model` does."""
    if kind not in KINDS:
        raise UsageError(f"no kind of component '{clean(kind)}'{suggest(kind, KINDS)}", f"one of {', '.join(KINDS)}")

    def of_that_kind(manifest: Manifest) -> Iterable[Component]:
        return (component for component in manifest.components if component.kind == kind)

    wanted = _parsed(reference)
    return _find(wanted, _meant(wanted, _searched(), of_that_kind), of_that_kind, _SINGULAR[kind])


def _with_available(installed: Sequence[Plugin]) -> tuple[Plugin, ...]:
    try:
        known = {plugin.name: plugin for plugin in available_plugins()}
    except RegistryError:
        known = {}
    rows = [_with_source(plugin, known.get(plugin.name)) for plugin in installed]
    missing = known.keys() - {plugin.name for plugin in installed}
    return tuple(sorted([*rows, *(known[name] for name in missing)], key=lambda plugin: plugin.name))


def _with_source(plugin: Plugin, known: Plugin | None) -> Plugin:
    # Another distribution of that name is another plugin: ours must not be offered as its source.
    if known is None or normalised(known.distribution) != normalised(plugin.distribution):
        return plugin
    return replace(plugin, source=known.source, registry=known.registry)


def _searched() -> tuple[Plugin, ...]:
    """Where names are looked up: probed only without a manifest, so that the others are tried for real."""
    from zoo_core import probe

    installed = installed_plugins()
    results = probe.results([plugin for plugin in installed if plugin.manifest is None])
    return _with_available(probe.filled_in(installed, results))


def _parsed(reference: str | Reference) -> Reference:
    return reference if isinstance(reference, Reference) else parse_reference(reference)


def _models(manifest: Manifest) -> Iterable[Model]:
    return manifest.models


def _names(plugin: Plugin, select: _Select[_Item]) -> set[str]:
    return {item.name for item in select(plugin.manifest)} if plugin.manifest else set()


def _meant(wanted: Reference, rows: Sequence[Plugin], select: _Select[_Item]) -> Sequence[Plugin]:
    """The plugins in which a name is looked up.

    A bare name that what is installed or ours knows, as an item's or as a plugin's, broken or not, is looked up there
    alone: no other registry may change what it means.
    """
    own = [row for row in rows if row.installed or not row.registry]
    known = any(wanted.name == row.name or wanted.name in _names(row, select) for row in own)
    return own if known and not wanted.plugin else rows


def _only_model(wanted: Reference, rows: Sequence[Plugin]) -> Reference:
    models = sorted({name for plugin in rows if plugin.name == wanted.name for name in _names(plugin, _models)})
    if len(models) > 1:
        raise AmbiguousNameError(f"plugin '{wanted.name}' has several models: {listed(models)}", "name one of them")
    return replace(wanted, plugin=wanted.name, name=models[0]) if models else wanted


def _find(wanted: Reference, rows: Sequence[Plugin], select: _Select[_Item], what: str) -> tuple[Plugin, _Item]:
    found = [
        (plugin, item)
        for plugin in rows
        if plugin.manifest and wanted.plugin in (None, plugin.name)
        for item in select(plugin.manifest)
        if item.name == wanted.name
    ]
    working = [(plugin, item) for plugin, item in found if not plugin.broken]
    if len(working) == 1:
        return working[0]
    if working:
        candidates = listed(f"{plugin.name}/{wanted.name}" for plugin, _ in working)
        raise AmbiguousNameError(f"several plugins have a {what} '{wanted.name}': {candidates}", "name one of them")
    namesakes = [plugin for plugin in rows if plugin.broken and plugin.name == (wanted.plugin or wanted.name)]
    culprits = [*(plugin for plugin, _ in found), *namesakes]
    raise _unusable(culprits[0]) if culprits else _missing(wanted, rows, select, what)


def _missing(wanted: Reference, rows: Sequence[Plugin], select: _Select[_Item], what: str) -> ZooError:
    if wanted.plugin and wanted.plugin not in {plugin.name for plugin in rows}:
        return _not_found("plugin", wanted.plugin, [plugin.name for plugin in rows])
    if wanted.plugin:
        names = {f"{plugin.name}/{name}" for plugin in rows for name in _names(plugin, select)}
        return _not_found(what, f"{wanted.plugin}/{wanted.name}", names)
    return _not_found(what, wanted.name, {name for plugin in rows for name in _names(plugin, select)})


def _not_found(what: str, name: str, candidates: Iterable[str]) -> ZooError:
    try:
        available_plugins()
    except RegistryError as unreadable:
        return unreadable
    where_to_look = "zoo components" if what in _SINGULAR.values() else "zoo list"
    if os.path.exists(name):
        where_to_look += "; a path starts with ./"
    return NameNotFoundError(f"no {what} '{clean(name)}'{suggest(name, candidates)}", where_to_look)


def _unusable(plugin: Plugin) -> ZooError:
    kind = PluginError if plugin.compatible else IncompatibleError
    return kind(f"plugin '{plugin.name}' cannot be used: {plugin.broken}", "zoo doctor")


def _check_revision(wanted: Reference, preset: Preset | None) -> None:
    if wanted.revision and (preset is None or preset.revision != wanted.revision):
        pinned = f"its files are those of {preset.revision}" if preset and preset.revision else "it has no revisions"
        raise NameNotFoundError(f"no preset '{wanted}'", pinned)
