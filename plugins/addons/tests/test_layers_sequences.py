"""Layers over sequences and images: gated convolutions and masked pooling; padding changes nothing."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import (
    CRF,
    GatedConv1D,
    GatedConv2D,
    MaskedMaxPooling1D,
    MaskedMeanPooling1D,
    MaskedSoftmaxPooling1D,
    Maxout,
    ReparameterizedGaussian,
    Split,
)
from zoo_core.gradients import value_and_gradients

pytestmark = [pytest.mark.backend, pytest.mark.float64]

POOLINGS = {
    "mean": MaskedMeanPooling1D,
    "max": MaskedMaxPooling1D,
    "softmax": MaskedSoftmaxPooling1D,
    "softmax-units": lambda: MaskedSoftmaxPooling1D(units=3),
}
CONVOLUTIONS = {
    "glu-dilated": lambda: GatedConv1D(kernel_size=3, dilation_rate=2),
    "glu-causal": lambda: GatedConv1D(5, kernel_size=2, padding="causal", residual=False, activation="tanh"),
    "highway": lambda: GatedConv1D(form="highway"),
}


def as_array(tensor) -> np.ndarray:
    return np.array(ops.convert_to_numpy(tensor))


def draw(rng, *shape) -> np.ndarray:
    return rng.standard_normal(shape).astype(keras.config.floatx())


def scrambled(layer, x, rng):
    """The layer, built, with weights that no initialiser gives."""
    layer(x)
    for weight in layer.trainable_variables:
        weight.assign(rng.standard_normal(weight.shape))
    return layer


def tolerance() -> float:
    return 2e-5 if keras.config.floatx() == "float32" else 1e-12


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def convolved(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray, rate: int, causal: bool) -> np.ndarray:
    """One sample's convolution by the definition; what lies outside is zero."""
    size = len(kernel)
    left = (size - 1) * rate if causal else (size - 1) * rate // 2
    y = np.zeros((len(x), kernel.shape[-1])) + bias
    for position in range(len(x)):
        for offset in range(size):
            source = position - left + offset * rate
            if 0 <= source < len(x):
                y[position] += x[source] @ kernel[offset]
    return y


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_gated_convolution_is_its_formula(name, rng):
    x = draw(rng, 2, 7, 4)
    layer = scrambled(CONVOLUTIONS[name](), x, rng)
    kernel, bias = (as_array(weight).astype("float64") for weight in layer.inner.weights)
    both = np.stack([convolved(row, kernel, bias, layer.dilation_rate, layer.padding == "causal") for row in x])
    value, gate = np.split(both, 2, axis=-1)
    value = np.tanh(value) if name == "glu-causal" else value
    if layer.form == "highway":
        expected = sigmoid(gate) * x + sigmoid(-gate) * value
    else:
        expected = value * sigmoid(gate) + (x if layer.residual else 0)
    np.testing.assert_allclose(as_array(layer(x)), expected, atol=1e-5)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_padding_does_not_leak_into_a_convolution(name, rng):
    x, junk = draw(rng, 2, 5, 4), 100 * draw(rng, 2, 3, 4)
    layer = scrambled(CONVOLUTIONS[name](), x, rng)
    for parts, real in (((junk, x), [False] * 3 + [True] * 5), ((x, junk), [True] * 5 + [False] * 3)):
        mask = np.array([real] * 2)
        y = as_array(layer(np.concatenate(parts, axis=1), mask=mask))
        np.testing.assert_allclose(y[mask].reshape(2, 5, -1), as_array(layer(x)), atol=tolerance())
        assert (y[~mask] == 0).all()


def test_image_convolution_keeps_the_frame_and_its_mask(rng):
    x = draw(rng, 2, 4, 5, 3)
    layer = scrambled(GatedConv2D(form="highway"), x, rng)
    assert tuple(layer(x).shape) == x.shape
    wide = np.concatenate([x, 9 * draw(rng, 2, 4, 2, 3)], axis=2)
    mask = np.zeros(wide.shape[:3], bool)
    mask[:, :, :5] = True
    np.testing.assert_allclose(as_array(layer(wide, mask=mask))[:, :, :5], as_array(layer(x)), atol=tolerance())


def test_highway_with_an_open_gate_carries_its_input(rng):
    x = draw(rng, 2, 7, 4)
    layer = scrambled(GatedConv1D(form="highway"), x, rng)
    kernel, bias = layer.inner.weights
    kernel.assign(as_array(kernel) * np.array([1] * 4 + [0] * 4))
    bias.assign([0] * 4 + [40] * 4)
    np.testing.assert_allclose(as_array(layer(x)), x, atol=1e-6)


def test_residual_forms_refuse_other_widths_and_ranks(rng):
    with pytest.raises(ValueError, match="residual connection to 4 channels"):
        GatedConv1D(5)(draw(rng, 2, 7, 4))
    with pytest.raises(ValueError, match="time, channels"):
        GatedConv1D()(draw(rng, 2, 4))
    with pytest.raises(ValueError, match="height, width"):
        GatedConv2D()(draw(rng, 2, 7, 4))


