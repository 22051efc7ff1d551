"""Runge-Kutta training steps on differential equations whose solutions are known."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import RK2, RK4, RK23, Heun

pytestmark = [pytest.mark.backend, pytest.mark.float64]

FLOATX = keras.config.floatx()
START = np.array([1.0, -1.5, 0.5])


class Bowl(keras.Model):
    """The sum of w^4 / 4, whatever the input: under gradient flow w(t) = w(0) / sqrt(1 + 2 w(0)^2 t)."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.w = self.add_weight(shape=(3,), name="w")

    def call(self, inputs):
        return ops.add(ops.sum(self.w**4) / 4, ops.cast(0 * inputs, self.compute_dtype))


def mean_output(_y_true, y_pred):
    return ops.mean(y_pred)


X = np.zeros((1, 1), FLOATX)


def flow(step, time, rate):
    """Where `step` gets in this time, in steps of `rate`."""
    step.model.w.assign(START.astype(FLOATX))
    step.optimizer.learning_rate = rate
    for _ in range(round(time / rate)):
        step.train_on_batch(X, X)
    return ops.convert_to_numpy(step.model.w)


def compiled(step):
    step.compile(keras.optimizers.SGD(0.1), loss=mean_output)
    return step


@pytest.mark.parametrize(
    ("make", "order"),
    [
        (Heun, 2),
        (RK2, 2),
        (lambda model: RK2(model, node=2 / 3), 2),
        (lambda model: RK23(model, rtol=1e9, max_factor=1.0), 3),
        (RK4, 4),
    ],
    ids=["Heun", "midpoint", "Ralston", "RK23", "RK4"],
)
def test_half_the_learning_rate_divides_the_error_by_two_to_the_order(make, order):
    """In single precision steps must be so long, lest rounding hides the error, that it is rather more."""
    step, exact = compiled(make(Bowl())), START / np.sqrt(1 + 2 * START**2)
    rate = 0.05 if order == 2 else 0.0125 if FLOATX == "float64" else 0.2
    errors = [np.abs(flow(step, 1.0, part * rate) - exact).max() for part in (1, 0.5)]
    ratio = errors[0] / errors[1]
    assert ratio > 0.75 * 2**order
    assert ratio < 1.3 * 2**order or rate > 0.1


