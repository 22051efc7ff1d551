"""Checks of a model's weights as the zoo keeps them: names that last, and a preset that loads as the same model."""

from __future__ import annotations

from pathlib import Path

from zoo_core import loading
from zoo_core.conformance import scrambled
from zoo_core.conformance.arrays import require_equal
from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.conformance.specimens import Specimen
from zoo_core.conformance.subjects import Item, Subject
from zoo_core.errors import ZooError
from zoo_core.tensors import Specs, tensor_arrays, tensor_variables
from zoo_core.text import listed

_SHOWN = 3


def check_tensor_names(subject: Subject, item: Item) -> None:
    """A model that was called and one that is only made, as `load` makes it, have the same tensors."""
    specimen = subject.specimen(item)
    used = _specs(specimen, specimen.require_instance())
    fresh_model = specimen.make()
    getattr(fresh_model, "build_for_loading", lambda: None)()
    fresh = _specs(specimen, fresh_model)
    if not fresh and used:
        raise CheckFailed(
            "it has no weights before it is called: make them in the constructor or in build_for_loading()"
        )
    if differing := sorted(name for name in used.keys() | fresh.keys() if used.get(name) != fresh.get(name)):
        raise CheckFailed(f"two constructions differ in the tensors {listed(differing[:_SHOWN])}")


def check_weights(subject: Subject, item: Item) -> None:
    """As a preset its weights come back bit by bit, whatever they are, and with its own ones it computes the same."""
    _require_known(subject, item)
    specimen = subject.specimen(item)
    instance = specimen.require_instance()
    expected, folder = specimen.outputs, Path("preset").absolute()
    with scrambled.weights(specimen.weights(instance)):
        loading.save(instance, folder, reference=item.name)
        same = loading.load(folder)
        old, new = tensor_arrays(instance), tensor_arrays(same)
        require_equal([new[name] for name in old], list(old.values()), "its weights, saved and loaded,", 0.0)
    names = tensor_variables(instance)
    scrambled.copy(list(names.values()), [tensor_variables(same)[name] for name in names])
    require_equal(specimen.run(same), expected, "its outputs, before saving and after loading,")


def _require_known(subject: Subject, item: Item) -> None:
    manifest = subject.plugin.manifest
    registered = {f"{subject.plugin.name}/{model.name}" for model in manifest.models} if manifest else set()
    if item.name not in registered or subject.plugin.broken:
        raise Undecided("its manifest does not have the model: see the check 'manifest'")


def _specs(specimen: Specimen, model: object) -> Specs:
    try:
        return {name: (weight.dtype, tuple(weight.shape)) for name, weight in tensor_variables(model).items()}
    except ZooError as error:
        raise CheckFailed(str(error)) from error
