"""Lookahead against a loop in NumPy, and what optimizers around optimizers have to get right."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import Lookahead

pytestmark = pytest.mark.backend

RATE, MOMENTUM = 0.125, 0.875
"""Keras on TensorFlow rounds such numbers to float32, which does nothing to these."""

START = np.array([[1.0, -2.0], [0.5, 3.0]])


def gradients(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, *START.shape))


def steps(optimizer, given, start=START, constraint=None):
    """The weights after each of these gradients; on JAX compiled, as `fit` does it."""
    variable = keras.Variable(start, dtype=keras.config.floatx())
    variable.constraint = constraint
    optimizer.build([variable])
    apply = optimizer.apply
    if keras.backend.backend() == "jax":
        import jax

        compiled = jax.jit(optimizer.stateless_apply)

        def apply(gradient, variables):
            state = [slot.value for slot in optimizer.variables]
            (weight,), state = compiled(state, gradient, [variables[0].value])
            for slot, value in zip([*variables, *optimizer.variables], [weight, *state], strict=True):
                slot.assign(value)

    found = []
    for gradient in given:
        apply([ops.convert_to_tensor(gradient, dtype=variable.dtype)], [variable])
        found.append(np.array(ops.convert_to_numpy(variable)))
    return np.stack(found)


def closeness():
    return {"rtol": 1e-5, "atol": 1e-6} if keras.config.floatx() == "float32" else {"rtol": 1e-12, "atol": 1e-12}


def lookahead_by_hand(given, rate, momentum, period, step, reset=False):
    """SGD with momentum; every `period` steps the weights go back towards where they were."""
    weight, slow, velocity, found = START.copy(), START.copy(), np.zeros_like(START), []
    for index, gradient in enumerate(given):
        velocity = momentum * velocity - rate * gradient
        weight = weight + velocity
        if (index + 1) % period == 0:
            slow = slow + step * (weight - slow)
            weight = slow.copy()
            velocity = 0 * velocity if reset else velocity
        found.append(weight.copy())
    return np.stack(found)


@pytest.mark.float64
@pytest.mark.parametrize(("period", "step", "reset"), [(3, 0.5, False), (1, 0.3, False), (2, 0.7, True)])
def test_against_a_loop(period, step, reset):
    given = gradients(8)
    optimizer = Lookahead(keras.optimizers.SGD(RATE, momentum=MOMENTUM), period, step, reset_momentum=reset)
    np.testing.assert_allclose(
        steps(optimizer, given), lookahead_by_hand(given, RATE, MOMENTUM, period, step, reset), **closeness()
    )
    expected = lookahead_by_hand(given, RATE, MOMENTUM, period, step, reset)[8 // period * period - 1]
    np.testing.assert_allclose(ops.convert_to_numpy(optimizer.slow_weights[0]), expected, **closeness())


@pytest.mark.float64
@pytest.mark.parametrize("inner", [keras.optimizers.Adam, keras.optimizers.RMSprop])
def test_a_slow_step_of_one_is_the_inner_optimizer(inner):
    given = gradients(5)
    np.testing.assert_array_equal(steps(Lookahead(inner(0.1), 2, 1.0), given), steps(inner(0.1), given))


def test_iterations_and_schedule_are_the_inner_optimizers():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    optimizer, given = Lookahead(keras.optimizers.SGD(schedule), 2, 1.0), gradients(4)
    np.testing.assert_allclose(steps(optimizer, given), steps(keras.optimizers.SGD(schedule), given), **closeness())
    assert int(ops.convert_to_numpy(optimizer.iterations)) == 4
    assert float(ops.convert_to_numpy(optimizer.learning_rate)) == pytest.approx(0.1 / 16)


def test_the_learning_rate_can_be_set():
    optimizer = Lookahead(keras.optimizers.SGD(0.1), 2, 1.0)
    optimizer.learning_rate = 0.25
    assert float(ops.convert_to_numpy(optimizer.inner_optimizer.learning_rate)) == 0.25


def test_clipping_and_weight_decay_are_the_inner_optimizers():
    arguments = {"learning_rate": 0.1, "clipnorm": 0.1, "weight_decay": 0.2}
    given = gradients(3)
    expected = steps(keras.optimizers.SGD(**arguments), given)
    np.testing.assert_allclose(steps(Lookahead(keras.optimizers.SGD(**arguments), 2, 1.0), given), expected)


def test_it_counts_updates_where_the_inner_optimizer_accumulates():
    """Six batches by two are three updates, of which the second one is synchronised."""
    given = gradients(6)
    inner = keras.optimizers.SGD(RATE, momentum=MOMENTUM, gradient_accumulation_steps=2)
    found = steps(Lookahead(inner, 2, 0.5), given)
    expected = lookahead_by_hand(given.reshape(3, 2, 2, 2).mean(1), RATE, MOMENTUM, 2, 0.5)
    np.testing.assert_allclose(found[1::2], expected, **closeness())
    np.testing.assert_array_equal(found[2], found[1])


@pytest.mark.parametrize("around", [False, True])
def test_under_and_over_a_loss_scale(around):
    """A batch that overflows is no update: the numbers of updates, not of batches, are synchronised."""
    given = gradients(4)
    scaled = given.copy() * 4.0
    scaled[1, 0, 0] = np.inf
    # The scale is halved by the overflow.
    scaled[2:] /= 2
    inner = keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    if around:
        optimizer = keras.optimizers.LossScaleOptimizer(Lookahead(inner, 3, 0.5), initial_scale=4.0)
    else:
        optimizer = Lookahead(keras.optimizers.LossScaleOptimizer(inner, initial_scale=4.0), 3, 0.5)
    expected = lookahead_by_hand(given[[0, 2, 3]], RATE, MOMENTUM, 3, 0.5)
    np.testing.assert_allclose(steps(optimizer, scaled)[[0, 2, 3]], expected, **closeness())


@pytest.mark.float64
def test_the_average_follows_what_is_left_of_the_weights():
    """Asked of the inner optimizer: a = 0.8 a + 0.2 w, where w is synchronised; the first a is w."""
    given = gradients(6)
    optimizer = Lookahead(keras.optimizers.SGD(RATE, use_ema=True, ema_momentum=0.8), 2, 0.5)
    found = steps(optimizer, given)
    np.testing.assert_allclose(found, lookahead_by_hand(given, RATE, 0.0, 2, 0.5), **closeness())
    average = found[0]
    for weight in found[1:]:
        average = 0.8 * average + 0.2 * weight
    variable = optimizer._trainable_variables[0]
    optimizer.finalize_variable_values([variable])
    np.testing.assert_allclose(ops.convert_to_numpy(variable), average, **closeness())


def test_training_goes_on_after_the_average_has_become_the_weights():
    """On JAX two variables that share their memory cannot be trained, and Keras' own optimizers fail there."""
    x = np.ones((4, 3), keras.config.floatx())
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(Lookahead(keras.optimizers.SGD(0.01, use_ema=True), 2), "mse")
    first, second = (model.fit(x, x[:, :1], verbose=0).history["loss"][0] for _ in range(2))
    assert second < first


