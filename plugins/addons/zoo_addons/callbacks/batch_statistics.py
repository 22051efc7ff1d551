"""BatchNorm's statistics, estimated anew for weights that no batch was ever normalised with."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np


def estimate_batch_statistics(model: keras.Model, data: Any, batch_size: int = 32, batches: int | None = None) -> int:
    """Set the moving mean and variance of every BatchNormalization to their averages over the batches of `data`.

    Each batch is run through the model as in training, and weighs as many examples as it has. Nothing else in the model
    changes: what else a run in training would move (other moving averages, seeds) is put back. Dropout is active, as it
    was when the weights were trained.

    Arguments:
        model: a built model.
        data: inputs: an array, or a list or dictionary of arrays; or an iterable of batches (a `tf.data.Dataset`, a
            `PyDataset`, a generator), of which a tuple's first element is the input.
        batch_size: for arrays.
        batches: at most so many.

    Returns:
        The number of examples seen; 0 where there is no BatchNormalization, and nothing is run.
    """
    layers = [layer for layer in _layers(model) if isinstance(layer, keras.layers.BatchNormalization)]
    if not layers:
        return 0
    statistics = {id(variable) for layer in layers for variable in (layer.moving_mean, layer.moving_variance)}
    others = [variable for variable in model.non_trainable_variables if id(variable) not in statistics]
    before = [np.array(keras.ops.convert_to_numpy(variable)) for variable in others]
    momenta = [layer.momentum for layer in layers]
    seen = 0
    try:
        for inputs in itertools.islice(_inputs(data, batch_size), batches):
            size = len(keras.tree.flatten(inputs)[0])
            for layer in layers:
                # What the batch leaves of the average so far; nothing of the old statistics.
                layer.momentum = seen / (seen + size)
            model(inputs, training=True)
            seen += size
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
        for variable, array in zip(others, before, strict=True):
            variable.assign(array)
    return seen


def _layers(model: keras.Model) -> Iterator[keras.Layer]:
    return iter(model._flatten_layers())


def _inputs(data: Any, batch_size: int) -> Iterator[Any]:
    """Batches of inputs that are not empty."""
    if isinstance(data, keras.utils.PyDataset):
        batches: Iterable[Any] = (data[index] for index in range(data.num_batches or 0))
    elif isinstance(data, (np.ndarray, dict, list)) or keras.ops.is_tensor(data):
        count = len(keras.tree.flatten(data)[0])
        batches = (_part(data, start, start + batch_size) for start in range(0, count, batch_size))
    else:
        batches = data
    for batch in batches:
        inputs = batch[0] if isinstance(batch, tuple) else batch
        if len(keras.tree.flatten(inputs)[0]):
            yield keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)


def _part(data: Any, start: int, stop: int) -> Any:
    return keras.tree.map_structure(lambda array: array[start:stop], data)
