"""What may be registered as each kind: subclasses of Keras' own classes."""

from __future__ import annotations

from typing import Any

from zoo_core import host
from zoo_core.conformance.results import CheckFailed
from zoo_core.conformance.subjects import Item


def class_of(item: Item) -> Any:
    """The class that an item registers; raises CheckFailed where it is none of that kind, PluginError without any."""
    import keras

    bases = {
        "losses": keras.losses.Loss,
        "layers": keras.layers.Layer,
        "optimizers": keras.optimizers.Optimizer,
        "callbacks": keras.callbacks.Callback,
        "models": keras.Model,
    }
    assert item.registration is not None
    found = host.resolve(item.registration.target)
    base = bases[item.kind]
    if not (isinstance(found, type) and issubclass(found, base)):
        name = getattr(found, "__name__", repr(found))
        raise CheckFailed(f"{name} is registered among the {item.kind}, but is no subclass of keras' {base.__name__}")
    return found
