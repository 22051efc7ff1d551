"""One term of a weighted sum: a loss of whatever kind."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from typing import Any

import keras
from keras.src.losses.losses import LossFunctionWrapper

Tensor = Any
"""A tensor of whatever the backend is."""

Loss = Any
"""A `keras.losses.Loss`, or a layer that has a loss."""


def as_loss(name: str, given: Any) -> Loss:
    """A loss as users may give it, as an object; raises ValueError for what is none."""
    if isinstance(given, keras.losses.Loss) and given.reduction in (None, "none"):
        raise ValueError(
            f"WeightedLosses: the loss of the term '{name}' has reduction=None, which leaves no one number"
        )
    if isinstance(given, keras.losses.Loss | keras.layers.Layer):
        return given
    found = keras.losses.get(given)
    if found is None:
        raise ValueError(f"WeightedLosses: the term '{name}' has no loss")
    return found if isinstance(found, keras.losses.Loss) else LossFunctionWrapper(found)


def serialized(loss: Loss) -> Any:
    """What `as_loss` makes it of again."""
    if type(loss) is LossFunctionWrapper:
        return keras.losses.serialize(loss.fn)
    return keras.saving.serialize_keras_object(loss)


def deserialized(config: Any, custom_objects: Any = None) -> Any:
    """What `serialized` was given; names of functions as they are."""
    if isinstance(config, str):
        return keras.losses.deserialize(config, custom_objects=custom_objects)
    return keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)


def value(loss: Loss, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor | None, training: bool) -> Tensor:
    """The reduced value of a term; raises ValueError where sample weights could not count."""
    if isinstance(loss, keras.losses.Loss):
        return loss(y_true, y_pred, sample_weight)
    if "sample_weight" in _parameters(loss):
        values, sample_weight = _called(loss, y_true, y_pred, training, sample_weight=sample_weight), None
    else:
        values = _called(loss, y_true, y_pred, training)
    if sample_weight is not None and len(values.shape) == 0:
        raise ValueError(
            f"{type(loss).__name__} gives one number for the batch, in which sample weights cannot count: give weights "
            "for the other terms alone, by their names, or let it give one number for each example"
        )
    return _Given(name="given")(y_true, values, sample_weight)


def build(name: str, layer: keras.layers.Layer, y_pred: Tensor) -> None:
    """Let a layer make its weights, for labels or else for targets like the output; raises ValueError if it cannot."""
    output = keras.KerasTensor(tuple(y_pred.shape), dtype=keras.backend.standardize_dtype(y_pred.dtype))
    labels = keras.KerasTensor(tuple(y_pred.shape)[:1], dtype="int32")
    failures = []
    for targets in (labels, output):
        try:
            layer(targets, output) if _takes_two(layer) else layer([output, targets])
        except Exception as failure:
            failures.append(failure)
        else:
            return
    raise ValueError(
        f"WeightedLosses: the layer of the term '{name}' could not be built for an output of shape "
        f"{tuple(y_pred.shape)}; call it on a batch of targets and outputs first. It says: {failures[0]}"
    ) from failures[0]


class _Given(keras.losses.Loss):
    """Values that are losses already, to be weighted and averaged as Keras does it."""

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """The values."""
        return y_pred


def _called(layer: keras.layers.Layer, y_true: Tensor, y_pred: Tensor, training: bool, **keywords: Any) -> Tensor:
    """What a layer gives as its loss, or adds as its loss where it is called with the two in a list."""
    if "training" in _parameters(layer):
        keywords["training"] = training
    if _takes_two(layer):
        return layer(y_true, y_pred, **keywords)
    with _catching(layer) as added:
        layer([y_pred, y_true], **keywords)
    if not added:
        raise ValueError(f"{type(layer).__name__} is called with [outputs, targets], and adds no loss")
    return sum(added)


def _takes_two(layer: keras.layers.Layer) -> bool:
    """Whether it is called with two tensors, rather than with a list of them."""
    parameters = _parameters(layer).values()
    return sum(each.default is each.empty and each.kind < each.VAR_POSITIONAL for each in parameters) > 1


@contextlib.contextmanager
def _catching(layer: keras.layers.Layer) -> Iterator[list[Tensor]]:
    """Within it, the losses that a layer adds are added to the list instead.

    On JAX Keras drops what is added while a loss is computed.
    """
    added: list[Tensor] = []
    own = vars(layer)
    own["add_loss"] = lambda loss: added.extend(keras.tree.flatten(loss))
    try:
        yield added
    finally:
        del own["add_loss"]


def _parameters(layer: keras.layers.Layer) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(layer.call).parameters)
