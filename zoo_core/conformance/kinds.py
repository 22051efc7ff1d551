"""What may be registered as each kind: subclasses of Keras' own classes."""

from __future__ import annotations

from typing import Any

from zoo_core import host
from zoo_core.conformance.results import CheckFailed
from zoo_core.conformance.subjects import Item
from zoo_core.errors import PluginError


def class_of(item: Item) -> Any:
    """The class that an item registers; raises CheckFailed where it is none of that kind, PluginError without any."""
    import keras

    bases = {
        "losses": (keras.losses.Loss,),
        "layers": (keras.layers.Layer,),
        # A model around a model is a training step: what no optimizer can do.
        "optimizers": (keras.optimizers.Optimizer, keras.Model),
        "callbacks": (keras.callbacks.Callback,),
        "models": (keras.Model,),
    }
    assert item.registration is not None
    found = host.resolve(item.registration.target)
    wanted = bases[item.kind]
    if not (isinstance(found, type) and issubclass(found, wanted)):
        name = getattr(found, "__name__", repr(found))
        names = " or ".join(base.__name__ for base in wanted)
        raise CheckFailed(f"{name} is registered among the {item.kind}, but is no subclass of keras' {names}")
    return found


def is_step(item: Item) -> bool:
    """Whether an item is a training step: a model around a model, among the optimizers."""
    import keras

    if item.kind != "optimizers":
        return False
    try:
        return issubclass(class_of(item), keras.Model)
    except (CheckFailed, PluginError):
        return False
