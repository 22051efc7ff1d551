"""RAdam, AdaBelief, LARS and Prodigy against their definitions, as loops over numbers in NumPy."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import LARS, AdaBelief, PiecewiseLinear, Prodigy, RAdam

pytestmark = [pytest.mark.backend, pytest.mark.float64]

BACKEND = keras.backend.backend()
FLOATX = keras.config.floatx()
CLOSE = {"rtol": 1e-10, "atol": 1e-12} if FLOATX == "float64" else {"rtol": 3e-5, "atol": 1e-6}
STEPS = 9
SCHEDULE = {0: 0.2, 4: 1.0, 8: 0.5}
ALL = (RAdam, AdaBelief, LARS, Prodigy)


def rate_at(step, rate):
    """The schedule by NumPy, for the step that is counted from 1."""
    return rate * np.interp(step - 1, list(SCHEDULE), list(SCHEDULE.values()))


def draw(seed=0):
    """A matrix and a vector, and their gradients at nine steps: some are zero."""
    rng = np.random.default_rng(seed)
    starts = [rng.normal(size=(3, 2)), rng.normal(size=2)]
    gradients = [[rng.normal(size=start.shape) for start in starts] for _ in range(STEPS)]
    gradients[2][0][1] = 0.0
    gradients[3][1][:] = 0.0
    return starts, gradients


def radam(starts, gradients, *, rate, decay, b1=0.9, b2=0.99, epsilon=1e-7):
    """Algorithm 2 of Liu et al., with 5 as the threshold. b2 = 0.99 has steps of both kinds among the first nine."""
    weights = [start.copy() for start in starts]
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    limit = 2 / (1 - b2) - 1
    for t, batch in enumerate(gradients, 1):
        rho = limit - 2 * t * b2**t / (1 - b2**t)
        for w, g, (m, v) in zip(weights, batch, moments, strict=True):
            m[...] = b1 * m + (1 - b1) * g
            v[...] = b2 * v + (1 - b2) * g * g
            w -= rate_at(t, rate) * decay * w
            step = m / (1 - b1**t)
            if rho >= 5:
                r = np.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
                step = r * step / (np.sqrt(v / (1 - b2**t)) + epsilon)
            w -= rate_at(t, rate) * step
    return weights


def adabelief(starts, gradients, *, rate, decay, b1=0.9, b2=0.999, epsilon=1e-16):
    """Algorithm 2 of Zhuang et al."""
    weights = [start.copy() for start in starts]
    moments = [(np.zeros_like(w), np.zeros_like(w)) for w in weights]
    for t, batch in enumerate(gradients, 1):
        for w, g, (m, s) in zip(weights, batch, moments, strict=True):
            m[...] = b1 * m + (1 - b1) * g
            s[...] = b2 * s + (1 - b2) * (g - m) ** 2 + epsilon
            w -= rate_at(t, rate) * decay * w
            w -= rate_at(t, rate) * m / (1 - b1**t) / (np.sqrt(s / (1 - b2**t)) + epsilon)
    return weights


def lars(starts, gradients, *, rate, decay, momentum=0.9, trust=0.1, nesterov=False, vectors=False):
    """You et al., section 4, with the norm of the gradient and the decay together."""
    weights = [start.copy() for start in starts]
    velocities = [np.zeros_like(w) for w in weights]
    for t, batch in enumerate(gradients, 1):
        for w, g, v in zip(weights, batch, velocities, strict=True):
            d = g.copy()
            if w.ndim > 1 or vectors:
                d += decay * w
                if np.linalg.norm(w) > 0 and np.linalg.norm(d) > 0:
                    d *= trust * np.linalg.norm(w) / np.linalg.norm(d)
            v[...] = momentum * v - rate_at(t, rate) * d
            w += momentum * v - rate_at(t, rate) * d if nesterov else v
    return weights


def prodigy(
    starts, gradients, *, rate, decay, b1=0.9, b2=0.999, b3=None, d0=1e-3, growth=1.0, safe=False, corrected=True
):
    """Algorithm 4 of Mishchenko and Defazio: Adam's form."""
    b3 = np.sqrt(b2) if b3 is None else b3
    weights, first = [start.copy() for start in starts], starts
    slots = [[np.zeros_like(w) for _ in range(3)] for w in weights]
    d, r = d0, 0.0
    for t, batch in enumerate(gradients, 1):
        correction = np.sqrt(1 - b2**t) / (1 - b1**t) if corrected else 1.0
        step = rate_at(t, rate) * d * correction
        towards = sum(np.sum(g * (w0 - w)) for g, w0, w in zip(batch, first, weights, strict=True))
        r = b3 * r + d / d0 * step * towards
        for g, (m, v, s) in zip(batch, slots, strict=True):
            m[...] = b1 * m + (1 - b1) * d * g
            v[...] = b2 * v + (1 - b2) * (d * g) ** 2
            s[...] = b3 * s + d / d0 * (d if safe else step) * g
        d = max(d, growth * r / sum(np.abs(s).sum() for _, _, s in slots))
        for w, (m, v, _) in zip(weights, slots, strict=True):
            w -= step * (m / (np.sqrt(v) + d * 1e-8) + decay * w)
    return weights


