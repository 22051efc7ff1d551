"""Layers whose weights are made of others, or are used twice: normalised, at their own rate, tied."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import LearningRateMultiplier, TiedEmbeddingSoftmax, WeightNormalization
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


@pytest.mark.parametrize(
    ("make", "shape", "axes"),
    [
        (lambda: keras.layers.Dense(3), (4,), (0,)),
        (lambda: keras.layers.Conv1D(3, 2), (5, 4), (0, 1)),
        (lambda: keras.layers.Conv2DTranspose(3, 2), (4, 4, 2), (0, 1, 3)),
        (lambda: keras.layers.DepthwiseConv2D(2), (4, 4, 2), (0, 1)),
    ],
)
def test_weight_normalization_starts_as_the_layer_and_separates_length_and_direction(make, shape, axes, rng):
    layer, x = make(), draw(rng, 2, *shape)
    alone = as_array(layer(x))
    wrapped = WeightNormalization(layer)
    np.testing.assert_allclose(as_array(wrapped(x)), alone, atol=tolerance())
    kernel = as_array(layer.kernel)
    np.testing.assert_allclose(
        as_array(wrapped.g), np.sqrt((kernel**2).sum(axis=axes, keepdims=True)), rtol=tolerance()
    )
    layer.kernel.assign(7 * kernel)  # another length of v is no other function
    np.testing.assert_allclose(as_array(wrapped(x)), alone, atol=tolerance(1e-4))
    wrapped.g.assign(2 * as_array(wrapped.g))
    np.testing.assert_allclose(as_array(wrapped(x)), 2 * alone, atol=tolerance(1e-4))


def test_gradients_of_length_and_direction_are_those_of_the_paper(rng):
    wrapped, x = WeightNormalization(keras.layers.Dense(3, use_bias=False)), draw(rng, 5, 4)
    wrapped(x)
    v, g = as_array(wrapped.layer.kernel), as_array(wrapped.g)
    weights = [wrapped.layer.kernel, wrapped.g]
    _, (by_v, by_g) = value_and_gradients(lambda: ops.sum(ops.square(wrapped(x))), weights)
    norm = np.linalg.norm(v, axis=0, keepdims=True)
    by_w = 2 * x.T @ (x @ (g * v / norm))
    expected = (by_w * v / norm).sum(0, keepdims=True)
    np.testing.assert_allclose(as_array(by_g), expected, rtol=tolerance(1e-4), atol=tolerance(1e-4))
    direction = g / norm * by_w - g * expected / norm**2 * v
    np.testing.assert_allclose(as_array(by_v), direction, rtol=tolerance(1e-4), atol=tolerance(1e-4))


def test_initialising_on_data_gives_every_unit_mean_zero_and_variance_one(rng):
    x = 3 + 5 * draw(rng, 200, 4)
    wrapped = WeightNormalization(keras.layers.Dense(3, activation="relu"))
    wrapped.initialise(x)
    wrapped.layer.activation = keras.activations.linear
    y = as_array(wrapped(x))
    np.testing.assert_allclose(y.mean(0), 0, atol=1e-4)
    np.testing.assert_allclose(y.std(0), 1, atol=1e-4)


def test_weight_normalization_of_zero_weights_is_finite(rng):
    wrapped, x = WeightNormalization(keras.layers.Dense(3, kernel_initializer="zeros")), draw(rng, 5, 4)
    wrapped(x)
    _, gradients = value_and_gradients(lambda: ops.sum(ops.square(wrapped(x) - 1)), wrapped.trainable_variables)
    assert all(np.isfinite(as_array(gradient)).all() for gradient in gradients)


def test_embedding_is_normalised_row_by_row():
    wrapped = WeightNormalization(keras.layers.Embedding(5, 3, mask_zero=True))
    ids = np.array([[1, 0]], "int32")
    alone = as_array(wrapped.layer(ids))
    np.testing.assert_allclose(as_array(wrapped(ids)), alone, atol=tolerance())
    assert tuple(wrapped.g.shape) == (5, 1)
    assert as_array(wrapped.compute_mask(ops.array(ids))).tolist() == [[True, False]]


def test_what_has_no_kernel_is_refused(rng):
    with pytest.raises(ValueError, match="neither a kernel nor embeddings"):
        WeightNormalization(keras.layers.ReLU())(draw(rng, 2, 3))
    with pytest.raises(ValueError, match="2 axes"):
        WeightNormalization(keras.layers.Dense(2), axis=2)(draw(rng, 2, 3))


def test_state_and_losses_of_a_wrapped_layer_are_kept(rng):
    """A batch normalisation inside moves its averages; regularisers see the weights that are computed with."""
    normalise = LearningRateMultiplier(keras.layers.BatchNormalization(momentum=0.5), 0.25)
    x = 4 + draw(rng, 100, 3)
    normalise(x, training=True)
    np.testing.assert_allclose(as_array(normalise.layer.moving_mean), x.mean(0) / 2, rtol=1e-4)
    dense = LearningRateMultiplier(keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.5)), 0.25)
    plain = keras.layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.5))
    plain.build((None, 3))
    dense.build((None, 3))
    dense.layer.kernel.assign(as_array(plain.kernel) / 0.25)
    dense(x)
    assert as_array(dense.losses[0]) == pytest.approx(as_array(plain.losses[0]), rel=1e-5)


@pytest.mark.parametrize(("optimizer", "adaptive"), [("sgd", False), ("adam", True), ("rmsprop", True)])
def test_multiplier_is_one_of_the_learning_rate(optimizer, adaptive, rng):
    x = draw(rng, 8, 4)
    reference = keras.layers.Dense(3)
    start = as_array(reference(x))
    moved = []
    for layer, rate in (
        (keras.layers.Dense(3), 0.01 * 0.25),
        (LearningRateMultiplier(keras.layers.Dense(3), 0.25, adaptive=adaptive), 0.01),
    ):
        layer(x)
        inner = getattr(layer, "layer", layer)
        scale = float(getattr(layer, "scale", 1.0))
        for weight, value in zip(inner.weights, reference.weights, strict=True):
            weight.assign(as_array(value) / scale)
        np.testing.assert_allclose(as_array(layer(x)), start, atol=tolerance())
        maker = keras.optimizers.get(optimizer)
        maker.learning_rate = rate
        for _ in range(3):
            _, gradients = value_and_gradients(
                lambda layer=layer: ops.sum(ops.square(layer(x) - 1)), inner.trainable_variables
            )
            maker.apply(gradients, inner.trainable_variables)
        moved.append(as_array(layer(x)))
    assert np.abs(moved[0] - start).max() > 1e-3
    np.testing.assert_allclose(moved[1], moved[0], atol=1e-4)


def test_multiplier_starts_as_the_layer_does_even_where_it_is_built_while_tracing(rng):
    """A model without an input shape is built inside Keras' symbolic build, where values come later."""
    x = draw(rng, 8, 4)
    initial = {"kernel_initializer": keras.initializers.Constant(0.5)}
    model = keras.Sequential(
        [
            LearningRateMultiplier(keras.layers.Dense(3, **initial), 0.01),
            WeightNormalization(keras.layers.Dense(1, **initial)),
        ]
    )
    model.compile(keras.optimizers.SGD(0.0), loss="mse")
    model.fit(x, x[:, :1], verbose=0)
    np.testing.assert_allclose(as_array(model(x)), x.sum(1, keepdims=True) * 0.75, atol=1e-4)


