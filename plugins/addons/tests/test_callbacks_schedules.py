"""Schedules are what their formulas say, and what a compiled step computes with follows them."""

from __future__ import annotations

import json
import math
from typing import Any

import keras
import numpy as np
import pytest

from zoo_addons import (
    CosineSchedule,
    CyclicSchedule,
    HyperParameterSchedule,
    LinearSchedule,
    OneCycle,
    StepSchedule,
    WarmUp,
)
from zoo_addons.callbacks.momentum_of_rate import MomentumOfRate

pytestmark = [pytest.mark.backend, pytest.mark.float64]

X = np.array([[1.0, 2.0], [0.5, -1.0], [-1.5, 0.5], [2.0, 1.0]], "float32")
Y = np.array([[1.0], [0.0], [-1.0], [2.0]], "float32")
START = np.array([[0.3], [-0.2]], "float32")
RTOL = 1e-12 if keras.config.floatx() == "float64" else 1e-5


def model_with(optimizer: Any, layers: tuple[Any, ...] = (), **arguments: Any) -> keras.Model:
    first = keras.layers.Dense(1, use_bias=False, kernel_initializer=keras.initializers.Constant(START))
    model = keras.Sequential([keras.Input((2,)), first, *layers])
    model.compile(optimizer, "mse", **arguments)
    return model


def fit(model: keras.Model, callbacks: Any, epochs: int = 2, batch_size: int = 2, **arguments: Any) -> keras.Model:
    given = {"shuffle": False, "verbose": 0} | arguments
    model.fit(X, Y, epochs=epochs, batch_size=batch_size, callbacks=callbacks, **given)
    return model


def descend(rates: list[float], momenta: list[float] | None = None, batch_size: int = 2) -> np.ndarray:
    """Gradient descent on the mean squared error by its definition, batch after batch."""
    w, v = START.astype("float64"), np.zeros((2, 1))
    for step, rate in enumerate(rates):
        rows = [(step * batch_size + i) % len(X) for i in range(batch_size)]
        gradient = 2 / batch_size * X[rows].T @ (X[rows] @ w - Y[rows])
        v = (momenta[step] if momenta else 0.0) * v - rate * gradient
        w = w + v
    return w


def test_steps() -> None:
    schedule = StepSchedule([1e-2, 1e-3, 1e-4], boundaries=[50, 80])
    assert [schedule(epoch) for epoch in (0, 49, 50, 79, 80, 500)] == [1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4]


def test_lines_and_cosines() -> None:
    line, wave = LinearSchedule(1.0, 3.0, 4), CosineSchedule(1.0, 0.0, 4)
    assert [line.value(p) for p in (0, 1, 4, 9)] == [1.0, 1.5, 3.0, 3.0]
    assert [wave.value(p) for p in (0, 1, 2, 4, 9)] == pytest.approx([1, 0.5 + math.sqrt(0.125), 0.5, 0, 0])


@pytest.mark.parametrize(("shape", "quarter"), [("linear", 0.5), ("cosine", 0.5)])
def test_cycles(shape: Any, quarter: float) -> None:
    schedule = CyclicSchedule(0.0, 1.0, 8, shape, decay=0.5)
    assert [schedule(p) for p in (0, 2, 4, 6, 8, 12, 20)] == pytest.approx([0, quarter, 1, quarter, 0, 0.5, 0.25])
    eighth = {"linear": 0.25, "cosine": (1 - math.cos(math.pi / 4)) / 2}[shape]
    assert schedule(1) == pytest.approx(eighth)


