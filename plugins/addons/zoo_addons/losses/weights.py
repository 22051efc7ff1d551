"""The weights of a sum of losses: numbers, or schedules that are computed within a compiled step."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_addons.callbacks.hyper_schedules import HyperSchedule

Tensor = Any
"""A tensor of whatever the backend is."""


def as_weight(term: str, given: Any) -> Any:
    """A number, or a schedule; raises ValueError for anything else."""
    if isinstance(given, HyperSchedule):
        kind = type(given).__name__
        raise ValueError(
            f"WeightedLosses: {kind} computes outside of compiled training; schedule the weight of '{term}' by the "
            f"callback HyperParameterSchedule('loss_weights.{term}', {kind}(...))"
        )
    if callable(given):
        return given
    if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
        raise ValueError(f"WeightedLosses: the weight of '{term}' must be a finite number or a schedule, got {given!r}")
    return float(given)


def at(weight: Any, iteration: Any) -> Tensor:
    """What a weight is when so many batches have been trained; raises ValueError where that is no scalar."""
    now = ops.cast(ops.convert_to_tensor(weight(iteration) if callable(weight) else weight), "float32")
    if len(now.shape) != 0:
        raise ValueError(f"WeightedLosses: a schedule must give one number, got shape {tuple(now.shape)}")
    return now


def serialized(weight: Any) -> Any:
    """A number as it is, a schedule as Keras serialises it."""
    return keras.saving.serialize_keras_object(weight) if callable(weight) else weight


def deserialized(config: Any, custom_objects: Any = None) -> Any:
    """What `serialized` was given."""
    if isinstance(config, dict):
        return keras.saving.deserialize_keras_object(config, custom_objects=custom_objects)
    return config