def test_constraints_are_refused(rng):
    with pytest.raises(ValueError, match="constraints"):
        LearningRateMultiplier(keras.layers.Dense(2, kernel_constraint="non_neg"))(draw(rng, 2, 3))


# Tied embedding


def test_tied_embedding_predicts_by_its_own_table(rng):
    layer = TiedEmbeddingSoftmax(7, 4)
    layer(np.zeros((1, 1), "int32"))
    layer.bias.assign(rng.standard_normal(7))
    h = draw(rng, 2, 3, 4)
    logits = h @ as_array(layer.embeddings).T + as_array(layer.bias)
    expected = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    np.testing.assert_allclose(as_array(layer(h, reverse=True)), expected, atol=tolerance())
    with pytest.raises(ValueError, match="output_dim=4"):
        layer(draw(rng, 2, 3, 5), reverse=True)


def test_tied_model_has_one_table_is_saved_whole_and_masks_its_loss(rng, tmp_path):
    layer = TiedEmbeddingSoftmax(7, 4, mask_zero=True)
    ids = keras.Input((None,), dtype="int32")
    model = keras.Model(ids, layer(keras.layers.Dense(4)(layer(ids)), reverse=True))
    assert sum(tuple(weight.shape) == (7, 4) for weight in model.weights) == 1
    model.compile("sgd", loss="sparse_categorical_crossentropy")
    x = np.array([[1, 2, 3, 0], [4, 0, 0, 0]], "int32")
    y = as_array(model(x))
    each = -np.log(np.take_along_axis(y, x[:, :, None], -1)[:, :, 0])
    assert model.evaluate(x, x, verbose=0) == pytest.approx(each[x > 0].mean(), rel=1e-4)
    layer.bias.assign(rng.standard_normal(7))
    model.save(tmp_path / "tied.keras")
    loaded = keras.saving.load_model(tmp_path / "tied.keras")
    np.testing.assert_allclose(as_array(loaded(x)), as_array(model(x)), atol=tolerance())


def test_half_precision_predictions_are_float32(rng):
    layer = TiedEmbeddingSoftmax(7, 4, dtype="mixed_float16")
    assert ops.dtype(layer(draw(rng, 1, 2, 4), reverse=True)) == "float32"
    assert keras.backend.standardize_dtype(layer(keras.Input((2, 4)), reverse=True).dtype) == "float32"