def run(optimizer, starts, gradients):
    variables = [keras.Variable(start.astype(FLOATX)) for start in starts]
    for batch in gradients:
        optimizer.apply([ops.convert_to_tensor(g.astype(FLOATX)) for g in batch], variables)
    return [ops.convert_to_numpy(variable) for variable in variables]


@pytest.mark.parametrize(
    ("make", "reference", "arguments", "meaning"),
    [
        (RAdam, radam, {"beta_2": 0.99}, {}),
        (RAdam, radam, {"beta_2": 0.99, "weight_decay": 0.125}, {"decay": 0.125}),
        (AdaBelief, adabelief, {}, {}),
        (AdaBelief, adabelief, {"weight_decay": 0.125, "epsilon": 1e-8}, {"decay": 0.125, "epsilon": 1e-8}),
        (LARS, lars, {"trust_coefficient": 0.1}, {}),
        (
            LARS,
            lars,
            {"trust_coefficient": 0.1, "weight_decay": 0.125, "nesterov": True},
            {"decay": 0.125, "nesterov": True},
        ),
        (
            LARS,
            lars,
            {"trust_coefficient": 0.1, "weight_decay": 0.125, "adapt_vectors": True},
            {"decay": 0.125, "vectors": True},
        ),
        (Prodigy, prodigy, {"initial_distance": 1e-3}, {}),
        (
            Prodigy,
            prodigy,
            {"initial_distance": 1e-3, "weight_decay": 0.125, "beta_3": 0.9},
            {"decay": 0.125, "b3": 0.9},
        ),
        (
            Prodigy,
            prodigy,
            {"initial_distance": 1e-3, "growth": 2.0, "safeguard_warmup": True, "use_bias_correction": False},
            {"growth": 2.0, "safe": True, "corrected": False},
        ),
    ],
    ids=lambda value: value.__name__ if callable(value) else "-".join(value) or "default",
)
def test_nine_steps_are_the_definitions(make, reference, arguments, meaning):
    """The learning rate follows a schedule. Keras rounds weight decay to single precision: 1/8 stays what it is."""
    rate = 1.0 if make is Prodigy else 0.05
    found = run(make(PiecewiseLinear(rate, SCHEDULE), **arguments), *draw())
    expected = reference(*draw(), rate=rate, **{"decay": 0.0, **meaning})
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **CLOSE)


def test_prodigy_finds_the_distance():
    """On |x - 10|, from 0, the estimate comes from 1e-6 to within the distance; x gets there as the rate falls."""
    x, optimizer = keras.Variable(np.zeros(1, FLOATX)), Prodigy(PiecewiseLinear(1.0, {0: 1.0, 200: 1.0, 400: 0.0}))
    for _ in range(400):
        optimizer.apply([ops.sign(x - 10.0)], [x])
    assert 1.0 < float(ops.convert_to_numpy(optimizer._distance)) <= 10.0
    assert abs(float(ops.convert_to_numpy(x)[0]) - 10) < 0.2


