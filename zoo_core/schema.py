"""What a manifest may hold: every key, type, length and name is checked, since a plugin may write anything into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo_core.checks import Invalid, at, finite_number, listing, named, no_doubles, or_empty, table, text, whole_number
from zoo_core.names import (
    is_file_name,
    is_import_path,
    is_item_name,
    is_plugin_name,
    is_repository,
    is_revision,
    is_sha256,
)
from zoo_core.records import HOOKSPEC, KINDS, SCHEMA, Command, Component, File, Manifest, Model, Preset
from zoo_core.text import clean


def manifest(values: Mapping[str, Any]) -> Manifest:
    """The manifest in a parsed table; raises Invalid."""
    _check_versions(values)
    checked = _MANIFEST(values)
    _check_doubles(checked)
    models = {model.name for model in checked.models}
    for preset in checked.presets:
        _check_preset(preset, models)
    return checked


def is_relative_folder(value: str) -> bool:
    """Whether a path stays within its folder: names joined by `/`, none of which starts with a dot."""
    return all(is_file_name(part) for part in value.split("/"))


def _check_versions(values: Mapping[str, Any]) -> None:
    for key, newest in (("schema", SCHEMA), ("hookspec", HOOKSPEC)):
        if at(key, whole_number, values.get(key, newest)) != newest:
            raise Invalid(f"{key} {values[key]} is not the {newest} that this zoo-core reads")


def _check_doubles(checked: Manifest) -> None:
    no_doubles(f"{component.kind} {component.name}" for component in checked.components)
    no_doubles(f"model {model.name}" for model in checked.models)
    no_doubles(f"command {command.name}" for command in checked.commands)
    no_doubles(f"preset {preset.name}" for preset in checked.presets)


def _check_preset(preset: Preset, models: set[str]) -> None:
    if preset.model not in models:
        raise Invalid(f"preset {preset.name} is of an unknown model")
    if not preset.folder and not (preset.repo and preset.revision):
        raise Invalid(f"preset {preset.name} has neither a folder nor a repo with its revision")
    if not preset.files:
        raise Invalid(f"preset {preset.name} has no files")
    # Where case doesn't count, two names that differ in case only are one file.
    no_doubles(f"file {file.name.lower()} of preset {preset.name}" for file in preset.files)


def _metrics(value: object) -> dict[str, float]:
    if not isinstance(value, dict):
        raise Invalid("should be a table")
    return {_ITEM_NAME(name): at(clean(name)[:100], finite_number, number) for name, number in value.items()}


_PLUGIN_NAME = named(is_plugin_name, "a name: lower case, digits, - and _")
_ITEM_NAME = named(is_item_name, "a name: letters, digits, -, _ and .")
_FILE_NAME = named(is_file_name, "a name of a file: letters, digits, -, _ and .")
_IMPORT_PATH = or_empty(named(is_import_path, 'an import path: "package.module:Class"'))

FILE = table(
    File,
    "name size sha256",
    "",
    {"name": _FILE_NAME, "size": whole_number, "sha256": named(is_sha256, "64 hexadecimal digits")},
)
_COMPONENT = table(
    Component,
    "kind name target",
    "summary",
    {
        "kind": named(KINDS.__contains__, f"one of {', '.join(KINDS)}"),
        "name": _ITEM_NAME,
        "target": _IMPORT_PATH,
        "summary": text,
    },
)
_MODEL = table(
    Model,
    "name target task",
    "summary recipe paper default",
    {
        "name": _PLUGIN_NAME,
        "target": _IMPORT_PATH,
        "task": text,
        "summary": text,
        "recipe": _IMPORT_PATH,
        "paper": text,
        "default": or_empty(_ITEM_NAME),
    },
)
_COMMAND = table(Command, "name", "summary", {"name": _PLUGIN_NAME, "summary": text})
_PRESET = table(
    Preset,
    "model variant license parameters files",
    "data metrics folder repo revision",
    {
        "model": _PLUGIN_NAME,
        "variant": _ITEM_NAME,
        "license": text,
        "parameters": whole_number,
        "data": text,
        "files": listing(FILE),
        "metrics": _metrics,
        "folder": or_empty(named(is_relative_folder, "a folder within the package")),
        "repo": or_empty(named(is_repository, "owner/name")),
        "revision": or_empty(named(is_revision, "40 hexadecimal digits")),
    },
)
_MANIFEST = table(
    Manifest,
    "schema plugin",
    "hookspec components models commands presets",
    {
        "schema": whole_number,
        "plugin": _PLUGIN_NAME,
        "hookspec": whole_number,
        "components": listing(_COMPONENT),
        "models": listing(_MODEL),
        "commands": listing(_COMMAND),
        "presets": listing(_PRESET),
    },
)
