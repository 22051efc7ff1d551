"""Our optimizers beside optax, step for step in double precision, and lazy Adam beside PyTorch's SparseAdam.

optax computes with JAX, whichever backend Keras is on.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

optax = pytest.importorskip("optax")
jax = pytest.importorskip("jax")
addons = pytest.importorskip("zoo_addons")

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("default")]

STEPS, RATE = 12, 0.05


@pytest.fixture(autouse=True)
def double_precision():
    """JAX and Keras in float64, and as before afterwards."""
    floatx = keras.config.floatx()
    keras.config.set_floatx("float64")
    with jax.enable_x64(True):
        yield
    keras.config.set_floatx(floatx)


def draw(seed=0):
    rng = np.random.default_rng(seed)
    starts = [rng.normal(size=(3, 4)), rng.normal(size=4)]
    return starts, [[rng.normal(size=start.shape) for start in starts] for _ in range(STEPS)]


def by_optax(transformation, starts, gradients) -> list[list[np.ndarray]]:
    """The weights after each step."""
    weights = [jax.numpy.asarray(start) for start in starts]
    state, path = transformation.init(weights), []
    for batch in gradients:
        updates, state = transformation.update([jax.numpy.asarray(g) for g in batch], state, weights)
        weights = optax.apply_updates(weights, updates)
        path.append([np.asarray(weight) for weight in weights])
    return path


def by_keras(optimizer, starts, gradients) -> list[list[np.ndarray]]:
    variables = [keras.Variable(start, dtype="float64") for start in starts]
    path = []
    for batch in gradients:
        optimizer.apply([ops.convert_to_tensor(g, dtype="float64") for g in batch], variables)
        path.append([np.array(ops.convert_to_numpy(variable)) for variable in variables])
    return path


def assert_same_path(ours, theirs, rtol=1e-8) -> None:
    assert len(ours) == len(theirs) == STEPS
    for step, (one, other) in enumerate(zip(ours, theirs, strict=True), 1):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-12, err_msg=f"step {step}")


CASES: dict[str, tuple[Any, Any]] = {
    "RAdam": (lambda rate: addons.RAdam(rate, epsilon=1e-8), lambda rate: optax.radam(rate, eps=1e-8)),
    "RAdam, rectified early": (
        lambda rate: addons.RAdam(rate, beta_2=0.9, epsilon=1e-8),
        lambda rate: optax.radam(rate, b2=0.9, eps=1e-8),
    ),
    "AdaBelief": (lambda rate: addons.AdaBelief(rate), lambda rate: optax.adabelief(rate)),
    "LARS": (
        lambda rate: addons.LARS(rate, adapt_vectors=True),
        lambda rate: optax.lars(rate),
    ),
    "LARS with decay, Nesterov, biases as they are": (
        lambda rate: addons.LARS(rate, weight_decay=0.125, nesterov=True, trust_coefficient=0.1),
        lambda rate: optax.lars(
            rate,
            weight_decay=0.125,
            nesterov=True,
            trust_coefficient=0.1,
            weight_decay_mask=lambda tree: jax.tree.map(lambda leaf: leaf.ndim > 1, tree),
            trust_ratio_mask=lambda tree: jax.tree.map(lambda leaf: leaf.ndim > 1, tree),
        ),
    ),
    "Prodigy": (
        lambda rate: addons.Prodigy(_times(rate, 20), initial_distance=1e-3),
        lambda rate: optax.contrib.prodigy(_times(rate, 20), estim_lr0=1e-3),
    ),
    "Prodigy with decay and warm-up": (
        lambda rate: addons.Prodigy(
            _times(rate, 20), initial_distance=1e-3, weight_decay=0.125, safeguard_warmup=True, growth=2.0, beta_3=0.9
        ),
        lambda rate: optax.contrib.prodigy(
            _times(rate, 20), estim_lr0=1e-3, weight_decay=0.125, safeguard_warmup=True, estim_lr_coef=2.0, beta3=0.9
        ),
    ),
}


def _times(rate, factor):
    """Prodigy's rate is about 1."""
    if isinstance(rate, float):
        return rate * factor
    if isinstance(rate, addons.PiecewiseLinear):
        return addons.PiecewiseLinear(rate.learning_rate * factor, rate.factors)
    return lambda step: rate(step) * factor


@pytest.mark.parametrize("name", CASES)
def test_step_for_step(name):
    ours, theirs = CASES[name]
    assert_same_path(by_keras(ours(RATE), *draw()), by_optax(theirs(RATE), *draw()))


@pytest.mark.parametrize("name", CASES)
def test_under_a_schedule(name):
    """Piecewise linear, beside optax's own, which counts in single precision."""
    ours, theirs = CASES[name]
    points = {0: 0.25, 4: 1.0, 10: 0.5}
    schedule = optax.schedules.piecewise_interpolate_schedule("linear", 0.25 * RATE, {4: 4.0, 10: 0.5})
    found = by_keras(ours(addons.PiecewiseLinear(RATE, points)), *draw())
    assert_same_path(found, by_optax(theirs(schedule), *draw()), rtol=1e-7)