def test_the_average_overwrites_the_weights_when_asked():
    given = gradients(4)
    arguments = {"learning_rate": 0.1, "use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2}
    expected = steps(keras.optimizers.SGD(**arguments), given)
    np.testing.assert_allclose(steps(Lookahead(keras.optimizers.SGD(**arguments), 2, 1.0), given), expected)


def test_constraints_hold_after_a_synchronisation():
    found = steps(Lookahead(keras.optimizers.SGD(1.0), 2, 0.5), gradients(4), constraint=keras.constraints.UnitNorm())
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), np.ones((4, 2)), rtol=1e-5)


def test_pretrained_weights_are_where_it_starts():
    """Also those that are loaded after the optimizer was built."""
    variable = keras.Variable(0 * START, dtype=keras.config.floatx())
    optimizer = Lookahead(keras.optimizers.SGD(0.1), 1, 0.5)
    optimizer.build([variable])
    variable.assign(START)
    optimizer.apply([ops.convert_to_tensor(np.ones((2, 2)), dtype=variable.dtype)], [variable])
    np.testing.assert_allclose(ops.convert_to_numpy(variable), START - 0.05, **closeness())


@pytest.mark.parametrize("average", [False, True])
def test_around_an_optimizer_that_was_used_it_starts_where_the_weights_are(average):
    """And so does the average, rather than at zero."""
    given, sgd = gradients(5), keras.optimizers.SGD(RATE, momentum=MOMENTUM)
    variable = keras.Variable(START, dtype=keras.config.floatx())
    sgd.build([variable])
    for gradient in given[:3]:
        sgd.apply([ops.convert_to_tensor(gradient, dtype=variable.dtype)], [variable])
    before = np.array(ops.convert_to_numpy(variable))
    lookahead = Lookahead(sgd, 4, 0.5, use_ema=average, ema_momentum=0.5)
    lookahead.build([variable])
    lookahead.apply([ops.convert_to_tensor(given[3], dtype=variable.dtype)], [variable])
    # The fourth update is the first one to be synchronised.
    expected = lookahead_by_hand(given[:4], RATE, MOMENTUM, 5, 0.5)[-1] / 2 + before / 2
    np.testing.assert_allclose(ops.convert_to_numpy(variable), expected, **closeness())
    lookahead.finalize_variable_values([variable])
    np.testing.assert_allclose(ops.convert_to_numpy(variable), expected, **closeness())


