"""Small examples of the losses, for `zoo check`."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo_core.conformance import Example

CLASSES = 5


def label_smoothed() -> Example:
    """Logits by position, of which one is left out."""
    return Example({"label_smoothing": 0.2, "from_logits": True, "ignore_class": -1}, inputs=(_labels(), _scores()))


def uniform() -> Example:
    """Probabilities."""
    return Example({"ignore_class": -1}, inputs=(_labels(), _probabilities()))


def hinged() -> Example:
    """Logits, of which some are right already."""
    return Example({"from_logits": True, "ignore_class": -1}, inputs=(_labels(), 3 * _scores()))


def hinged_binary() -> Example:
    """Several outputs, of which one is left out."""
    return Example({"threshold": 0.7, "ignore_class": -1}, inputs=(_targets(), _probabilities()))


def multi_label() -> Example:
    """Several classes are right, and nothing is known of one."""
    return Example({"ignore_class": -1}, inputs=(_targets(), _scores()))


def weighted() -> Example:
    """Two losses of one output, one of them scheduled."""
    import keras

    from zoo_addons.losses.label_smoothing import UniformCrossentropy

    network = keras.Sequential([keras.Input((8,)), keras.layers.Dense(CLASSES)])
    losses = {
        "labels": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        "uniform": UniformCrossentropy(from_logits=True),
    }
    schedule = keras.optimizers.schedules.CosineDecay(0.1, 10)
    return Example({"model": network, "losses": losses, "loss_weights": {"uniform": schedule}}, input_shape=(8,))


def _rng() -> np.random.Generator:
    return np.random.Generator(np.random.Philox(0))


def _scores() -> Any:
    return _rng().standard_normal((2, 3, CLASSES)).astype("float32")


def _probabilities() -> Any:
    return _rng().uniform(0.05, 0.95, (2, 3, CLASSES)).astype("float32")


def _labels() -> Any:
    return np.array([[0, 4, 2], [-1, 1, 3]], "int32")


def _targets() -> Any:
    targets = _rng().integers(0, 2, (2, 3, CLASSES)).astype("float32")
    targets[0, 1, 2] = -1
    return targets
