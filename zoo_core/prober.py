"""The process that loads plugins to see whether it can: `python -m zoo_core.prober NAME...`, for `probing`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TextIO

from zoo_core import host, snapshot
from zoo_core.host import Registrations
from zoo_core.installed import installed_plugins
from zoo_core.records import KINDS, Manifest, Plugin

HEAVY = ("keras", "tensorflow", "jax", "torch", "numpy")


def main(names: Sequence[str]) -> None:
    """Write one JSON line when ready, then one for each named plugin, in that order.

    Ends after a plugin that imports a heavy package: that import must not go unseen in the next one.
    """
    with _private_stdout() as answers:
        plugins = {plugin.name: plugin for plugin in installed_plugins()}
        print(json.dumps({"ready": True}), file=answers, flush=True)
        for name in names:
            answer = _answer(plugins.get(name) or Plugin(name, module=name))
            print(json.dumps(answer), file=answers, flush=True)
            if answer["heavy"]:
                break
    # Whatever a plugin left behind, threads or exit handlers, must not hold this process up.
    os._exit(0)


def _private_stdout() -> TextIO:
    """A stream to the original stdout; what plugins print goes nowhere from here on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    return answers


def _answer(plugin: Plugin) -> dict[str, Any]:
    before = _heavy_modules()
    start = time.perf_counter()
    registered, error = _registered(plugin)
    return {
        "plugin": plugin.name,
        "seconds": round(time.perf_counter() - start, 3),
        "error": error,
        "heavy": sorted(_heavy_modules() - before),
        "stale": _is_stale(plugin.manifest, registered),
        "registered": asdict(registered) if registered and plugin.manifest is None else None,
        "counts": _counts(registered) if registered else {},
    }


def _registered(plugin: Plugin) -> tuple[Manifest | None, str | None]:
    try:
        outcome = host.outcome(plugin.name, plugin.module)
        if not isinstance(outcome, Registrations):
            return None, host.explain(outcome)
        return snapshot.outline(plugin.name, outcome), None
    except BaseException as error:
        return None, host.explain(error)


def _counts(registered: Manifest) -> dict[str, int]:
    """How many of each kind the plugin registers; none of what it has none of."""
    found = Counter(item.kind for item in registered.components)
    found.update(models=len(registered.models), commands=len(registered.commands))
    return {kind: found[kind] for kind in (*KINDS, "models", "commands") if found[kind]}


def _is_stale(manifest: Manifest | None, registered: Manifest | None) -> bool:
    return bool(manifest and registered) and _essence(manifest) != _essence(registered)


def _essence(manifest: Manifest | None) -> object:
    """What the hooks alone decide: summaries may come from docstrings, presets come from folders."""
    if manifest is None:
        return None
    return (
        [(item.kind, item.name, item.target) for item in manifest.components],
        [(item.name, item.target, item.task, item.recipe, item.paper, item.default) for item in manifest.models],
        [item.name for item in manifest.commands],
    )


def _heavy_modules() -> set[str]:
    return {name for name in HEAVY if name in sys.modules}


if __name__ == "__main__":
    main(sys.argv[1:])
