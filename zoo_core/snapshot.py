"""Makes a plugin's manifest: its components, models and commands out of the hooks, its presets out of their folders."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import host
from zoo_core import manifest as manifests
from zoo_core.errors import ManifestError, PluginError, PresetError
from zoo_core.files import parse_json, sha256_of_file
from zoo_core.host import Registrations
from zoo_core.installed import installed_plugins
from zoo_core.names import is_import_path, parse_reference
from zoo_core.records import KINDS, Command, Component, File, Manifest, Model, Plugin, Preset
from zoo_core.text import clean

if TYPE_CHECKING:
    import typer

_LARGEST_JSON = 1_000_000


def build(plugin_name: str, package_folder: Path) -> Manifest:
    """The manifest of a plugin as its hooks and its `presets/` folders are now.

    Where a component or a model has no summary, the first line of its docstring is taken, so that this imports what
    the plugin registers. Raises PluginError, PresetError for a malformed preset, ManifestError for anything else.
    """
    registrations = host.load(_plugin(plugin_name, package_folder))
    presets = tuple(_presets(plugin_name, package_folder))
    manifest = replace(_with_docstrings(outline(plugin_name, registrations), registrations), presets=presets)
    return manifests.parse(manifests.render(manifest), f"the manifest of '{plugin_name}'")


def outline(plugin_name: str, registrations: Registrations) -> Manifest:
    """What the hooks registered, as a manifest without presets; nothing that they name is imported."""
    return Manifest(
        plugin_name,
        components=tuple(
            Component(kind, item.name, _import_path(item.target), clean(item.summary))
            for kind in KINDS
            for item in registrations.components[kind].values()
        ),
        models=tuple(
            Model(
                item.name,
                _import_path(item.target),
                clean(item.task),
                clean(item.summary),
                _import_path(item.recipe),
                clean(item.paper),
                item.default,
            )
            for item in registrations.models.values()
        ),
        commands=tuple(_commands(registrations.commands)),
    )


def _plugin(name: str, package_folder: Path) -> Plugin:
    for plugin in installed_plugins():
        if plugin.name == name and plugin.package and plugin.package.resolve() != package_folder.resolve():
            raise PluginError(f"plugin '{name}' is installed in {plugin.package}, not in {package_folder}")
        if plugin.name == name:
            # A manifest that cannot be read is what this mends.
            return replace(plugin, broken=None) if plugin.manifest is None else plugin
    return Plugin(name, installed=True, package=package_folder, module=f"{package_folder.name}.plugin")


def _with_docstrings(manifest: Manifest, registrations: Registrations) -> Manifest:
    components = (
        replace(item, summary=item.summary or _first_line(registrations.components[item.kind][item.name].target))
        for item in manifest.components
    )
    models = (
        replace(item, summary=item.summary or _first_line(registrations.models[item.name].target))
        for item in manifest.models
    )
    return replace(manifest, components=tuple(components), models=tuple(models))


def _first_line(target: object) -> str:
    # Not inspect.getdoc: it would give a class without a docstring that of its base class.
    documentation = host.resolve(target).__doc__ or ""
    return clean(documentation.strip().partition("\n")[0])


def _import_path(target: object) -> str:
    if isinstance(target, str):
        return target
    path = f"{getattr(target, '__module__', '')}:{getattr(target, '__qualname__', '')}"
    return path if is_import_path(path) else ""


def _commands(app: typer.Typer | None) -> Iterator[Command]:
    if app is None:
        return
    from typer.main import get_group

    for name, command in get_group(app).commands.items():
        if not command.hidden:
            yield Command(name, clean((command.help or "").strip().partition("\n")[0]))


def _presets(plugin_name: str, package_folder: Path) -> Iterator[Preset]:
    published = _published(package_folder / manifests.FILE_NAME)
    for config in sorted(package_folder.glob("presets/*/config.json")):
        preset = _preset(plugin_name, config.parent)
        on_hub = published.get(preset.name)
        # The Hub has these very files only as long as none of them has changed since.
        if on_hub and on_hub.files == preset.files:
            preset = replace(preset, repo=on_hub.repo, revision=on_hub.revision)
        yield preset


def _published(path: Path) -> dict[str, Preset]:
    try:
        return {preset.name: preset for preset in manifests.read(path).presets if preset.repo}
    except ManifestError:
        return {}


def _preset(plugin_name: str, folder: Path) -> Preset:
    config, run = _json(folder / "config.json"), _json(folder / "run.json")
    model = parse_reference(str(config.get("model", "")))
    if model.plugin not in (None, plugin_name):
        raise PresetError(f"{folder}: its model '{model}' is not of plugin '{plugin_name}'")
    evaluation = run.get("evaluation") or {}
    try:
        return Preset(
            model=model.name,
            variant=run.get("variant") or folder.name.removeprefix(f"{model.name}-"),
            license=run.get("license", ""),
            parameters=run.get("parameters", 0),
            data=run.get("data", {}).get("name", ""),
            files=tuple(_file(path) for path in sorted(folder.iterdir()) if path.is_file() and path.name[0] != "."),
            metrics={name: float(value) for name, value in evaluation.get("metrics", {}).items()},
            folder=f"presets/{folder.name}",
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise PresetError(f"{folder / 'run.json'}: malformed: {clean(str(error))}") from None


def _file(path: Path) -> File:
    return File(path.name, path.stat().st_size, sha256_of_file(path))


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise PresetError(f"{path}: larger than {_LARGEST_JSON} bytes")
        values = parse_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise PresetError(f"{path}: cannot be read: {clean(str(error))}") from None
    if not isinstance(values, dict):
        raise PresetError(f"{path}: should hold a JSON object")
    return values
