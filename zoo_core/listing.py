"""What the zoo says of its models, components and plugins, as plain values: the shapes of the command line's JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from zoo_core import index
from zoo_core.errors import AmbiguousNameError, IncompatibleError, NameNotFoundError, PluginError, UsageError
from zoo_core.names import suggest
from zoo_core.records import KINDS, OURS, Component, Model, Plugin, Preset
from zoo_core.text import clean

Row = dict[str, Any]


def list_models(words: Iterable[str] = (), installed: bool = False, task: str = "") -> list[Row]:
    """A row per model: name, plugin, task, summary, installed, compatible, broken and presets.

    `words` keeps models that have all of these in their name, plugin, task or summary. A plugin without models, or too
    broken to know them, is a row under its own name.
    """
    plugins = index.plugins(probing=True)
    every = [model_row(plugin, model) for plugin in plugins for model in _models(plugin) or (_stand_in(plugin),)]
    return [
        row for row in every if _has(row, words) and (row["installed"] or not installed) and task in ("", row["task"])
    ]


def list_components(kind: str = "") -> list[Row]:
    """A row per component, or per component of this kind: kind, name, plugin, summary. Raises UsageError."""
    if kind and kind not in KINDS:
        raise UsageError(f"no kind of component '{clean(kind)}'{suggest(kind, KINDS)}", f"one of {', '.join(KINDS)}")
    return [
        component_row(plugin, component)
        for plugin in index.plugins()
        for component in _components(plugin)
        if kind in ("", component.kind)
    ]


def info(name: str) -> Row:
    """Everything about the model or preset of this name, else about the component, else about the plugin.

    Raises NameNotFoundError, AmbiguousNameError, and PluginError or IncompatibleError where a broken plugin's model is
    meant; asked for the plugin itself, it tells what is wrong.
    """
    try:
        return preset_info(*index.find_preset(name))
    except (NameNotFoundError, PluginError, IncompatibleError):
        if described := _component_info(name) or _plugin_info(name):
            return described
        raise
    except AmbiguousNameError:
        # The name of a plugin with several models stands for itself, unless it is a model's, too.
        described = _plugin_info(name)
        if described is None or any(name == model.name for plugin in index.plugins() for model in _models(plugin)):
            raise
        return described


def model_row(plugin: Plugin, model: Model) -> Row:
    """One element of `zoo list --json`."""
    return {
        "name": model.name,
        "plugin": plugin.name,
        "task": model.task,
        "summary": model.summary,
        "installed": plugin.installed,
        "compatible": plugin.compatible,
        "broken": plugin.broken,
        "registry": plugin.registry or None,
        "presets": [preset_row(plugin, preset) for preset in _presets(plugin, model)],
    }


def preset_row(plugin: Plugin, preset: Preset) -> Row:
    """One preset in `zoo list --json`."""
    from zoo_core.pulling import is_pulled

    return {
        "variant": preset.variant,
        "size": preset.size,
        "license": preset.license,
        "pulled": is_pulled(plugin, preset),
        "metrics": preset.metrics,
    }


def component_row(plugin: Plugin, component: Component) -> Row:
    """One element of `zoo components --json`."""
    return {"kind": component.kind, "name": component.name, "plugin": plugin.name, "summary": component.summary}


def preset_info(plugin: Plugin, model: Model, preset: Preset | None) -> Row:
    """`zoo info --json` of a model; `variant`, `parameters` and `files` are those of the preset that is meant."""
    return {
        **model_row(plugin, model),
        "class": model.target,
        "paper": model.paper,
        "recipe": model.recipe,
        "variant": preset.variant if preset else None,
        "parameters": preset.parameters if preset else None,
        "files": [asdict(file) for file in preset.files] if preset else [],
        "presets": [_full_preset_row(plugin, each) for each in _presets(plugin, model)],
        "components": [component_row(plugin, component) for component in _components(plugin)],
        **_package_facts(plugin),
    }


def shortest_names(plugins: Iterable[Plugin]) -> dict[tuple[str, str], str]:
    """(plugin, model) -> the model's name, with the plugin's before it where several have a model of that name."""
    pairs = [(plugin.name, model.name) for plugin in plugins for model in _models(plugin)]
    count = Counter(model for _, model in pairs)
    return {(plugin, model): model if count[model] == 1 else f"{plugin}/{model}" for plugin, model in pairs}


def _component_info(name: str) -> Row | None:
    for kind in KINDS:
        try:
            plugin, component = index.find_component(kind, name)
        except (NameNotFoundError, AmbiguousNameError, PluginError, IncompatibleError):
            continue
        return {**component_row(plugin, component), "class": component.target, **_package_facts(plugin)}
    return None


def _plugin_info(name: str) -> Row | None:
    try:
        plugin = index.find_plugin(name)
    except NameNotFoundError:
        return None
    return {
        "plugin": plugin.name,
        "summary": plugin.summary,
        "installed": plugin.installed,
        "compatible": plugin.compatible,
        "broken": plugin.broken,
        "models": [model_row(plugin, model) for model in _models(plugin)],
        "components": [component_row(plugin, component) for component in _components(plugin)],
        **_package_facts(plugin),
    }


def _package_facts(plugin: Plugin) -> Row:
    return {
        "commands": [command.name for command in plugin.manifest.commands] if plugin.manifest else [],
        "distribution": plugin.distribution,
        "version": plugin.version,
        "requires_core": plugin.requires_core,
        "source": asdict(plugin.source) if plugin.source else None,
        "registry": (plugin.registry or OURS) if plugin.source else None,
    }


def _full_preset_row(plugin: Plugin, preset: Preset) -> Row:
    return {
        **preset_row(plugin, preset),
        "parameters": preset.parameters,
        "data": preset.data,
        "repo": preset.repo,
        "revision": preset.revision or None,
        "files": [asdict(file) for file in preset.files],
    }


def _presets(plugin: Plugin, model: Model) -> list[Preset]:
    """A model's presets, the one that is meant when none is named first."""
    presets = [preset for preset in _all_presets(plugin) if preset.model == model.name]
    return sorted(presets, key=lambda preset: (preset.variant != model.default, preset.variant))


def _all_presets(plugin: Plugin) -> tuple[Preset, ...]:
    return plugin.manifest.presets if plugin.manifest else ()


def _models(plugin: Plugin) -> tuple[Model, ...]:
    return plugin.manifest.models if plugin.manifest else ()


def _components(plugin: Plugin) -> tuple[Component, ...]:
    return plugin.manifest.components if plugin.manifest else ()


def _stand_in(plugin: Plugin) -> Model:
    return Model(plugin.name, "", "", plugin.summary)


def _has(row: Row, words: Iterable[str]) -> bool:
    text = " ".join((row["name"], row["plugin"], row["task"], row["summary"])).lower()
    return all(word.lower() in text for word in words)
