"""Keras models out of presets, and back: `load` by name or path, `save` into a folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.config import STORAGES, Config, check_plain, parse_config
from zoo_core.errors import NameNotFoundError, PresetError
from zoo_core.files import parse_json, render_json
from zoo_core.names import is_hub_reference, is_path, shown_path
from zoo_core.presets import CONFIG_FILE, WEIGHTS_FILE, PresetFolder, write_preset
from zoo_core.records import File
from zoo_core.safetensors_file import Header, arrays, parse_header
from zoo_core.text import clean

if TYPE_CHECKING:
    import keras
    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]


def load(name: str | os.PathLike[str], weights: bool = True) -> keras.Model:
    """The model of a preset with its trained weights; with `weights=False`, as it is when newly made.

    `name` is a name such as `glow`, `glow/realnvp` or `glow:mnist`, whose weights are downloaded if need be (a plugin
    is never installed); a place on the Hub, `hf://owner/name@<40 hexadecimal digits>`; or the path of a preset's folder
    (`./runs/glow`, a pathlib path). The plugin of the latter two must be installed.

    Everything is checked before anything is used: size and sha256 of every file, the arguments, the names, shapes and
    dtypes of all tensors, that every number is finite. Raises IntegrityError, PresetError or WeightsError, which name
    file, expected and found; NameNotFoundError, NotInstalledError, DownloadError, BackendError.
    """
    from zoo_core import backend
    from zoo_core.assets import give_assets
    from zoo_core.construction import check_arguments, construct
    from zoo_core.tensors import assign_tensors, check_specs

    preset = _read(name)
    backend.ensure()
    model_class = _model_class(preset.config.model)
    check_arguments(model_class, preset.config.arguments, preset.path(CONFIG_FILE))
    model = construct(
        model_class,
        preset.config.arguments,
        lambda variables: check_specs(variables, preset.specs(), preset.path(WEIGHTS_FILE)),
        preset.path(CONFIG_FILE),
    )
    give_assets(model, preset.others, shown_path(preset.folder))
    if weights:
        assign_tensors(model, preset.tensors(), preset.path(WEIGHTS_FILE))
    return model


def load_weights(model: keras.Model, name: str | os.PathLike[str]) -> None:
    """Give a model that is built the weights of a preset with the same tensors: all, or, where anything is wrong, none.

    The preset is checked as `load` does it, and raises the same; its arguments need not be those of the model, but the
    texts beside the weights must be, such as a vocabulary.
    """
    from zoo_core.assets import check_same_assets
    from zoo_core.tensors import assign_tensors, check_specs, tensor_variables

    preset = _read(name)
    check_same_assets(model, preset.others, shown_path(preset.folder))
    check_specs(tensor_variables(model), preset.specs(), preset.path(WEIGHTS_FILE))
    assign_tensors(model, preset.tensors(), preset.path(WEIGHTS_FILE))


def save(
    model: keras.Model,
    folder: str | os.PathLike[str],
    run: Mapping[str, Any] | None = None,
    *,
    reference: str = "",
    storage: str = "float32",
) -> tuple[File, ...]:
    """Write a model of the zoo as a preset: config.json, model.safetensors, and run.json with their sizes and hashes.

    Texts that the model keeps (its `assets()`, as a vocabulary) go beside them.

    `reference` is the model's `plugin/name` (found out if left out), `run` what run.json is to say besides. With
    `storage="float16"` float32 weights take half the room. Each file is written whole or not at all. Raises PresetError
    for a model that could not be built again from its `get_config()` and where the folder cannot be written,
    WeightsError for weights that are not finite.
    """
    from zoo_core.assets import assets_of
    from zoo_core.tensors import check_finite, tensor_arrays

    if storage not in STORAGES:
        raise PresetError(f"storage should be one of {', '.join(STORAGES)}, not '{storage}'")
    config = Config(reference or _reference(type(model)), _arguments(model), storage)
    tensors: Arrays = tensor_arrays(model)
    if storage == "float16":
        tensors = _cast(tensors, "float32", "float16")
    check_finite(tensors, f"{type(model).__name__} as {storage}")
    try:
        return write_preset(Path(folder).expanduser(), config, tensors, run, assets_of(model))
    except OSError as error:
        raise PresetError(f"{os.fspath(folder)}: cannot be written: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class _Preset:
    """What was read out of a preset's folder, checked but for what only the built model can tell."""

    folder: Path
    config: Config
    content: bytearray
    header: Header
    others: Mapping[str, bytes]

    def path(self, file: str) -> str:
        return shown_path(self.folder / file)

    def specs(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Dtype and shape of every tensor as the model should have it."""
        specs = self.header.specs
        if self.config.storage == "float16":
            return {name: ("float32" if kind == "float16" else kind, shape) for name, (kind, shape) in specs.items()}
        return specs

    def tensors(self) -> Arrays:
        tensors = arrays(self.content, self.header)
        return _cast(tensors, "float16", "float32") if self.config.storage == "float16" else tensors


def _read(name: str | os.PathLike[str]) -> _Preset:
    """Read and verify a preset's files; `model` in config.json must be the one that the name means."""
    from zoo_core.assets import other_files

    folder, files, model = _find(name)
    contents = folder.contents(files)
    if missing := {CONFIG_FILE, WEIGHTS_FILE} - contents.keys():
        raise PresetError(f"{shown_path(folder.path)}: {', '.join(sorted(missing))} is not among the preset's files")
    config = parse_config(contents[CONFIG_FILE], shown_path(folder.path / CONFIG_FILE))
    if model not in ("", config.model):
        raise PresetError(f"{shown_path(folder.path / CONFIG_FILE)}: model: expected {model}, found {config.model}")
    header = parse_header(contents[WEIGHTS_FILE], shown_path(folder.path / WEIGHTS_FILE))
    return _Preset(folder.path, config, contents[WEIGHTS_FILE], header, other_files(contents))


def _find(name: str | os.PathLike[str]) -> tuple[PresetFolder, tuple[File, ...], str]:
    from zoo_core import index, pulling

    if is_path(name):
        folder = PresetFolder(Path(name).expanduser())
        return folder, folder.files(), ""
    if is_hub_reference(name):
        return pulling.present_published(str(name))
    plugin, model, preset = index.find_preset(str(name))
    if not plugin.installed:
        raise pulling.not_installed(plugin)
    full_name = f"{plugin.name}/{model.name}"
    if preset is None:
        raise NameNotFoundError(f"{full_name} has no trained weights yet", f"zoo train {full_name}")
    return pulling.present(plugin, preset), preset.files, full_name


def _model_class(reference: str) -> Callable[..., keras.Model]:
    from zoo_core import host, index, pulling

    plugin, model = index.find_model(reference)
    if not plugin.installed:
        raise pulling.not_installed(plugin)
    model_class: Callable[..., keras.Model] = host.resolve(host.load(plugin).models[model.name].target)
    return model_class


def _reference(model_class: type) -> str:
    """The name under which an installed plugin registers this class; plugins of other packages are not loaded."""
    from zoo_core import host, index

    package = model_class.__module__.partition(".")[0]
    for plugin in index.installed_plugins():
        if plugin.module.partition(".")[0] == package and not plugin.broken:
            for name, registration in host.load(plugin).models.items():
                if host.resolve(registration.target) is model_class:
                    return f"{plugin.name}/{name}"
    raise PresetError(f"{model_class.__name__} is not a registered model of an installed plugin", "give its reference")


def _arguments(model: keras.Model) -> dict[str, Any]:
    """The constructor arguments out of `get_config()`, as plain JSON; Keras' own (name, dtype...) are left out."""
    from zoo_core.construction import check_arguments, parameters

    where = f"{type(model).__name__}.get_config()"
    known = parameters(type(model))
    try:
        config = {name: value for name, value in model.get_config().items() if name in known}
        arguments: dict[str, Any] = parse_json(render_json(config).encode())
    except (NotImplementedError, TypeError, ValueError) as error:
        raise PresetError(f"{where}: no plain JSON: {clean(str(error))[:200]}") from error
    check_plain(arguments, where)
    check_arguments(type(model), arguments, where)
    return arguments


def _cast(tensors: Arrays, old: str, new: str) -> Arrays:
    import numpy as np

    with np.errstate(over="ignore"):  # too large for float16: found by the check for finite numbers
        return {name: array.astype(new) if array.dtype == old else array for name, array in tensors.items()}