@pytest.mark.parametrize(
    "make",
    [
        lambda: StepSchedule([1.0, 2.0], [1, 2]),
        lambda: StepSchedule([1.0, 2.0, 3.0], [2, 1]),
        lambda: LinearSchedule(0.0, 1.0, 0),
        lambda: CosineSchedule(0.0, 1.0, -1),
        lambda: CyclicSchedule(0.0, 1.0, 2, "square"),
        lambda: CyclicSchedule(0.0, 1.0, 2, decay=0.0),
        lambda: HyperParameterSchedule("x", LinearSchedule(0, 1, 2), unit="step"),
        lambda: HyperParameterSchedule("x", 0.5),
        lambda: WarmUp(),
        lambda: WarmUp(steps=3, epochs=1),
        lambda: WarmUp(steps=-3),
        lambda: OneCycle(-1.0),
        lambda: OneCycle(1.0, warm_up_fraction=1.0),
        lambda: OneCycle(1.0, initial_divisor=1.0),
        lambda: OneCycle(1.0, shape="square"),
        lambda: OneCycle(1.0, momentum=(0.9, 0.8)),
        lambda: OneCycle(1.0).value(0),
    ],
)
def test_wrong_arguments(make: Any) -> None:
    with pytest.raises(ValueError):
        make()


class Strength(keras.layers.Layer):
    """Multiplies by a number that is a variable; `plain` is one that is not."""

    plain = 0.5

    def build(self, shape: Any) -> None:
        self.strength = self.add_weight(shape=(), initializer="ones", trainable=False, name="strength")

    def call(self, inputs: Any) -> Any:
        return inputs * self.strength


@pytest.mark.parametrize("target", ["layers.scale.strength", "layers.1.strength", "*/strength", "variable"])
def test_a_schedule_of_any_variable_changes_the_loss(target: str) -> None:
    model = model_with(keras.optimizers.SGD(0.0), (Strength(name="scale"),))
    given = model.layers[1].strength if target == "variable" else target
    schedule = HyperParameterSchedule(given, StepSchedule([1.0, 0.5, 0.0], [1, 2]), name="strength")
    history = fit(model, [schedule], epochs=3, batch_size=4).history.history
    x = X.astype("float64")
    expected = [float(np.mean((s * x @ START - Y) ** 2)) for s in (1.0, 0.5, 0.0)]
    # On JAX Keras rounds the loss to float32, in double precision too.
    assert history["loss"] == pytest.approx(expected, rel=1e-6)
    assert history["strength"] == [1.0, 0.5, 0.0]


@pytest.mark.parametrize("unit", ["epoch", "batch"])
def test_learning_rates_by_epoch_and_by_batch(unit: Any) -> None:
    schedule = LinearSchedule(0.2, 0.0, 6)
    model = model_with(keras.optimizers.SGD(1.0))
    fit(model, [HyperParameterSchedule("optimizer.learning_rate", schedule, unit)], epochs=3)
    rates = [schedule(step // 2 if unit == "epoch" else step) for step in range(6)]
    np.testing.assert_allclose(model.get_weights()[0], descend(rates), rtol=RTOL)
    assert model.history.history["learning_rate"] == pytest.approx([rates[1], rates[3], rates[5]])


def test_a_later_start_counts_the_batches_before() -> None:
    seen = []
    schedule = HyperParameterSchedule("optimizer.learning_rate", lambda step: seen.append(step) or 0.1, "batch")
    fit(model_with("sgd", run_eagerly=True), [schedule], epochs=3, initial_epoch=1)
    assert seen == [2, 3, 4, 5]


def test_the_state_counts_on() -> None:
    seen = []
    schedule = HyperParameterSchedule("optimizer.learning_rate", lambda step: seen.append(step) or 0.1, "batch")
    schedule.set_state({"first": 4, "done": 5})
    fit(model_with("sgd", run_eagerly=True), [schedule], epochs=1)
    assert seen == [5, 6]
    assert schedule.get_state() == {"first": 5, "done": 7}


def test_batches_of_unknown_number_are_counted() -> None:
    seen = []
    schedule = HyperParameterSchedule("optimizer.learning_rate", lambda step: seen.append(step) or 0.1, "batch")

    def batches() -> Any:
        while True:
            yield X, Y

    model = model_with("sgd", run_eagerly=True)
    model.fit(batches(), steps_per_epoch=2, epochs=2, shuffle=False, verbose=0, callbacks=[schedule])
    assert seen == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("layers.scale.plain", "no keras.Variable"),
        ("layers.scale.strenght", "layers.scale has no 'strenght'; there are strength"),
        ("scale.strength", "Sequential has no 'scale'; there are layers.scale"),
        ("optimizer.learning_rat", "optimizer has no 'learning_rat'; there are learning_rate"),
        ("layers.nowhere.strength", "layers has no 'nowhere'; there are"),
        ("*/strenght", "no variable is called .*; there are [a-z_0-9]+/scale/strength"),
        ("optimizer.momentum", "no keras.Variable"),
    ],
)
def test_what_training_would_not_see_is_refused(target: str, message: str) -> None:
    model = model_with("sgd", (Strength(name="scale"),), run_eagerly=True)
    with pytest.raises(ValueError, match=message):
        fit(model, [HyperParameterSchedule(target, LinearSchedule(0, 1, 2))])


