"""Lookahead, weight decay and layer adaptation step for step with optax."""

from __future__ import annotations

import keras
import numpy as np
import pytest

optax = pytest.importorskip("optax")

from zoo_addons import Composed, Lookahead  # noqa: E402  # without optax there is nothing to compare with

pytestmark = pytest.mark.interop

START = [np.array([[1.0, -2.0], [0.5, 3.0]], "float32"), np.array([0.3, -0.2], "float32")]
COUNT = 12


def gradients():
    random = np.random.default_rng(3)
    return [[random.normal(size=start.shape).astype("float32") for start in START] for _ in range(COUNT)]


def ours(optimizer):
    variables = [keras.Variable(start) for start in START]
    found = []
    for given in gradients():
        tensors = [keras.ops.convert_to_tensor(gradient) for gradient in given]
        optimizer.apply(tensors, variables)
        found.append([np.array(keras.ops.convert_to_numpy(variable)) for variable in variables])
    return found


def theirs(transformation):
    import jax.numpy as jnp

    weights = [jnp.asarray(start) for start in START]
    state, found = transformation.init(weights), []
    for given in gradients():
        updates, state = transformation.update([jnp.asarray(gradient) for gradient in given], state, weights)
        weights = optax.apply_updates(weights, updates)
        found.append([np.asarray(weight) for weight in weights])
    return found


def require_same(found, expected):
    for step, pairs in enumerate(zip(found, expected, strict=True)):
        for one, other in zip(*pairs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, err_msg=f"step {step}")


@pytest.mark.parametrize(("period", "slow_step"), [(5, 0.5), (3, 0.8), (1, 0.3)])
@pytest.mark.parametrize("inner", ["sgd", "adam"])
def test_lookahead(inner, period, slow_step):
    fast = {"sgd": lambda: optax.sgd(0.1, momentum=0.9), "adam": lambda: optax.adam(0.1, eps=1e-7)}[inner]()
    keras_inner = {
        # Keras' velocity has the learning rate in it, which is the same where that is constant.
        "sgd": lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        "adam": lambda: keras.optimizers.Adam(0.1, epsilon=1e-7),
    }[inner]()
    import jax.numpy as jnp

    transformation = optax.lookahead(fast, sync_period=period, slow_step_size=slow_step)
    weights = optax.LookaheadParams.init_synced([jnp.asarray(start) for start in START])
    state, expected = transformation.init(weights), []
    for given in gradients():
        updates, state = transformation.update([jnp.asarray(gradient) for gradient in given], state, weights)
        weights = optax.apply_updates(weights, updates)
        expected.append([np.asarray(weight) for weight in weights.fast])
    require_same(ours(Lookahead(keras_inner, period, slow_step)), expected)


def test_composed_decay_is_adamw():
    expected = theirs(optax.adamw(0.1, eps=1e-7, weight_decay=0.2))
    require_same(ours(Composed(keras.optimizers.Adam(0.1), weight_decay=0.2)), expected)


def test_composed_decay_and_adaptation_is_lamb():
    """Which in optax adapts the decay too, as in the paper."""
    expected = theirs(optax.lamb(0.1, eps=1e-7, weight_decay=0.2))
    composed = Composed(keras.optimizers.Adam(0.1), weight_decay=0.2, layer_adaptation=True, adapt_decay=True)
    require_same(ours(composed), expected)


def test_composed_adaptation_of_sgd_is_lars():
    expected = theirs(optax.lars(0.5, weight_decay=0.0, trust_coefficient=0.01, momentum=0.0))
    require_same(ours(Composed(keras.optimizers.SGD(0.5), layer_adaptation=0.01)), expected)
