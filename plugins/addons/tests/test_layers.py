"""Layers without a sequence: closed forms, randomness, errors."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

import zoo_addons
from zoo_addons import (
    CRF,
    GradientScale,
    LearningRateMultiplier,
    Maxout,
    ReparameterizedGaussian,
    Split,
    StochasticDepth,
    TrainOnlyNoise,
    WeightNormalization,
)
from zoo_core.gradients import value_and_gradients

pytestmark = [pytest.mark.backend, pytest.mark.float64]


def as_array(tensor) -> np.ndarray:
    return np.array(ops.convert_to_numpy(tensor))


def draw(rng, *shape) -> np.ndarray:
    return rng.standard_normal(shape).astype(keras.config.floatx())


def tolerance(single: float = 1e-5, double: float = 1e-12) -> float:
    return single if keras.config.floatx() == "float32" else double


def gradient_by(function, x) -> np.ndarray:
    held = keras.Variable(x, trainable=False)
    return as_array(value_and_gradients(lambda: function(ops.convert_to_tensor(held)), [held])[1][0])


# Noise


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_noise_has_the_deviation_in_training_and_is_absent_at_inference(distribution, rng):
    layer = TrainOnlyNoise(2.5, distribution, seed=1)
    x = draw(rng, 100, 200)
    assert (as_array(layer(x)) == x).all()
    added = as_array(layer(x, training=True)) - x
    assert added.std() == pytest.approx(2.5, rel=0.02)
    assert added.mean() == pytest.approx(0, abs=0.05)
    if distribution == "uniform":
        assert np.abs(added).max() <= 2.5 * 3**0.5 + 1e-4


def test_noise_follows_its_variable_and_its_seed(rng):
    x = draw(rng, 50, 50)
    one, same, other = (TrainOnlyNoise(0.5, seed=seed) for seed in (3, 3, 40))
    assert (as_array(one(x, training=True)) == as_array(same(x, training=True))).all()
    assert (as_array(same(x, training=True)) != as_array(other(x, training=True))).any()
    one.stddev.assign(0)
    assert (as_array(one(x, training=True)) == x).all()


def test_relative_noise_is_measured_in_each_sample_and_leaves_zeros(rng):
    x = draw(rng, 3, 2000) * np.array([[0], [1], [100]], keras.config.floatx())
    added = as_array(TrainOnlyNoise(0.1, relative=True, seed=1)(x, training=True)) - x
    np.testing.assert_allclose(added.std(axis=1), [0, 0.1, 10], rtol=0.1)


# Split


def test_halves_of_the_last_axis(rng):
    x = draw(rng, 2, 6)
    one, other = Split()(x)
    assert (as_array(one) == x[:, :3]).all()
    assert (as_array(other) == x[:, 3:]).all()


@pytest.mark.parametrize(("parts", "sizes"), [(3, [2, 2, 2]), ([1, 5], [1, 5]), ([1, -1, 2], [1, 3, 2]), (1, [6])])
def test_parts_have_their_sizes_also_symbolically(parts, sizes, rng):
    layer = Split(parts, axis=1)
    x = draw(rng, 2, 6, 3)
    outputs = layer(x)
    assert [output.shape[1] for output in outputs] == sizes
    np.testing.assert_array_equal(np.concatenate([as_array(output) for output in outputs], axis=1), x)
    assert [output.shape for output in layer(keras.Input((6, 3)))] == [(None, size, 3) for size in sizes]


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"parts": 4}, (6,)),
        ({"parts": [2, 2]}, (6,)),
        ({"parts": [6, -1]}, (6,)),
        ({"axis": 3}, (6,)),
        ({"parts": 2, "axis": 1}, (None, 4)),
    ],
)
def test_parts_that_do_not_fit_are_refused_when_the_model_is_built(arguments, shape):
    with pytest.raises(ValueError, match="Split"):
        Split(**arguments)(keras.Input(shape))


# Stochastic depth


@pytest.mark.parametrize("scaling", ["training", "inference"])
def test_stochastic_depth_keeps_the_expectation(scaling):
    layer = StochasticDepth(0.25, scaling, seed=2)
    x = np.ones((4000, 2, 1), keras.config.floatx())
    inference = as_array(layer(x))
    training = as_array(layer(x, training=True))
    assert (training[:, 0] == training[:, 1]).all()  # a sample is dropped as a whole
    assert (training[:, 0] == 0).mean() == pytest.approx(0.25, abs=0.03)
    assert training.mean() == pytest.approx(inference.mean(), abs=0.04)
    assert inference.mean() == pytest.approx(1 if scaling == "training" else 0.75)


@pytest.mark.parametrize("rate", [0, 1])
def test_stochastic_depth_at_its_ends_is_finite(rate, rng):
    layer = StochasticDepth(rate)
    x = draw(rng, 4, 3)
    np.testing.assert_array_equal(as_array(layer(x, training=True)), (1 - rate) * x)
    gradient = gradient_by(lambda value: ops.sum(layer(value, training=True)), x)
    np.testing.assert_array_equal(gradient, np.full_like(x, 1 - rate))


# Maxout


def test_maxout_takes_the_greatest_piece(rng):
    layer = Maxout(2, pieces=3)
    x = draw(rng, 4, 5, 6)
    y = as_array(layer(x))
    kernel, bias = (as_array(weight) for weight in layer.weights)
    pieces = np.stack([x @ kernel[:, unit * 3 : unit * 3 + 3] + bias[unit * 3 : unit * 3 + 3] for unit in range(2)], -2)
    np.testing.assert_allclose(y, pieces.max(-1), atol=tolerance())
    assert layer(keras.Input((None, 6))).shape == (None, None, 2)


# Gaussian


def test_divergence_is_the_integral(rng):
    mean, log_variance = 0.7, -0.4
    z = np.linspace(-12, 12, 200001)
    q = np.exp(-((z - mean) ** 2) / (2 * np.exp(log_variance)) - log_variance / 2) / np.sqrt(2 * np.pi)
    ratio = -((z - mean) ** 2) / (2 * np.exp(log_variance)) - log_variance / 2 + z**2 / 2
    expected = (q * ratio).sum() * (z[1] - z[0])
    found = ReparameterizedGaussian.kl_divergence(ops.array([mean]), ops.array([log_variance]))
    assert float(found[0]) == pytest.approx(expected, abs=1e-6)


def test_gaussian_draws_in_training_and_adds_its_divergence(rng):
    layer = ReparameterizedGaussian(kl_weight=0.5, seed=1)
    mean = np.full((5000, 2), 3, keras.config.floatx())
    log_variance = np.full((5000, 2), np.log(4), keras.config.floatx())
    assert (as_array(layer([mean, log_variance])) == mean).all()
    expected = 0.5 * 2 * (9 + 4 - 1 - np.log(4)) / 2
    assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-4)
    z = as_array(layer([mean, log_variance], training=True))
    assert z.mean() == pytest.approx(3, abs=0.1)
    assert z.std() == pytest.approx(2, rel=0.03)


def test_gradients_flow_through_the_draw(rng):
    layer = ReparameterizedGaussian(kl_weight=0, seed=1)
    mean, log_variance = draw(rng, 6, 2), draw(rng, 6, 2)
    gradient = gradient_by(lambda value: ops.sum(layer([value, log_variance], training=True)), mean)
    np.testing.assert_allclose(gradient, np.ones_like(mean), atol=tolerance())


def test_free_bits_leave_cheap_dimensions_unpunished():
    layer = ReparameterizedGaussian(free_bits=0.5)
    mean = np.array([[0.1, 3.0], [-0.1, 3.0]], keras.config.floatx())

    def loss(value):
        layer([value, ops.zeros_like(value)])
        return layer.losses[-1]

    assert float(loss(ops.array(mean))) == pytest.approx(0.5 + 4.5)
    np.testing.assert_allclose(gradient_by(loss, mean), [[0, 1.5], [0, 1.5]], atol=tolerance())


def test_gaussian_refuses_anything_but_two_tensors_of_one_shape(rng):
    for inputs in (draw(rng, 2, 3), [draw(rng, 2, 3)], [draw(rng, 2, 3), draw(rng, 2, 4)]):
        with pytest.raises(ValueError, match="one shape"):
            ReparameterizedGaussian()(inputs)


# Gradient scale


@pytest.mark.parametrize("scale", [-1.0, 0.0, 0.3, 1e4])
def test_gradient_is_scaled_and_the_value_is_not(scale, rng):
    layer = GradientScale(scale)
    x = draw(rng, 3, 4)
    assert (as_array(layer(x)) == x).all()
    gradient = gradient_by(lambda value: ops.sum(ops.square(layer(value))), x)
    np.testing.assert_allclose(gradient, scale * 2 * x, rtol=1e-5)


def test_gradient_scale_lets_masked_scores_pass(rng):
    layer, x = GradientScale(0.5), np.array([[1.0, -np.inf, np.inf]], "float32")
    assert (as_array(layer(x)) == x).all()
    gradient = gradient_by(lambda value: ops.sum(ops.softmax(layer(value)[:, :2])[:, 0]), x)
    assert np.isfinite(gradient).all()


# Everything


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("TrainOnlyNoise", {"stddev": -0.1}),
        ("TrainOnlyNoise", {"stddev": float("inf")}),
        ("TrainOnlyNoise", {"distribution": "cauchy"}),
        ("Split", {"parts": 0}),
        ("Split", {"parts": 2.5}),
        ("Split", {"parts": [-1, -1]}),
        ("Split", {"axis": 0}),
        ("StochasticDepth", {"rate": 1.5}),
        ("StochasticDepth", {"scaling": "never"}),
        ("Maxout", {"units": 0}),
        ("Maxout", {"units": 2, "pieces": 0}),
        ("ReparameterizedGaussian", {"kl_weight": -1}),
        ("ReparameterizedGaussian", {"free_bits": -1}),
        ("ReparameterizedGaussian", {"kl_weight": float("inf")}),
        ("GradientScale", {"scale": float("nan")}),
        ("GatedConv1D", {"filters": 0}),
        ("GatedConv1D", {"form": "tanh"}),
        ("GatedConv1D", {"padding": "valid"}),
        ("GatedConv1D", {"form": "highway", "residual": False}),
        ("GatedConv2D", {"padding": "causal"}),
        ("MaskedSoftmaxPooling1D", {"units": 0}),
    ],
)
def test_bad_arguments_are_refused_by_name(name, arguments):
    with pytest.raises(ValueError, match=name):
        getattr(zoo_addons, name)(**arguments)


def test_multiplier_must_be_positive():
    for multiplier in (0, -1, float("inf")):
        with pytest.raises(ValueError, match="multiplier"):
            LearningRateMultiplier(keras.layers.Dense(1), multiplier)


def test_schedules_change_the_loss_and_states_move_in_training(rng):
    """The weight of the divergence between two fits; length, transitions and their like within one."""
    mean, log_variance = keras.layers.Dense(2), keras.layers.Dense(2)
    gaussian, noise = ReparameterizedGaussian(1.0, seed=1), TrainOnlyNoise(0.1, seed=1)
    decoder = WeightNormalization(keras.layers.Dense(3))
    inputs = keras.Input((3,))
    hidden = noise(inputs)
    model = keras.Model(inputs, decoder(gaussian([mean(hidden), log_variance(hidden)])))
    model.compile(keras.optimizers.SGD(0.05), loss="mse")
    x = draw(rng, 32, 3)
    before = as_array(decoder.g)
    model.fit(x, x, epochs=2, batch_size=16, verbose=0)
    assert (as_array(decoder.g) != before).all()
    full = model.evaluate(x, x, verbose=0)
    gaussian.kl_weight.assign(0)
    bare = model.evaluate(x, x, verbose=0)
    assert full > bare + 1e-3
    model.optimizer.learning_rate = 0.0
    noise.stddev.assign(5)
    assert model.fit(x, x, verbose=0).history["loss"][0] > 2 * bare


def test_scheduled_weights_are_no_trainable_ones_and_have_their_value_before_they_are_built():
    scheduled = [
        (TrainOnlyNoise(0.3).stddev, 0.3),
        (StochasticDepth(0.2).rate, 0.2),
        (GradientScale(-2).scale, -2),
        (ReparameterizedGaussian(0.5).kl_weight, 0.5),
    ]
    for variable, value in scheduled:
        assert not variable.trainable
        assert float(variable) == pytest.approx(value)


def test_crf_without_boundaries_has_transitions_alone():
    layer = CRF(use_boundary=False)
    layer.build((None, None, 4))
    assert [tuple(weight.shape) for weight in layer.weights] == [(4, 4)]


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: zoo_addons.MaskedMeanPooling1D(), (5, 4)),
        (lambda: zoo_addons.MaskedMaxPooling1D(), (5, 4)),
        (lambda: zoo_addons.MaskedSoftmaxPooling1D(), (5, 4)),
        (lambda: Maxout(3), (4,)),
        (lambda: CRF(), (5, 4)),
        (lambda: Split(), (4,)),
        (lambda: StochasticDepth(0.5), (4,)),
        (lambda: TrainOnlyNoise(0.5, relative=True), (4,)),
        (lambda: GradientScale(0.5), (4,)),
        (lambda: WeightNormalization(keras.layers.Dense(3)), (4,)),
        (lambda: LearningRateMultiplier(keras.layers.Dense(3)), (4,)),
    ],
)
def test_empty_batches_come_out_empty(make, shape):
    outputs = make()(np.zeros((0, *shape), keras.config.floatx()), training=True)
    assert all(output.shape[0] == 0 for output in keras.tree.flatten(outputs))


def test_divergence_of_an_empty_batch_is_zero():
    layer = ReparameterizedGaussian()
    empty = np.zeros((0, 4), keras.config.floatx())
    layer([empty, empty], training=True)
    assert float(as_array(layer.losses[0])) == 0