def test_clipped_by_the_global_norm():
    ours = addons.RAdam(RATE, epsilon=1e-8, global_clipnorm=1.0)
    theirs = optax.chain(optax.clip_by_global_norm(1.0), optax.radam(RATE, eps=1e-8))
    assert_same_path(by_keras(ours, *draw()), by_optax(theirs, *draw()))


def test_with_decoupled_decay():
    """Keras shrinks the weights before the step, optax in one sum with it: of the same weights, so it is the same."""
    ours = addons.AdaBelief(RATE, weight_decay=0.125)
    theirs = optax.chain(optax.scale_by_belief(), optax.add_decayed_weights(0.125), optax.scale_by_learning_rate(RATE))
    assert_same_path(by_keras(ours, *draw()), by_optax(theirs, *draw()))


def test_the_average_of_weights():
    """Keras' average starts from the weights after the first step."""
    starts, gradients = draw()
    ours = addons.AdaBelief(RATE, use_ema=True, ema_momentum=0.75)
    by_keras(ours, starts, gradients)
    average, path = None, by_optax(optax.adabelief(RATE), starts, gradients)
    for weights in path:
        average = weights if average is None else [0.75 * a + 0.25 * w for a, w in zip(average, weights, strict=True)]
    for variable, expected in zip(ours._model_variables_moving_average, average, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(variable), expected, rtol=1e-8)


@pytest.mark.parametrize("name", CASES)
def test_saved_and_loaded_in_the_middle(name):
    ours, theirs = CASES[name]
    starts, gradients = draw()
    first, stored = ours(RATE), {}
    variables = [keras.Variable(start, dtype="float64") for start in starts]
    for number, batch in enumerate(gradients):
        if number == STEPS // 2:
            first.save_own_variables(stored)
            second = type(first).from_config(first.get_config())
            second.build(variables)
            second.load_own_variables(stored)
            first = second
        first.apply([ops.convert_to_tensor(g, dtype="float64") for g in batch], variables)
    for variable, expected in zip(variables, by_optax(theirs(RATE), starts, gradients)[-1], strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(variable), expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_sharpness_aware_steps_are_optax_contrib_s(momentum):
    """On a linear model, whose loss both compute."""
    rng = np.random.default_rng(0)
    x, y, kernel = rng.normal(size=(8, 3)), rng.normal(size=(8, 2)), rng.normal(size=(3, 2))
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, use_bias=False, dtype="float64")])
    model.set_weights([kernel])
    step = addons.SAM(model, rho=0.5)
    step.compile(keras.optimizers.SGD(0.125, momentum=momentum), loss="mse")
    step.fit(x, y, batch_size=8, epochs=4, verbose=0)
    gradient = jax.grad(lambda weights: jax.numpy.mean((x @ weights - y) ** 2))
    sharp = optax.contrib.sam(
        optax.sgd(0.125, momentum=momentum),
        optax.chain(optax.contrib.normalize(), optax.sgd(0.5)),
        opaque_mode=True,
    )
    weights = jax.numpy.asarray(kernel)
    state = sharp.init(weights)
    for _ in range(4):
        updates, state = sharp.update(gradient(weights), state, weights, grad_fn=lambda w, _: gradient(w))
        weights = optax.apply_updates(weights, updates)
    # Keras' `fit` on JAX is itself off by single precision's rounding.
    np.testing.assert_allclose(model.get_weights()[0], weights, rtol=1e-6)


@pytest.mark.parametrize("dense", [False, True], ids=["as the backend gives it", "dense"])
def test_lazy_adam_is_pytorch_s_sparse_adam(dense):
    """Twelve batches of an embedding of 7 rows, most rows several times in a batch, one never."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    start = rng.normal(size=(7, 3))
    batches = [rng.integers(0, 6, 5) for _ in range(STEPS)]
    values = [rng.normal(size=(5, 3)) for _ in range(STEPS)]
    theirs = torch.nn.Parameter(torch.tensor(start))
    sparse_adam = torch.optim.SparseAdam([theirs], lr=RATE, eps=1e-7)
    ours, lazy = keras.Variable(start, dtype="float64", name="embeddings"), addons.LazyAdam(RATE)
    for batch, value in zip(batches, values, strict=True):
        theirs.grad = torch.sparse_coo_tensor(batch[None], value, (7, 3))
        sparse_adam.step()
        lazy.apply([_gradient(batch, value, dense)], [ours])
        np.testing.assert_allclose(ops.convert_to_numpy(ours), theirs.detach().numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(ops.convert_to_numpy(ours)[6], start[6])


def _gradient(batch, value, dense):
    if keras.backend.backend() == "tensorflow" and not dense:
        import tensorflow as tf

        return tf.IndexedSlices(tf.constant(value), tf.constant(batch), (7, 3))
    table = np.zeros((7, 3))
    np.add.at(table, batch, value)
    return ops.convert_to_tensor(table, dtype="float64")
