"""What the prober found out, kept in the cache folder; it holds until a plugin or its surroundings change."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import NoneType
from typing import Any

from zoo_core import memory
from zoo_core.manifest import FILE_NAME as MANIFEST
from zoo_core.records import Plugin
from zoo_core.version import __version__

FILE_NAME = "probe.json"

Answer = dict[str, Any]

_TYPES: dict[str, tuple[type, ...]] = {
    "plugin": (str,),
    "seconds": (int, float),
    "error": (str, NoneType),
    "heavy": (list,),
    "stale": (bool,),
    "registered": (dict, NoneType),
}


def read(plugins: Iterable[Plugin]) -> dict[str, Answer]:
    """The prober's answers, by name, about those plugins that are still as they were."""
    entries = memory.load(FILE_NAME)
    found = ((plugin, _entry(entries.get(_place(plugin)))) for plugin in plugins) if entries else ()
    return {plugin.name: entry["answer"] for plugin, entry in found if entry and _holds(entry, plugin)}


def write(answers: Mapping[str, Answer], plugins: Iterable[Plugin]) -> None:
    """Add the answers about these plugins; a cache folder that cannot be written is no error."""
    new = {
        _place(plugin): {
            "answer": answers[plugin.name],
            "state": _state(plugin),
            "surroundings": _surroundings(plugin),
        }
        for plugin in plugins
        if plugin.name in answers
    }
    memory.save(FILE_NAME, memory.load(FILE_NAME) | new)


def _entry(value: Any) -> dict[str, Any] | None:
    """An entry if it is as `write` makes them, else None: the file may have been damaged since."""
    answer = value.get("answer") if isinstance(value, dict) else None
    if not isinstance(answer, dict) or not {"state", "surroundings"} <= value.keys():
        return None
    counts = answer.get("counts", {})
    is_whole = (
        all(key in answer and isinstance(answer[key], kinds) for key, kinds in _TYPES.items())
        and all(isinstance(name, str) for name in answer["heavy"])
        and isinstance(counts, dict)
        and all(type(count) is int for count in counts.values())
    )
    return value if is_whole else None


def _holds(entry: Mapping[str, Any], plugin: Plugin) -> bool:
    # To look at the surroundings takes time, and only a failure may be mended from there.
    is_as_it_was: bool = entry["state"] == _state(plugin)
    return is_as_it_was and (not entry["answer"]["error"] or entry["surroundings"] == _surroundings(plugin))


def _place(plugin: Plugin) -> str:
    """One place in the memory for each plugin in each environment."""
    return f"{plugin.name} {plugin.metadata} {sys.prefix}"


def _state(plugin: Plugin) -> list[str]:
    """The plugin as it is: its version, and when its module and its manifest were last changed."""
    files = [_module_file(plugin)]
    if plugin.package:
        files += [plugin.package / "__init__.py", plugin.package / MANIFEST]
    return [plugin.version, __version__, *map(memory.stamp, files)]


def _surroundings(plugin: Plugin) -> list[str]:
    """Where a failure may come from besides: the package's other files, and what is installed beside it."""
    files = sorted(plugin.package.rglob("*.py")) if plugin.package else []
    folders = [plugin.metadata.parent] if plugin.metadata else []
    return [memory.stamp(path) for path in [*folders, *files]]


def _module_file(plugin: Plugin) -> Path:
    top, *rest = plugin.module.split(".")
    if plugin.package is None:
        spec = find_spec(top)
        return Path((spec.origin if spec else None) or top)
    module = plugin.package.joinpath(*rest)
    return module / "__init__.py" if os.path.isdir(module) else module.with_name(f"{module.name}.py")
