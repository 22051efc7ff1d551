"""Whether plugins' code can be loaded: found out in a subprocess, and remembered until a plugin changes."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zoo_core import manifest as manifests
from zoo_core import probe_memory
from zoo_core.errors import ManifestError
from zoo_core.records import Manifest, Plugin
from zoo_core.text import clean, plural

_LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Result:
    """What came of loading one plugin.

    `error` is the reason why it cannot be loaded, `heavy` the packages among keras, tensorflow, jax, torch and numpy
    that loading it imports, `stale` whether its manifest differs from what its hooks register, `manifest` what they
    register, for a plugin that has no manifest of its own, and `counts` how many of each kind.
    """

    plugin: str
    seconds: float
    error: str | None = None
    heavy: tuple[str, ...] = ()
    stale: bool = False
    manifest: Manifest | None = None
    counts: Mapping[str, int] = field(default_factory=dict)


def results(plugins: Iterable[Plugin], refresh: bool = False) -> dict[str, Result]:
    """A result, by name, for each installed plugin that is not known to be broken without loading it.

    Loads those that were never seen as they are now, or all with `refresh`; with ZOO_NO_PROBE set, none.
    """
    candidates = _candidates(plugins)
    known = {} if refresh else remembered(candidates)
    new = [plugin for plugin in candidates if plugin.name not in known]
    if not new or os.environ.get("ZOO_NO_PROBE"):
        return known
    from zoo_core import probing

    if sys.stderr.isatty():
        print(f"Looking at {plural(len(new), 'new plugin')}...", file=sys.stderr, flush=True)
    answers = {answer["plugin"]: answer for answer in probing.answers([plugin.name for plugin in new])}
    probe_memory.write(answers, new)
    return known | {name: _result(answer) for name, answer in answers.items()}


def remembered(plugins: Iterable[Plugin]) -> dict[str, Result]:
    """The results, by name, of those plugins that were seen as they are now."""
    answers = probe_memory.read(_candidates(plugins))
    return {name: _result(answer) for name, answer in answers.items()}


def filled_in(plugins: Sequence[Plugin], found: dict[str, Result]) -> tuple[Plugin, ...]:
    """The plugins with the reason why one cannot be loaded, and with the manifest of one that has none."""
    return tuple(_filled_in(plugin, found.get(plugin.name)) for plugin in plugins)


def _filled_in(plugin: Plugin, result: Result | None) -> Plugin:
    if plugin.broken or result is None or not (result.error or result.manifest):
        return plugin
    return replace(plugin, broken=result.error, manifest=plugin.manifest or result.manifest)


def _candidates(plugins: Iterable[Plugin]) -> list[Plugin]:
    return [plugin for plugin in plugins if plugin.installed and not plugin.broken]


def _result(answer: dict[str, Any]) -> Result:
    error, manifest = answer["error"], None
    try:
        if answer["registered"]:
            manifest = manifests.from_table(answer["registered"], "its registrations")
    except ManifestError as malformed:
        error = malformed.message
    return Result(
        plugin=answer["plugin"],
        seconds=answer["seconds"],
        error=clean(error)[:_LONGEST_REASON] if error else None,
        heavy=tuple(answer["heavy"]),
        stale=answer["stale"],
        manifest=manifest,
        counts=answer.get("counts", {}),
    )