@pytest.mark.parametrize(("make", "terms"), [(Heun, 2), (RK2, 2), (RK4, 4)])
def test_on_a_quadratic_a_step_is_the_exponential_series(make, terms):
    """For w' = -w a step of order p multiplies by 1 - h + h^2/2 ... up to h^p / p!."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    step = make(model)
    step.compile(keras.optimizers.SGD(0.5), loss=lambda _, y_pred: ops.mean(y_pred**2) / 2)
    model.set_weights([np.ones((1, 1))])
    step.train_on_batch(np.ones((1, 1)), np.ones((1, 1)))
    series = np.cumprod([1.0, *(-0.5 / k for k in range(1, terms + 1))]).sum()
    np.testing.assert_allclose(model.get_weights()[0].item(), series, rtol=1e-6)


def adaptive(weights, rate, steps, *, rtol, atol, factor=1.0, attempts=8, low=1e-3, high=10.0):
    """Bogacki and Shampine's pair with the usual control, as in their paper, on w' = -w^3."""
    w, tries = weights.copy(), 0
    for _ in range(steps):
        for attempt in range(attempts):
            tries += 1
            h = factor * rate
            k1 = -(w**3)
            k2 = -((w + h / 2 * k1) ** 3)
            k3 = -((w + 3 * h / 4 * k2) ** 3)
            third = w + h * (2 * k1 + 3 * k2 + 4 * k3) / 9
            k4 = -(third**3)
            second = w + h * (7 * k1 + 6 * k2 + 8 * k3 + 3 * k4) / 24
            error = np.sqrt(np.mean(((third - second) / (atol + rtol * np.maximum(abs(w), abs(third)))) ** 2))
            taken, factor = factor, np.clip(factor * np.clip(0.9 * error ** (-1 / 3), 0.2, 5), low, high)
            if error <= 1 or taken <= low or attempt == attempts - 1:
                w = third
                break
    return w, factor, tries


@pytest.mark.parametrize(("rate", "rtol"), [(0.01, 1e-3), (20.0, 1e-3), (0.1, 1e-1)], ids=["short", "long", "loose"])
def test_the_adaptive_step_finds_its_length(rate, rtol):
    """From a rate far too small or too large, as the reference does; in a few steps."""
    step = compiled(RK23(Bowl(), rtol=rtol, atol=1e-3))
    flow(step, 0, rate)
    for _ in range(4):
        step.train_on_batch(X, X)
    expected, factor, tries = adaptive(START, rate, 4, rtol=rtol, atol=1e-3)
    assert int(ops.convert_to_numpy(step.tries)) == tries
    np.testing.assert_allclose(ops.convert_to_numpy(step.model.w), expected, rtol=2e-3 if FLOATX == "float32" else 1e-9)
    np.testing.assert_allclose(
        float(ops.convert_to_numpy(step.factor)), factor, rtol=2e-2 if FLOATX == "float32" else 1e-8
    )


def test_the_factor_moves_in_fit_and_is_saved(tmp_path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, activation="tanh"), keras.layers.Dense(1)])
    step = RK23(model)
    step.compile("sgd", loss="mse")
    x = np.random.default_rng(0).normal(size=(4, 2))
    step.fit(x, x[:, :1], batch_size=2, verbose=0)
    factor = float(ops.convert_to_numpy(step.factor))
    assert factor != 1.0
    step.save(tmp_path / "step.keras")
    loaded = keras.models.load_model(tmp_path / "step.keras")
    assert float(ops.convert_to_numpy(loaded.factor)) == factor
    step.fit(x, x[:, :1], batch_size=2, verbose=0, shuffle=False)
    loaded.fit(x, x[:, :1], batch_size=2, verbose=0, shuffle=False)
    for one, other in zip(step.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("make", [Heun, RK23])
def test_all_stages_see_the_same_dropout_and_batch_statistics_move_once(make):
    """The output is linear in the weight: with one mask all gradients are equal, and so is the step to SGD's."""
    found = []
    for wrap in (make, lambda model: model):
        keras.utils.clear_session()
        model = keras.Sequential(
            [
                keras.Input((8,)),
                keras.layers.BatchNormalization(scale=False, center=False),
                keras.layers.Dropout(0.5, seed=1),
                keras.layers.Dense(1, use_bias=False),
            ]
        )
        model.set_weights([np.ones(w.shape) if w.shape else w for w in model.get_weights()])
        step = wrap(model)
        step.compile(keras.optimizers.SGD(0.1), loss=mean_output)
        x = np.random.default_rng(0).normal(size=(4, 8))
        step.train_on_batch(x, x[:, :1])
        found.append(model)
    for one, other in zip(found[0].weights, found[1].weights, strict=True):
        np.testing.assert_allclose(ops.convert_to_numpy(one), ops.convert_to_numpy(other), rtol=1e-5, atol=1e-6)


def test_another_optimizer_is_given_the_mean_gradient():
    """Heun with Adam: the first step of Adam is a learning rate long, whatever the gradient."""
    step = Heun(Bowl())
    step.compile(keras.optimizers.Adam(0.01), loss=mean_output)
    flow(step, 0.01, 0.01)
    np.testing.assert_allclose(ops.convert_to_numpy(step.model.w), START - 0.01 * np.sign(START), rtol=1e-4)


def test_mixed_float16_that_runs_over_leaves_weights_and_factor_alone():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, dtype="mixed_float16")])
    model.set_weights([np.ones((1, 1))])
    step = RK23(model)
    step.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)), loss="mse")
    step.train_on_batch(np.full((1, 1), 60000.0), np.zeros((1, 1)))
    assert model.get_weights()[0].item() == 1.0
    assert float(ops.convert_to_numpy(step.factor)) == 1.0


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (RK2, {"node": 0.0}),
        (RK2, {"node": 1.5}),
        (RK23, {"rtol": 0.0}),
        (RK23, {"safety": 1.0}),
        (RK23, {"max_factor": 0.5}),
        (RK23, {"attempts": 0}),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(make, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        make(Bowl(), **arguments)
