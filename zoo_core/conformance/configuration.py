"""The check of `get_config` and `from_config`: another of the same kind comes out of plain data."""

from __future__ import annotations

from typing import Any

from zoo_core.conformance.arrays import require_equal
from zoo_core.conformance.plain import differing, plain
from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.conformance.specimens import Specimen
from zoo_core.conformance.subjects import Item, Subject
from zoo_core.construction import parameters
from zoo_core.host import explain
from zoo_core.text import listed

_EVERY_LAYERS = ("name", "dtype", "trainable")


def check_config(subject: Subject, item: Item) -> None:
    """Its config is plain JSON and complete, and what is made from it does the same; a callback's state likewise."""
    specimen = subject.specimen(item)
    instance = specimen.require_instance()
    if item.kind == "callbacks":
        _check_callback(specimen, instance)
    else:
        _check_config(specimen, instance)


def _check_config(specimen: Specimen, instance: Any) -> None:
    import keras

    config = plain(instance.get_config(), "get_config()")
    _require_arguments(specimen.target, config)
    serialized = plain(keras.saving.serialize_keras_object(instance), "what Keras makes of it")
    try:
        same = keras.saving.deserialize_keras_object(serialized)
    except Exception as error:
        raise CheckFailed(f"from_config(get_config()): {explain(error)}") from error
    if type(same) is not type(instance):
        raise CheckFailed(f"from_config gives {type(same).__name__} instead of {type(instance).__name__}")
    if changed := differing(config, plain(same.get_config(), "get_config()")):
        raise CheckFailed(f"from_config(get_config()) has another {listed(changed)}")
    _require_same(specimen, instance, same, "made again from its config")


def _require_same(specimen: Specimen, instance: Any, same: Any, how: str) -> None:
    """Raise CheckFailed unless both have weights of the same shapes and, given the same ones, compute the same."""
    expected = specimen.outputs
    if specimen.item.kind == "optimizers":
        require_equal(specimen.run(same), expected, f"the weights that it trains, and those when {how},")
        return
    specimen.run(same)
    old, new = specimen.weights(instance), specimen.weights(same)
    if [tuple(weight.shape) for weight in old] != [tuple(weight.shape) for weight in new]:
        raise CheckFailed(f"{how} it has weights of other shapes")
    for weight, value in zip(new, old, strict=True):
        weight.assign(value)
    require_equal(specimen.run(same), expected, f"its outputs, and those when {how},")


def _require_arguments(target: type, config: dict[str, Any]) -> None:
    """Raise CheckFailed where Keras' own from_config would leave an argument at its default."""
    import keras

    own = target.from_config.__func__  # type: ignore[attr-defined]  # every Keras class has it as a class method
    bases = (keras.losses.Loss, keras.layers.Layer, keras.optimizers.Optimizer, keras.Model)
    inherited = {base.from_config.__func__ for base in bases}
    base = next(base for base in target.__mro__ if base.__module__.partition(".")[0] == "keras")
    known = {*config, *parameters(base), *_EVERY_LAYERS}
    missing = [name for name in parameters(target) if name not in known]
    if missing and own in inherited:
        raise CheckFailed(f"get_config() leaves out {listed(missing)}, so from_config sets the default")


def _check_callback(specimen: Specimen, instance: Any) -> None:
    """Keras writes no callback down; training with checkpoints keeps the state of those that offer it."""
    if not (hasattr(instance, "get_state") and hasattr(instance, "set_state")):
        raise Undecided("Keras does not save callbacks, and this one has no get_state and set_state for checkpoints")
    state = plain(instance.get_state(), "get_state()")
    same = specimen.make()
    same.set_state(state)
    if plain(same.get_state(), "get_state()") != state:
        raise CheckFailed("set_state(get_state()) gives another state")