def test_a_variable_of_nobody_is_refused_where_it_would_be_ignored() -> None:
    lost = keras.Variable(1.0, trainable=False)
    model, callback = model_with("sgd", run_eagerly=True), HyperParameterSchedule(lost, LinearSchedule(0.0, 1.0, 1))
    if keras.backend.backend() == "jax":
        with pytest.raises(ValueError, match="belongs neither"):
            fit(model, [callback])
    else:
        fit(model, [callback])
        assert float(keras.ops.convert_to_numpy(lost)) == 1.0


@pytest.mark.parametrize(
    "callback",
    [WarmUp(steps=2), OneCycle(0.1), HyperParameterSchedule("optimizer.learning_rate", LinearSchedule(0.1, 0.0, 2))],
)
def test_a_learning_rate_that_is_a_schedule_is_refused(callback: Any) -> None:
    optimizer = keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.9), momentum=0.9)
    with pytest.raises(ValueError, match="ExponentialDecay.*compile with a number"):
        fit(model_with(optimizer, run_eagerly=True), [callback])


@pytest.mark.parametrize("length", [{"steps": 3}, {"epochs": 1.5}])
def test_warm_up_rises_to_the_rate_and_leaves_it_alone(length: dict[str, Any]) -> None:
    warm_up = WarmUp(**length)
    model = fit(model_with(keras.optimizers.SGD(0.3)), [warm_up])
    np.testing.assert_allclose(model.get_weights()[0], descend([0.1, 0.2, 0.3, 0.3]), rtol=RTOL)
    assert [warm_up.value(step) for step in range(4)] == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_warm_up_goes_on_after_an_interruption() -> None:
    first = WarmUp(steps=4)
    model = fit(model_with(keras.optimizers.SGD(0.3), run_eagerly=True), [first], epochs=1)
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.15)
    second = WarmUp(steps=4)
    second.set_state(first.get_state())
    fit(model, [second], epochs=2, initial_epoch=1)
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.3)


def test_a_warm_up_that_an_earlier_fit_did_not_end_reaches_the_full_rate() -> None:
    warm_up = WarmUp(steps=4)
    model = fit(model_with(keras.optimizers.SGD(0.3), run_eagerly=True), [warm_up], epochs=1)
    fit(model, [warm_up], epochs=2, initial_epoch=1)
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.3)
    model.optimizer.learning_rate = 0.1
    fit(model, [warm_up], epochs=2)
    assert float(keras.ops.convert_to_numpy(model.optimizer.learning_rate)) == pytest.approx(0.1)


@pytest.mark.parametrize("shape", ["linear", "cosine"])
def test_one_cycle_goes_up_and_far_down(shape: Any) -> None:
    cycle = OneCycle(1.0, total_steps=11, warm_up_fraction=0.4, initial_divisor=10, final_divisor=100, shape=shape)
    assert [cycle.value(step) for step in (0, 2, 4, 7, 10, 99)] == pytest.approx([0.1, 0.55, 1, 0.5005, 1e-3, 1e-3])
    assert [cycle.momentum_at(step) for step in (0, 2, 4, 10)] == pytest.approx([0.95, 0.9, 0.85, 0.95])


