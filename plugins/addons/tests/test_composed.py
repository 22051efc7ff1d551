"""Modifiers of optimizers: each alone is the known method, and together they come in the order that is documented."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import Composed, GradientAccumulation, LayerAdaptation, Lookahead, WeightDecay, compose

pytestmark = pytest.mark.backend

EXACT = {"beta_1": 0.5, "beta_2": 0.75, "epsilon": 2**-60}
"""Keras on TensorFlow rounds such numbers to float32, which does nothing to these; Adam and LAMB differ in epsilon."""

MATRIX, VECTOR = np.array([[1.0, -2.0], [0.5, 3.0]]), np.array([0.3, -0.2])


def steps(optimizer, count=6, zero=False):
    """Matrix and vector after some steps; on JAX compiled, as `fit` does it."""
    random, floatx = np.random.default_rng(0), keras.config.floatx()
    starts = {"kernel": 0 * MATRIX if zero else MATRIX, "bias": VECTOR}
    variables = [keras.Variable(value, dtype=floatx, name=name) for name, value in starts.items()]
    optimizer.build(variables)
    compiled = None
    if keras.backend.backend() == "jax":
        import jax

        compiled = jax.jit(optimizer.stateless_apply)
    for _ in range(count):
        gradients = [ops.convert_to_tensor(random.normal(size=value.shape), dtype=floatx) for value in starts.values()]
        if compiled is None:
            optimizer.apply(gradients, variables)
            continue
        state = compiled([slot.value for slot in optimizer.variables], gradients, [each.value for each in variables])
        for slot, value in zip([*variables, *optimizer.variables], [*state[0], *state[1]], strict=True):
            slot.assign(value)
    return [np.array(ops.convert_to_numpy(variable)) for variable in variables]


def require_same(found, expected):
    close = {"rtol": 1e-5, "atol": 2e-6} if keras.config.floatx() == "float32" else {"rtol": 1e-10, "atol": 1e-12}
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **close)


@keras.saving.register_keras_serializable(package="addons-test")
def squared(y_true, y_pred):
    """Without `ops.mean`, which on JAX rounds double precision to single."""
    return ops.sum(ops.square(y_true - y_pred), axis=-1)


def adam(learning_rate):
    return keras.optimizers.Adam(learning_rate, **EXACT)


def schedule():
    return keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)


def test_without_modifiers_it_is_the_optimizer():
    require_same(steps(Composed(adam(0.1))), steps(adam(0.1)))


@pytest.mark.float64
@pytest.mark.parametrize("kind", [Composed, WeightDecay])
def test_adam_with_weight_decay_is_adamw(kind):
    found = steps(kind(adam(schedule()), weight_decay=0.25))
    require_same(found, steps(keras.optimizers.AdamW(schedule(), weight_decay=0.25, **EXACT)))


def test_adam_with_layer_adaptation_is_lamb():
    lamb = steps(keras.optimizers.Lamb(0.1, **EXACT))
    require_same(steps(Composed(adam(0.1), layer_adaptation=True)), lamb)
    require_same(steps(LayerAdaptation(adam(0.1))), lamb)


@pytest.mark.float64
def test_with_decay_too_it_is_lamb_as_keras_has_it():
    found = steps(Composed(adam(schedule()), weight_decay=0.25, layer_adaptation=True))
    require_same(found, steps(keras.optimizers.Lamb(schedule(), **EXACT, weight_decay=0.25)))


@pytest.mark.float64
def test_adapted_decay_is_lamb_as_in_the_paper():
    """w <- w - rate |w| / |r + w / 4| (r + w / 4) with Adam's r, in a loop over one matrix."""
    random = np.random.default_rng(0)
    weight, first, second = MATRIX.copy(), 0.0, 0.0
    for step in range(1, 7):
        gradient = random.normal(size=weight.shape)
        random.normal(size=2)
        first, second = (first + gradient) / 2, 0.75 * second + 0.25 * gradient**2
        direction = first / (1 - 0.5**step) / (np.sqrt(second / (1 - 0.75**step)))
        update = direction + 0.25 * weight
        weight = weight - 0.1 * np.linalg.norm(weight) / np.linalg.norm(update) * update
    composed = Composed(adam(0.1), weight_decay=0.25, layer_adaptation=True, adapt_decay=True)
    require_same(steps(composed)[:1], [weight])


@pytest.mark.float64
def test_sgd_with_a_trust_factor_is_lars():
    """w <- w - 0.5 * 0.01 |w| / |g| g."""
    random, weight = np.random.default_rng(0), MATRIX.copy()
    for _ in range(6):
        gradient = random.normal(size=weight.shape)
        random.normal(size=2)
        weight = weight - 0.5 * 0.01 * np.linalg.norm(weight) / np.linalg.norm(gradient) * gradient
    require_same(steps(Composed(keras.optimizers.SGD(0.5), layer_adaptation=0.01))[:1], [weight])


