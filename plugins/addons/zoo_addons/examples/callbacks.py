"""Small examples of the callbacks that need more than numbers to be made, for `zoo check`."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from zoo_core.conformance import Example


def best_by_metric() -> Example:
    """By the size of the weights, from a function; the first epoch is the best, and comes back."""
    return Example({"function": _size, "mode": "min", "filepath": "best.weights.h5", "restore_best_weights": True})


def histograms() -> Example:
    """Of weights and gradients."""
    return Example({"folder": "logs", "data": (_vectors(), np.ones((2, 1), "float32"))})


def hyper_parameter_schedule() -> Example:
    """Of a learning rate that falls to nothing."""
    from zoo_addons.callbacks.hyper_schedules import LinearSchedule

    return Example({"target": "optimizer.learning_rate", "schedule": LinearSchedule(0.1, 0.0, 3), "unit": "batch"})


def one_cycle() -> Example:
    """With momentum."""
    return Example({"max_learning_rate": 0.1}, model=_with_momentum)


def resume() -> Example:
    """Around a callback that has something to remember."""
    return Example({"folder": "backup", "callbacks": [keras.callbacks.EarlyStopping("loss")], "save_freq": 1})


def swa() -> Example:
    """With BatchNorm, whose statistics are estimated anew."""
    inputs = (_vectors(), np.ones((2, 1), "float32"))
    return Example({"start_epoch": 0, "data": _vectors()}, inputs=inputs, model=_normalised)


def sample_writer() -> Example:
    """A text and a picture."""
    return Example({"function": _samples, "folder": "samples"})


def _size(model: Any) -> float:
    return float(sum(np.square(array).sum() for array in model.get_weights()))


def _samples(model: Any) -> dict[str, Any]:
    kernel = model.get_weights()[0]
    return {"kernel": str(kernel.shape), "picture": np.asarray(kernel, "float32")[..., None] * 0.1}


def _with_momentum() -> Any:
    return _compiled([keras.layers.Dense(1, kernel_initializer=_initializer())])


def _normalised() -> Any:
    return _compiled([keras.layers.BatchNormalization(), keras.layers.Dense(1, kernel_initializer=_initializer())])


def _compiled(layers: list[Any]) -> Any:
    model = keras.Sequential([keras.Input((8,)), *layers])
    model.compile(optimizer=keras.optimizers.SGD(0.01, momentum=0.9), loss="mse")
    return model


def _initializer() -> Any:
    return keras.initializers.RandomNormal(stddev=0.5, seed=0)


def _vectors() -> np.ndarray:
    return np.random.Generator(np.random.Philox(0)).normal(size=(2, 8)).astype("float32")