def test_one_cycle_moves_rate_and_momentum_of_the_compiled_step() -> None:
    cycle = OneCycle(0.2, initial_divisor=4, momentum=(0.3, 0.9), warm_up_fraction=0.5)
    optimizer = keras.optimizers.SGD(0.01, momentum=0.6)
    model = fit(model_with(optimizer), [], epochs=1)  # a step with the old momentum is compiled before
    model.set_weights([START])
    for slot in optimizer.momentums:
        slot.assign(np.zeros(slot.shape))
    fit(model, [cycle], epochs=3)
    rates = [cycle.value(step) for step in range(6)]
    momenta = [cycle.momentum_at(step) for step in range(6)]
    assert min(momenta) < 0.4
    assert max(momenta) == 0.9
    np.testing.assert_allclose(model.get_weights()[0], descend(rates, momenta), rtol=10 * RTOL)
    assert model.history.history["momentum"] == pytest.approx(momenta[1::2])
    assert type(optimizer.momentum) is float
    assert optimizer.momentum == 0.6, "the optimizer has its own momentum again"


@pytest.mark.parametrize("name", ["Adam", "AdamW", "Adamax", "Lion"])
def test_one_cycle_moves_the_first_beta(name: str) -> None:
    """The compiled step does what an eager one does with a plain number in each batch."""
    cycle = OneCycle(0.05, total_steps=4, initial_divisor=4, momentum=(0.3, 0.9), warm_up_fraction=0.5)

    class Plainly(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            self.model.optimizer.learning_rate = cycle.value(epoch)
            self.model.optimizer.beta_1 = cycle.momentum_at(epoch)

    make = getattr(keras.optimizers, name)
    expected = fit(model_with(make(0.01), run_eagerly=True), [Plainly()], epochs=4, batch_size=4)
    found = fit(model_with(make(0.01)), [cycle], epochs=4, batch_size=4)
    # Eagerly Keras rounds a beta to float32, in double precision too.
    np.testing.assert_allclose(found.get_weights()[0], expected.get_weights()[0], rtol=1e-5)


def test_a_momentum_of_the_rate_is_a_plain_number_to_python() -> None:
    rate = keras.Variable(0.5)
    momentum = MomentumOfRate(0.9, rate, lambda value: 1 - value)
    assert momentum == 0.9
    assert float(keras.ops.convert_to_numpy(1 - momentum)) == pytest.approx(0.5)
    config = keras.saving.serialize_keras_object(keras.optimizers.SGD(0.1, momentum=momentum))
    assert json.loads(json.dumps(config))["config"]["momentum"] == 0.9


@pytest.mark.parametrize(
    ("optimizer", "message"), [("sgd", "momentum=0"), ("rmsprop", "RMSprop.*momentum=0"), ("adagrad", "Adagrad")]
)
def test_one_cycle_without_a_momentum_to_move_says_so(optimizer: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"{message}.*OneCycle\\(momentum=None\\)"):
        fit(model_with(optimizer, run_eagerly=True), [OneCycle(0.1)])


def test_one_cycle_must_know_its_length() -> None:
    def batches() -> Any:
        yield X, Y

    model = model_with("sgd", run_eagerly=True)
    with pytest.raises(ValueError, match="give `total_steps`"):
        model.fit(batches(), shuffle=False, verbose=0, callbacks=[OneCycle(0.1, momentum=None)])


def test_mixed_precision_is_warmed_up_too() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        # Scaled so little that no step is left out.
        model = model_with(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.3), initial_scale=8.0))
    finally:
        keras.config.set_dtype_policy("float32")
    fit(model, [WarmUp(steps=3)])
    np.testing.assert_allclose(model.get_weights()[0], descend([0.1, 0.2, 0.3, 0.3]), rtol=2e-2)
