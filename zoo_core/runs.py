"""The record of a training run, run.json: what was trained how, on what and where, and what was measured."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.files import render_json, replace_text

if TYPE_CHECKING:
    import keras

    from zoo_core.data import Splits
    from zoo_core.recipes import Recipe

SCHEMA = 1
RUN_FILE = "run.json"

Record = dict[str, Any]


def new_record(name: str, recipe: Recipe, data: Splits, model: keras.Model, initial: Record | None) -> Record:
    """The record of a run that is about to start; `name` is the model's `plugin/name`."""
    return {
        "schema": SCHEMA,
        "model": name,
        "variant": data.name,
        "recipe": f"{type(recipe).__module__}:{type(recipe).__qualname__}",
        "settings": settings(recipe),
        "data": {"name": data.name, "sha256": data.sha256, "license": data.license, "splits": data.sizes},
        "seed": recipe.seed,
        "epochs": 0,
        "steps": 0,
        "seconds": 0.0,
        "hardware": hardware(),
        "versions": versions(name.partition("/")[0]),
        "parameters": int(model.count_params()),
        "initial": initial,
        "evaluation": None,
        "license": recipe.license,
        "files": {},
    }


def settings(recipe: Recipe) -> Record:
    """A recipe's settings as run.json holds them."""
    plain: Record = json.loads(json.dumps(dataclasses.asdict(recipe)))
    return plain


def read_record(folder: Path) -> Record:
    """The run.json of a preset folder; raises PresetError where it is missing or malformed, or of another schema."""
    from zoo_core import run_schema
    from zoo_core.config import check_schema
    from zoo_core.names import shown_path
    from zoo_core.presets import PresetFolder

    record, where = PresetFolder(folder).run(), shown_path(folder / RUN_FILE)
    check_schema(record.get("schema"), where)
    run_schema.check(record, where)
    return record


def write_record(folder: Path, record: Record) -> None:
    """Write run.json and the card, each whole or not at all. Raises OSError."""
    from zoo_core import card

    replace_text(folder / RUN_FILE, render_json(record))
    card.write(folder, record)


def differences(old: Record, new: Record, recipe: Recipe) -> list[str]:
    """In what a run differs from the one that a folder holds, in words; `recipe` is the new run's.

    Settings that may change on the way are left out; one that the recipe got since then counts as its default.
    """
    before, after = {**_defaults(recipe), **old.get("settings", {})}, new["settings"]
    names = sorted((before.keys() | after.keys()) - recipe.resumable - {"data"})
    pairs = [
        ("model", old.get("model"), new["model"]),
        ("recipe", old.get("recipe"), new["recipe"]),
        ("data", _data_identity(old), _data_identity(new)),
        ("init", old.get("initial"), new["initial"]),
        *((name, before.get(name), after.get(name)) for name in names),
    ]
    return [f"{name}={held} (now {wanted})" for name, held, wanted in pairs if held != wanted]


def _defaults(recipe: Recipe) -> Record:
    fields = [field for field in dataclasses.fields(recipe) if field.default is not dataclasses.MISSING]
    plain: Record = json.loads(json.dumps({field.name: field.default for field in fields}))
    return plain


def _data_identity(record: Record) -> str:
    data = record.get("data", {})
    return f"{data.get('name')}, sha256 {str(data.get('sha256'))[:12]}"


def hardware() -> Record:
    """The processor, its cores, the memory in GiB and the devices computed on: no names of hosts or people."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "devices": _devices(),
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _devices() -> list[str]:
    """The accelerators that the backend sees, by model; "cpu" where there is none."""
    import keras

    found: list[str] = []
    if keras.backend.backend() == "jax":
        import jax

        found = [device.device_kind for device in jax.devices()]
    elif keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        details = tf.config.experimental.get_device_details
        found = [details(device).get("device_name", device.name) for device in tf.config.list_physical_devices("GPU")]
    elif keras.backend.backend() == "torch":
        import torch

        found = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return found or ["cpu"]


def versions(plugin: str) -> Record:
    """The versions of whatever the result depends on."""
    import keras
    import numpy as np

    from zoo_core.version import __version__

    backend = keras.backend.backend()
    return {
        "python": platform.python_version(),
        "system": sys.platform,
        "zoo-core": __version__,
        plugin: _plugin_version(plugin),
        "keras": keras.__version__,
        "backend": backend,
        backend: sys.modules[backend].__version__,
        "numpy": np.__version__,
    }


def _plugin_version(name: str) -> str:
    from zoo_core.errors import ZooError
    from zoo_core.index import find_plugin

    try:
        return find_plugin(name).version
    except ZooError:
        return "unknown"