@pytest.mark.parametrize("save", ["model", "weights"])
def test_saved_between_two_synchronisations_it_goes_on(tmp_path, save):
    x = np.random.default_rng(1).normal(size=(6, 3)).astype(keras.config.floatx())

    def compiled():
        ones = keras.initializers.Ones()
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer=ones)])
        model.compile(Lookahead(keras.optimizers.Adam(0.1), 3, 0.5), "mse")
        return model

    model = compiled()
    model.fit(x, x[:, :1], batch_size=3, epochs=2, shuffle=False, verbose=0)
    if save == "model":
        model.save(tmp_path / "model.keras")
        same = keras.saving.load_model(tmp_path / "model.keras")
    else:
        model.save_weights(tmp_path / "model.weights.h5")
        same = compiled()
        same.optimizer.build(same.trainable_variables)
        same.load_weights(tmp_path / "model.weights.h5")
    for each in (model, same):
        each.fit(x, x[:, :1], batch_size=3, epochs=1, shuffle=False, verbose=0)
    for one, other in zip(same.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, **closeness())


def test_nothing_is_saved_twice():
    """The inner optimizer's variables are its own to save."""
    optimizer, variable = Lookahead(keras.optimizers.Adam()), keras.Variable(START)
    optimizer.build([variable])
    own, inner = {}, {}
    optimizer.save_own_variables(own)
    optimizer.inner_optimizer.save_own_variables(inner)
    assert len(own) + len(inner) == len(optimizer.variables)
    with pytest.warns(UserWarning, match="is not loaded: it has 2 variables, and 3 were saved"):
        Lookahead(keras.optimizers.Adam()).load_own_variables(own)


def test_inner_optimizers_by_name_and_from_a_config():
    optimizer = Lookahead("sgd", sync_period=4, name="ahead")
    assert type(optimizer.inner_optimizer).__name__ == "SGD"
    config = optimizer.get_config()
    same = Lookahead.from_config(config)
    assert same.get_config() == config
    assert (same.sync_period, same.name) == (4, "ahead")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sync_period": 0}, "sync_period"),
        ({"sync_period": 1.5}, "sync_period"),
        ({"slow_step": 0.0}, "slow_step"),
        ({"slow_step": 1.5}, "slow_step"),
        ({"optimizer": 3}, "optimizer"),
        ({"clipnorm": 1.0}, "inner optimizer"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Lookahead(**{"optimizer": "sgd", **arguments})


def test_momentum_that_is_not_there_is_not_reset():
    with pytest.raises(ValueError, match="no momentum to reset"):
        steps(Lookahead("sgd", reset_momentum=True), gradients(1))
