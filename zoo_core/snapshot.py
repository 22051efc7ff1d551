"""Makes a plugin's manifest: its components, models and commands out of the hooks, its presets out of their folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import card as cards
from zoo_core import host, published
from zoo_core import manifest as manifests
from zoo_core.card import CARD_FILE
from zoo_core.errors import PluginError, PresetError
from zoo_core.files import parse_json
from zoo_core.host import Registrations
from zoo_core.installed import installed_plugins
from zoo_core.names import is_import_path, parse_reference
from zoo_core.presets import CONFIG_FILE, RUN_FILE, WEIGHTS_FILE, describe
from zoo_core.published import Published
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
    presets = tuple(_preset(plugin_name, folder) for folder in preset_folders(package_folder))
    manifest = replace(_described(plugin_name, package_folder), presets=presets)
    return manifests.parse(manifests.render(manifest), f"the manifest of '{plugin_name}'")


def preset_folders(package_folder: Path) -> list[Path]:
    """The folders of a plugin's presets, the weights of which may be on the Hub alone."""
    return sorted(config.parent for config in package_folder.glob("presets/*/config.json"))


def stale_cards(plugin_name: str, package_folder: Path) -> dict[Path, str]:
    """The cards in presets/ folders that are not what they should be, and what they should be.

    One that is on the Hub as it is stays, with all that it was published with, until something else changes. Raises
    PluginError, PresetError.
    """
    models = {model.name: model for model in _described(plugin_name, package_folder).models}
    texts = {folder / CARD_FILE: _card(folder, models) for folder in preset_folders(package_folder)}
    return {path: text for path, text in texts.items() if text and not _says(path, text)}


def _described(plugin_name: str, package_folder: Path) -> Manifest:
    registrations = host.load(_plugin(plugin_name, package_folder))
    return _with_docstrings(outline(plugin_name, registrations), registrations)


def _card(folder: Path, models: Mapping[str, Model]) -> str:
    """What a preset's card should say; "" where it's to be left alone."""
    on_hub = published.read(folder)
    if not _has_weights(folder) or (on_hub and published.same_files(on_hub.files, _files(folder))):
        return ""
    record = _json(folder / RUN_FILE)
    try:
        model = models.get(str(record["model"]).rpartition("/")[2])
        return cards.card(record, replace(cards.about(folder, record), model=model, listed=True))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PresetError(f"{folder / RUN_FILE}: malformed: {clean(repr(error))[:200]}") from None


def _says(path: Path, text: str) -> bool:
    return path.is_file() and path.read_bytes() == text.encode()


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


def _preset(plugin_name: str, folder: Path) -> Preset:
    config, run = _json(folder / CONFIG_FILE), _json(folder / RUN_FILE)
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
            metrics={name: float(value) for name, value in evaluation.get("metrics", {}).items()},
            **_place(folder),
        )
    except (AttributeError, TypeError, ValueError) as error:
        raise PresetError(f"{folder / RUN_FILE}: malformed: {clean(str(error))}") from None


def _place(folder: Path) -> dict[str, Any]:
    """Where a preset's files are, and which: in its folder, and on the Hub too while they're the same there."""
    on_hub = published.read(folder)
    if not _has_weights(folder):
        return _place_on_hub(folder, on_hub)
    files = _files(folder)
    place: dict[str, Any] = {"files": files, "folder": f"presets/{folder.name}"}
    if on_hub and published.same_files(on_hub.files, files):
        place |= {"repo": on_hub.repo, "revision": on_hub.revision}
    return place


def _place_on_hub(folder: Path, on_hub: Published | None) -> dict[str, Any]:
    if on_hub is None:
        raise PresetError(f"{folder}: there is neither {WEIGHTS_FILE} nor a {published.HUB_FILE} that says where it is")
    here = {file.name: file for file in _files(folder)}
    for file in on_hub.files:
        if file.name in (CONFIG_FILE, RUN_FILE) and here[file.name] != file:
            raise PresetError(
                f"{folder / file.name}: not the one that was published, and the weights are on the Hub alone",
                f"take it from {on_hub.repo} at {on_hub.revision}, or publish the preset again",
            )
    return {"files": on_hub.files, "repo": on_hub.repo, "revision": on_hub.revision}


def _has_weights(folder: Path) -> bool:
    return (folder / WEIGHTS_FILE).is_file()


def _files(folder: Path) -> tuple[File, ...]:
    """All files of a preset's folder but hub.json, which says where they were published."""
    paths = (path for path in sorted(folder.iterdir()) if path.is_file() and path.name != published.HUB_FILE)
    return tuple(describe(path) for path in paths if not path.name.startswith("."))


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
