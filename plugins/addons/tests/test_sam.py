"""Sharpness-aware minimisation against its definition in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo_addons import SAM

pytestmark = [pytest.mark.backend, pytest.mark.float64]

FLOATX = keras.config.floatx()
EXACT = FLOATX == "float64" and keras.backend.backend() != "jax"
CLOSE = {"rtol": 1e-9, "atol": 1e-11} if EXACT else {"rtol": 2e-5, "atol": 1e-6}
"""On JAX the loss of Keras' `fit` itself is off by single precision's rounding."""


def draw():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 3)), rng.normal(size=(6, 2)), [rng.normal(size=(3, 2)), rng.normal(size=2)]


def gradients(x, y, kernel, bias):
    """Of the mean squared error of a linear layer."""
    error = 2 * (x @ kernel + bias - y) / y.size
    return x.T @ error, error.sum(0)


def reference(steps, *, rho, adaptive=False, eta=0.01, rate=0.125, momentum=0.5):
    """Algorithm 1 of Foret et al., equation 8 of Kwon et al., under SGD with momentum."""
    x, y, weights = draw()
    velocities = [np.zeros_like(w) for w in weights]
    for _ in range(steps):
        here = gradients(x, y, *weights)
        scales = [np.abs(w) + eta if adaptive else np.ones_like(w) for w in weights]
        norm = np.sqrt(sum(np.sum((t * g) ** 2) for t, g in zip(scales, here, strict=True)))
        there = gradients(x, y, *(w + rho * t * t * g / norm for w, t, g in zip(weights, scales, here, strict=True)))
        for w, v, g in zip(weights, velocities, there, strict=True):
            v[...] = momentum * v - rate * g
            w += v
    return weights


def fitted(steps, wrap):
    x, y, weights = draw()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.set_weights(weights)
    step = wrap(model)
    step.compile(keras.optimizers.SGD(0.125, momentum=0.5), loss="mse")
    history = step.fit(x, y, batch_size=6, epochs=steps, verbose=0).history
    return model.get_weights(), history["loss"]


@pytest.mark.parametrize("arguments", [{"rho": 0.5}, {"rho": 0.5, "adaptive": True}, {"rho": 0.0}], ids=str)
def test_four_steps_are_the_definition(arguments):
    found, _ = fitted(4, lambda model: SAM(model, **arguments))
    for one, other in zip(found, reference(4, **arguments), strict=True):
        np.testing.assert_allclose(one, other, **CLOSE)


def test_the_loss_reported_is_that_at_the_weights():
    x, y, (kernel, bias) = draw()
    _, losses = fitted(1, lambda model: SAM(model, rho=0.5))
    np.testing.assert_allclose(losses[0], np.mean((x @ kernel + bias - y) ** 2), rtol=1e-5)


def test_without_a_gradient_nothing_moves():
    """At the minimum the gradient is exactly zero."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    step = SAM(model, rho=0.5)
    step.compile("sgd", loss="mse")
    step.fit(np.ones((4, 3)), np.zeros((4, 1)), verbose=0)
    for weight in model.get_weights():
        np.testing.assert_array_equal(weight, 0.0)


@pytest.mark.parametrize("arguments", [{"rho": -0.1}, {"eta": -0.1}], ids=str)
def test_wrong_arguments_are_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        SAM(keras.Sequential(), **arguments)