def pooled(name: str, layer, x: np.ndarray) -> np.ndarray:
    """One sample's pooling by the definition."""
    if name == "mean":
        return x.mean(0)
    if name == "max":
        return x.max(0)
    weights = [as_array(weight).astype("float64") for weight in layer.weights]
    hidden = x if name == "softmax" else np.tanh(x @ weights[0] + weights[1])
    scores = np.exp(hidden @ weights[-1])
    return (x * scores / scores.sum()).sum(0)


@pytest.mark.parametrize("name", POOLINGS)
def test_pooling_sees_what_is_there_and_nothing_else(name, rng):
    x = draw(rng, 4, 5, 3) - 2  # mostly negative: a padding of zeros would be the greatest
    layer = scrambled(POOLINGS[name](), x, rng)
    mask = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 1, 0, 0, 1], [0, 0, 0, 0, 0]], bool)
    y = as_array(layer(np.where(mask[:, :, None], x, 77), mask=mask))
    for row in range(3):
        np.testing.assert_allclose(y[row], pooled(name, layer, x[row][mask[row]]), atol=1e-5)
    assert (y[3] == 0).all()


@pytest.mark.parametrize("name", POOLINGS)
def test_gradients_are_finite_where_everything_is_masked_and_whole_where_not(name, rng):
    x = draw(rng, 2, 3, 2) - 5
    layer = scrambled(POOLINGS[name](), x, rng)
    mask = np.array([[False] * 3, [True, False, False]])
    held = keras.Variable(x, trainable=False)
    _, (gradient, *others) = value_and_gradients(
        lambda: ops.sum(layer(ops.convert_to_tensor(held), mask=mask)), [held, *layer.trainable_variables]
    )
    expected = np.zeros_like(x)
    expected[1, 0] = 1
    np.testing.assert_allclose(as_array(gradient), expected, atol=tolerance())
    assert all(np.isfinite(as_array(other)).all() for other in others)


@pytest.mark.parametrize("name", POOLINGS)
@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float16"])
def test_long_sequences_pool_in_half_precision(name, dtype, rng):
    made = POOLINGS[name]
    layer = made(dtype=dtype) if isinstance(made, type) else MaskedSoftmaxPooling1D(units=3, dtype=dtype)
    x = np.full((1, 3000, 2), 60.0, "float32")  # the sum exceeds float16's largest number
    y = as_array(ops.cast(layer(x, mask=np.ones((1, 3000), bool)), "float32"))
    np.testing.assert_allclose(y, 60, rtol=1e-2)


def test_pooling_keeps_the_axis_if_asked_and_refuses_other_ranks(rng):
    x = draw(rng, 2, 3, 4)
    assert MaskedMaxPooling1D(keepdims=True)(x).shape == (2, 1, 4)
    assert MaskedMeanPooling1D()(keras.Input((None, 4))).shape == (None, 4)
    for layer in (MaskedMeanPooling1D(), MaskedMaxPooling1D(), MaskedSoftmaxPooling1D()):
        with pytest.raises(ValueError, match="time, channels"):
            layer(x[0])


@pytest.mark.parametrize("name", ["convolutions", "maxout", "split", "gaussian", "crf"])
def test_padded_batch_gives_in_a_model_what_each_sentence_gives_alone(name):
    """Masks come from the embedding and go on through the layers to the pooling."""
    width = 4
    ids = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(9, width, mask_zero=True, embeddings_initializer="normal")(ids)
    if name == "convolutions":
        x = GatedConv1D(form="highway")(GatedConv1D(dilation_rate=2, kernel_size=3)(x))
    elif name == "maxout":
        x = Maxout(3)(x)
    elif name == "split":
        x = keras.layers.Add()(list(Split()(x)))
    elif name == "gaussian":
        x = ReparameterizedGaussian()([x, keras.layers.Dense(width)(x)])
    else:
        x = CRF(transition_initializer="glorot_uniform")(x)
    model = keras.Model(ids, MaskedSoftmaxPooling1D()(x))
    sentences = [[1, 2, 3, 4, 5, 6], [8, 2, 8]]
    batch = np.array([sentence + [0] * (6 - len(sentence)) for sentence in sentences], "int32")
    together = as_array(model(batch))
    for row, sentence in enumerate(sentences):
        alone = as_array(model(np.array([sentence], "int32")))
        np.testing.assert_allclose(alone[0], together[row], atol=1e-5)


def test_divergence_leaves_out_what_is_masked():
    layer = ReparameterizedGaussian()
    mean = np.array([[[1.0], [50.0]]], keras.config.floatx())
    mask = np.array([[True, False]])
    layer([mean, np.zeros_like(mean)], mask=[mask, None])
    assert float(layer.losses[0]) == pytest.approx(0.5)


def test_cut_along_time_the_mask_is_cut_too():
    x = keras.layers.Masking()(np.array([[[1.0], [2.0], [0.0], [0.0]]], keras.config.floatx()))
    first, second = (MaskedMeanPooling1D()(part) for part in Split(2, axis=1)(x))
    assert (float(first[0, 0]), float(second[0, 0])) == (1.5, 0)
