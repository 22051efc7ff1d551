"""config.json: which model a preset is of and the arguments that build it, as plain JSON within bounds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from zoo_core.errors import PresetError, UsageError
from zoo_core.files import parse_json, render_json
from zoo_core.names import parse_reference
from zoo_core.text import clean

SCHEMA = 1
STORAGES = ("float32", "float16")
LARGEST_JSON = 1_000_000
"""The bytes of the largest config.json or run.json that is read."""

_LONGEST = 10_000
_DEEPEST = 8
_LARGEST_WHOLE_NUMBER = 2**31


@dataclass(frozen=True, slots=True)
class Config:
    """What config.json says: which model (`plugin/name`), its arguments, and how its float32 weights are stored."""

    model: str
    arguments: dict[str, Any] = field(default_factory=dict)
    storage: str = "float32"
    schema: int = SCHEMA


def parse_config(content: bytes | bytearray, where: str) -> Config:
    """What a config.json says; `where` is named in errors. Raises PresetError for anything unknown or malformed."""
    table = json_table(content, where)
    if unknown := sorted(table.keys() - {"schema", "model", "arguments", "storage"}):
        raise PresetError(f"{where}: unknown key '{clean(unknown[0])[:100]}'")
    if missing := sorted({"schema", "model", "arguments"} - table.keys()):
        raise PresetError(f"{where}: lacks '{missing[0]}'")
    config = Config(**table)
    check_schema(config.schema, where)
    if config.storage not in STORAGES:
        raise PresetError(f"{where}: storage should be one of {', '.join(STORAGES)}")
    _check_model(config.model, where)
    if not isinstance(config.arguments, dict):
        raise PresetError(f"{where}: 'arguments' should be an object")
    check_plain(config.arguments, f"{where}: arguments")
    return config


def check_schema(value: object, where: str) -> None:
    """Raise PresetError unless this is the number of the schema that is read here."""
    if type(value) is not int or value != SCHEMA:
        raise PresetError(f"{where}: schema {clean(repr(value))[:50]}, and this zoo-core reads {SCHEMA}")


def check_plain(value: object, where: str, depth: int = 0) -> None:
    """Raise PresetError unless a value is plain JSON within bounds: numbers finite and below 2**31, little nesting."""
    if depth > _DEEPEST:
        raise PresetError(f"{where}: nested more than {_DEEPEST} deep")
    if isinstance(value, (dict, list)):
        if len(value) > _LONGEST:
            raise PresetError(f"{where}: more than {_LONGEST} values")
        children = value.items() if isinstance(value, dict) else enumerate(value)
        for key, child in children:
            check_plain(child, f"{where}: {clean(str(key))[:100]}", depth + 1)
    elif isinstance(value, str):
        if len(value) > _LONGEST:
            raise PresetError(f"{where}: longer than {_LONGEST} characters")
    elif isinstance(value, int):
        # Not math.isfinite: it raises for whole numbers that no float can hold.
        if abs(value) > _LARGEST_WHOLE_NUMBER:
            raise PresetError(f"{where}: {value!r:.50} is out of range")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise PresetError(f"{where}: {value} is out of range")
    elif value is not None:
        raise PresetError(f"{where}: {type(value).__name__} is no plain JSON")


def render_config(config: Config) -> str:
    """A config.json; `parse_config` gives the config back."""
    table: dict[str, Any] = {"schema": config.schema, "model": config.model, "arguments": config.arguments}
    if config.storage != STORAGES[0]:
        table["storage"] = config.storage
    return render_json(table)


def json_table(content: bytes | bytearray, where: str) -> dict[str, Any]:
    """The object in a JSON text of at most 1 MB; raises PresetError for anything else."""
    try:
        if len(content) > LARGEST_JSON:
            raise ValueError(f"larger than {LARGEST_JSON} bytes")
        table = parse_json(content)
    except ValueError as error:
        raise PresetError(f"{clean(where)}: no valid JSON: {clean(str(error))[:200]}") from None
    if not isinstance(table, dict):
        raise PresetError(f"{clean(where)}: should be a JSON object")
    return table


def _check_model(model: object, where: str) -> None:
    try:
        reference = parse_reference(model) if isinstance(model, str) else None
    except UsageError:
        reference = None
    if reference is None or not reference.plugin or reference.variant or reference.revision:
        raise PresetError(f"{where}: 'model' should be plugin/name, as in glow/realnvp")
