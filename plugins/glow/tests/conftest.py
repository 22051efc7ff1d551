"""What the flow tests share: random inputs, scrambled weights, and a brute-force Jacobian on each backend."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("ZOO_TEST_FLOATX"):
        import keras

        keras.config.set_floatx(os.environ["ZOO_TEST_FLOATX"])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.Generator(np.random.Philox(7))


@pytest.fixture
def scramble() -> Callable:
    """Give every trainable variable random values, so that zero-initialised networks do something."""

    def scramble(layer, scale: float = 0.2, seed: int = 3):
        generator = np.random.Generator(np.random.Philox(seed))
        for variable in layer.trainable_variables:
            variable.assign(np.asarray(variable) + scale * generator.standard_normal(variable.shape))
        return layer

    return scramble


@pytest.fixture
def jacobian() -> Callable:
    """The Jacobian matrix of `function` at one sample `x` (without batch axis), by automatic differentiation."""

    def jacobian(function, x):
        import keras

        def flat(vector):
            return keras.ops.reshape(function(keras.ops.reshape(vector, (1, *x.shape))), (-1,))

        vector = keras.ops.convert_to_tensor(x.reshape(-1))
        if keras.backend.backend() == "jax":
            import jax

            return np.asarray(jax.jit(jax.jacfwd(flat))(vector), "float64")
        import tensorflow as tf

        with tf.GradientTape(persistent=True) as tape:
            tape.watch(vector)
            y = flat(vector)
        return np.asarray(tape.jacobian(y, vector, experimental_use_pfor=False), "float64")

    return jacobian