def test_radam_without_rectification_is_momentum():
    """With b2 = 0.5 the length of the average never reaches 5."""
    found = run(RAdam(0.1, beta_1=0.0, beta_2=0.5), *draw())
    starts, gradients = draw()
    for index, weights in enumerate(found):
        expected = starts[index] - 0.1 * sum(batch[index] for batch in gradients)
        np.testing.assert_allclose(weights, expected, **CLOSE)


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_gradients_that_are_zero_or_large_leave_finite_weights(make, dtype):
    variable, optimizer = keras.Variable(np.ones((2, 2)), dtype=dtype), make(weight_decay=0.01)
    for scale in (0.0, 0.0, 300.0, 1e-7, 0.0):
        optimizer.apply([ops.cast(ops.full((2, 2), scale), dtype)], [variable])
        assert np.isfinite(ops.convert_to_numpy(ops.cast(variable, "float32"))).all()


@pytest.mark.parametrize("make", ALL)
def test_weights_of_zero_get_off_the_ground(make):
    variable, optimizer = keras.Variable(np.zeros((2, 2), FLOATX)), make()
    optimizer.apply([ops.ones((2, 2), FLOATX)], [variable])
    assert (ops.convert_to_numpy(variable) < 0).all()


@pytest.mark.skipif(BACKEND != "tensorflow", reason="only TensorFlow has sparse gradients")
@pytest.mark.parametrize(
    "arguments", [{}, {"clipnorm": 1.0}, {"global_clipnorm": 1.0}, {"loss_scale_factor": 2.0}], ids=str
)
@pytest.mark.parametrize("make", ALL)
def test_a_sparse_gradient_is_the_dense_one(make, arguments):
    """Repeated rows are summed before anything else."""
    import tensorflow as tf

    rng, tables = np.random.default_rng(0), []
    start, values = rng.normal(size=(4, 2)), rng.normal(size=(3, 5, 2))
    for densify in (True, False):
        table, optimizer = keras.Variable(start.astype(FLOATX)), make(**arguments)
        for value in values:
            gradient = tf.IndexedSlices(tf.constant(value, FLOATX), [0, 2, 2, 2, 0], (4, 2))
            optimizer.apply([tf.convert_to_tensor(gradient) if densify else gradient], [table])
        tables.append(ops.convert_to_numpy(table))
    np.testing.assert_allclose(*tables, **CLOSE)


@pytest.mark.parametrize(
    ("make", "arguments"),
    [*((make, {"use_ema": True}) for make in ALL), (Prodigy, {"gradient_accumulation_steps": 2})],
    ids=str,
)
def test_saved_in_the_middle_it_goes_on_as_if_nothing_had_been(make, arguments):
    """Between two optimizers of one config: what one saves the other goes on with."""
    starts, gradients = draw()
    first = make(**arguments)
    variables = [keras.Variable(start.astype(FLOATX)) for start in starts]
    whole = run(make.from_config(first.get_config()), starts, gradients)
    for batch in gradients[:5]:
        first.apply([ops.convert_to_tensor(g.astype(FLOATX)) for g in batch], variables)
    second, stored = make.from_config(first.get_config()), {}
    second.build(variables)
    first.save_own_variables(stored)
    second.load_own_variables(stored)
    for batch in gradients[5:]:
        second.apply([ops.convert_to_tensor(g.astype(FLOATX)) for g in batch], variables)
    for one, other in zip(whole, variables, strict=True):
        np.testing.assert_array_equal(one, ops.convert_to_numpy(other))


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (RAdam, {"learning_rate": 0.1}),
        (AdaBelief, {"learning_rate": 0.1}),
        (LARS, {"trust_coefficient": 0.02}),
        (Prodigy, {"initial_distance": 1e-2}),
    ],
)
def test_it_trains_a_model(make, arguments):
    """Least squares in 80 steps: the loss falls by four fifths."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype(FLOATX)
    y = x @ np.array([[1.0], [-2.0], [0.5], [3.0]], FLOATX)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(make(clipnorm=10.0, **arguments), loss="mse")
    losses = model.fit(x, y, batch_size=16, epochs=20, verbose=0).history["loss"]
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (RAdam, {"beta_1": 1.0}),
        (RAdam, {"threshold": 4.0}),
        (AdaBelief, {"epsilon": 0.0}),
        (AdaBelief, {"beta_2": -0.1}),
        (LARS, {"momentum": 1.0}),
        (LARS, {"trust_coefficient": -1.0}),
        (Prodigy, {"beta_3": 1.5}),
        (Prodigy, {"initial_distance": 0.0}),
        (Prodigy, {"growth": -1.0}),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(make, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        make(**arguments)