def test_a_weight_of_zeros_is_updated_as_without_adaptation():
    require_same(
        steps(LayerAdaptation(keras.optimizers.SGD(0.5)), 1, zero=True)[:1],
        steps(keras.optimizers.SGD(0.5), 1, zero=True)[:1],
    )


def test_adaptation_of_large_weights_in_half_precision_is_finite():
    variable = keras.Variable(np.full((40, 40), 100.0), dtype="float16")
    optimizer = LayerAdaptation(keras.optimizers.SGD(0.5), 0.001)
    optimizer.build([variable])
    optimizer.apply([ops.ones((40, 40), "float16")], [variable])
    np.testing.assert_allclose(ops.convert_to_numpy(variable), np.full((40, 40), 99.95), rtol=1e-3)


def test_excluded_variables_are_left_to_the_optimizer():
    composed = Composed(adam(0.1), 0.25, layer_adaptation=True, exclude=["bias"])
    plain, everything = steps(adam(0.1)), keras.optimizers.Lamb(0.1, **EXACT, weight_decay=0.25)
    require_same(steps(composed), [steps(everything)[0], plain[1]])


def test_lookahead_is_the_last_but_for_the_average():
    """With a step of one it changes nothing; with half a step it is Lookahead around the rest."""
    whole = {"weight_decay": 0.25, "layer_adaptation": True}
    without = steps(Composed(adam(0.1), **whole))
    one = {"sync_period": 2, "slow_step": 1.0}
    require_same(steps(Composed(adam(0.1), lookahead=one, **whole)), without)
    nested = Lookahead(WeightDecay(LayerAdaptation(adam(0.1)), 0.25), 2, 0.5)
    half = Composed(adam(0.1), lookahead={"sync_period": 2, "slow_step": 0.5}, **whole)
    require_same(steps(half), steps(nested))


def test_nothing_decays_where_there_is_no_update():
    """One batch of two that are accumulated; and one that overflows."""
    inner = keras.optimizers.SGD(0.1, gradient_accumulation_steps=2)
    require_same(steps(Composed(inner, 0.25, layer_adaptation=True), 1), [MATRIX, VECTOR])
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    optimizer, variable = WeightDecay(scaled, 0.25), keras.Variable(MATRIX, dtype=keras.config.floatx())
    optimizer.apply([ops.convert_to_tensor(np.inf * MATRIX, dtype=variable.dtype)], [variable])
    require_same([ops.convert_to_numpy(variable)], [MATRIX])


def test_a_config_makes_the_same():
    given = keras.optimizers.Adam(0.1, use_ema=True, ema_momentum=0.7)
    arguments = {"layer_adaptation": 0.5, "lookahead": {"sync_period": 2}, "adapt_decay": True, "exclude": ["bias"]}
    optimizer = Composed(given, 0.25, **arguments)
    config = keras.saving.serialize_keras_object(optimizer)
    same = keras.saving.deserialize_keras_object(config)
    assert keras.saving.serialize_keras_object(same) == config
    assert same.use_ema
    require_same(steps(same), steps(optimizer))


def test_compose_makes_a_model_that_accumulates_and_can_be_saved(tmp_path):
    """In one line; a large batch of 6, whose last one is smaller, trains to the same weights."""
    random = np.random.default_rng(2)
    x, y = random.normal(size=(8, 3)), random.normal(size=(8, 1))

    def model():
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(1, kernel_initializer="ones")])

    modifiers = {"weight_decay": 0.1, "layer_adaptation": True, "lookahead": {"sync_period": 2}, "exclude": ["bias"]}
    large = compose(model(), adam(0.1), modifiers=modifiers, loss=squared)
    small = compose(model(), adam(0.1), accumulation=3, modifiers=modifiers, loss=squared)
    large.fit(x, y, batch_size=6, epochs=2, shuffle=False, verbose=0)
    small.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0)
    assert isinstance(small, GradientAccumulation)
    require_same(small.model.get_weights(), large.get_weights())
    small.save(tmp_path / "small.keras")
    same = keras.saving.load_model(tmp_path / "small.keras")
    same.fit(x, y, batch_size=2, epochs=1, shuffle=False, verbose=0)
    small.fit(x, y, batch_size=2, epochs=1, shuffle=False, verbose=0)
    require_same(same.model.get_weights(), small.model.get_weights())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"weight_decay": -0.1}, "weight_decay"),
        ({"layer_adaptation": -1.0}, "trust"),
        ({"layer_adaptation": 0.0}, "trust"),
        ({"lookahead": {"sync_period": 0}}, "sync_period"),
        ({"lookahead": 5}, "lookahead=5"),
        ({"layer_adaptation": None}, "layer_adaptation=None"),
        ({"weight_decay": 0.1, "exclude": "bias"}, "exclude"),
        ({"weight_decay": 0.1, "exclude": ["("]}, "exclude"),
        ({"optimizer": keras.optimizers.AdamW, "weight_decay": 0.1}, "of its own"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    given = dict(arguments)
    optimizer = given.pop("optimizer", keras.optimizers.SGD)()
    with pytest.raises(ValueError, match=message):
        Composed(optimizer, **given)
