"""What the layers' constructors and builds share: arguments and shapes that are refused early, scalars to schedule."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

Shape = tuple[int | None, ...]


def name_of(layer: Any) -> str:
    """A layer's class, for messages."""
    return type(layer).__name__


def require_rank(layer: Any, shape: Any, rank: int, axes: str) -> None:
    """Raise ValueError unless a shape has `rank` axes, which `axes` names."""
    if len(shape) != rank:
        raise ValueError(f"{name_of(layer)} takes inputs {axes}, got shape {tuple(shape)}")


def known_width(layer: Any, shape: Any) -> int:
    """The last axis' size; raises ValueError where it is unknown."""
    if not len(shape) or shape[-1] is None:
        raise ValueError(f"{name_of(layer)} needs a last axis of known size, got shape {tuple(shape)}")
    return int(shape[-1])


def require_positive(layer: Any, name: str, value: Any) -> None:
    """Raise ValueError unless an argument is a whole number from 1."""
    if isinstance(value, bool) or int(value) != value or value < 1:
        raise ValueError(f"{name_of(layer)}({name}={value}): {name} must be a whole number from 1")


def require_choice(layer: Any, name: str, value: Any, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless an argument is one of the choices."""
    if value not in choices:
        raise ValueError(f"{name_of(layer)}({name}={value!r}): {name} must be one of {', '.join(choices)}")


def add_scalar(layer: keras.layers.Layer, name: str, value: float) -> Any:
    """A weight that a schedule may set and training leaves alone; float32 also in mixed precision."""
    initializer = keras.initializers.Constant(value)
    return layer.add_weight(
        name=name, shape=(), initializer=initializer, trainable=False, dtype="float32", autocast=False
    )


def at_least_float32(dtype: str) -> str:
    """The dtype for sums that half precision would spoil: float32, or float64 where that is computed in."""
    return "float64" if dtype == "float64" else "float32"


def greatest(x: Any, axis: int, keepdims: bool = False) -> Any:
    """The greatest numbers along an axis, also of an empty batch, where Keras' `max` raises on PyTorch."""
    reduce = ops.sum if 0 in tuple(x.shape) else ops.max
    return reduce(x, axis=axis, keepdims=keepdims)
