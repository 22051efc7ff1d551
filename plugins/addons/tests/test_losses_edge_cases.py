"""What every loss does with weights, masks, what is left out, empty batches, half precision and wrong arguments."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import (
    HingedBinaryCrossentropy,
    HingedCrossentropy,
    LabelSmoothedCrossentropy,
    MultiLabelSoftmaxCrossentropy,
    UniformCrossentropy,
)
from zoo_core.gradients import value_and_gradients

pytestmark = pytest.mark.backend

CLASSES = 4
SPARSE = [LabelSmoothedCrossentropy, UniformCrossentropy, HingedCrossentropy]
DENSE = [HingedBinaryCrossentropy, MultiLabelSoftmaxCrossentropy]
EVERY = [*SPARSE, *DENSE]


def array(tensor):
    return np.array(ops.convert_to_numpy(tensor))


def logits(kind, **arguments):
    return kind(**arguments) if kind is MultiLabelSoftmaxCrossentropy else kind(from_logits=True, **arguments)


def targets(kind, rng, shape):
    return rng.integers(0, CLASSES, shape) if kind in SPARSE else rng.integers(0, 2, (*shape, CLASSES))


def gradient(loss, y_true, y_pred, dtype="float32", sample_weight=None):
    scores = keras.Variable(y_pred, trainable=False, dtype=dtype)
    value, (by_scores,) = value_and_gradients(lambda: loss(y_true, scores.value, sample_weight), [scores])
    return array(ops.cast(value, "float32")), array(ops.cast(by_scores, "float32"))


@pytest.mark.parametrize("kind", EVERY)
def test_sample_weights_weigh(kind, rng):
    y_true, y_pred = targets(kind, rng, (6,)), rng.standard_normal((6, CLASSES))
    weight = np.array([1.0, 0, 2, 0.5, 3, 1])
    values = array(logits(kind, reduction=None)(y_true, y_pred))
    assert array(logits(kind)(y_true, y_pred, weight)) == pytest.approx(np.mean(values * weight), rel=1e-5)
    assert array(logits(kind, reduction="sum")(y_true, y_pred)) == pytest.approx(values.sum(), rel=1e-5)
    assert array(logits(kind)(y_true, y_pred)) == pytest.approx(values.mean(), rel=1e-5)
    _, by_scores = gradient(logits(kind), y_true, y_pred, sample_weight=weight)
    assert np.all(by_scores[1] == 0)


@pytest.mark.parametrize("kind", EVERY)
def test_masked_positions_do_not_count(kind, rng):
    y_true, y_pred = targets(kind, rng, (2, 3)), rng.standard_normal((2, 3, CLASSES)).astype("float32")
    mask = np.array([[True, True, False], [True, False, False]])
    values = array(logits(kind, reduction=None)(y_true, y_pred))
    tensor = ops.convert_to_tensor(y_pred)
    tensor._keras_mask = ops.convert_to_tensor(mask)
    assert array(logits(kind)(y_true, tensor)) == pytest.approx(values[mask].mean(), rel=1e-5)
    tensor._keras_mask = ops.zeros((2, 3), "bool")
    assert array(logits(kind)(y_true, tensor)) == 0


@pytest.mark.parametrize("kind", EVERY)
def test_what_is_ignored_has_no_gradient_and_does_not_count(kind, rng):
    y_true, y_pred = targets(kind, rng, (6,)), rng.standard_normal((6, CLASSES))
    expected = array(logits(kind, reduction=None)(y_true, y_pred))[[0, 2, 3, 5]].mean()
    y_true[[1, 4]] = -1
    y_pred[4] = np.nan
    value, by_scores = gradient(logits(kind, ignore_class=-1), y_true, y_pred)
    assert value == pytest.approx(expected, rel=1e-5)
    assert np.all(by_scores[[1, 4]] == 0)
    assert np.all(np.abs(by_scores[[0, 2, 3, 5]]).sum(1) > 0) or kind is HingedCrossentropy
    y_true[:] = -1
    value, by_scores = gradient(logits(kind, ignore_class=-1), y_true, y_pred)
    assert value == 0
    assert np.all(by_scores == 0)


@pytest.mark.parametrize("kind", EVERY)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_finite_at_extreme_scores(kind, dtype, rng):
    extreme = 1e4 * rng.choice([-1, 0, 1], (3, CLASSES))
    y_pred = np.concatenate([extreme, np.zeros((1, CLASSES)), rng.standard_normal((2, CLASSES)) + 6e4])
    y_true = targets(kind, rng, (6,))
    value, by_scores = gradient(logits(kind), y_true, y_pred, dtype)
    assert np.isfinite(value)
    assert np.all(np.isfinite(by_scores))
    assert array(logits(kind, dtype=dtype)(y_true, ops.cast(y_pred, dtype))) == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("kind", [*SPARSE, HingedBinaryCrossentropy])
def test_probabilities_of_0_and_1_are_finite(kind, rng):
    y_pred = np.concatenate([np.eye(4), np.zeros((1, 4)), np.ones((1, 4))])
    value, by_scores = gradient(kind(), targets(kind, rng, (6,)), y_pred)
    assert np.isfinite(value)
    assert np.all(np.isfinite(by_scores))


@pytest.mark.parametrize("kind", SPARSE)
def test_one_class_has_no_loss(kind):
    value, by_scores = gradient(logits(kind), [0, 0], [[3.0], [-2.0]])
    assert value == 0
    assert np.all(by_scores == 0)


@pytest.mark.parametrize("kind", EVERY)
def test_empty_batch_has_loss_0(kind, rng):
    shape = (2, 0) if kind in DENSE else (0,)
    value, by_scores = gradient(logits(kind), targets(kind, rng, shape), np.zeros((*shape, CLASSES)))
    assert value == 0
    assert value.shape == ()
    assert by_scores.shape == (*shape, CLASSES)
    assert array(logits(kind, reduction=None)(targets(kind, rng, shape), np.zeros((*shape, CLASSES)))).shape == shape


@pytest.mark.parametrize("kind", SPARSE)
def test_labels_out_of_range_are_refused_where_they_can_be_seen_and_no_nan_elsewhere(kind):
    y_true, y_pred = np.array([0, 4, -1]), np.ones((3, CLASSES), "float32")
    with pytest.raises(ValueError, match=f"{kind.__name__} knows the labels 0 to 3, got -1, 4"):
        logits(kind)(y_true, y_pred)
    values = compiled(logits(kind, reduction=None), y_true, y_pred)
    assert values is None or np.all(np.isfinite(values))


@pytest.mark.parametrize("kind", DENSE)
def test_targets_out_of_range_are_refused_where_they_can_be_seen_and_clipped_elsewhere(kind):
    y_true, y_pred = np.array([[0, 1, 2.0, -1.0]], "float32"), np.ones((1, CLASSES), "float32")
    with pytest.raises(ValueError, match=f"{kind.__name__} takes targets from 0 to 1, got -1, 2"):
        logits(kind)(y_true, y_pred)
    values = compiled(logits(kind), y_true, y_pred)
    assert values is None or values == pytest.approx(array(logits(kind)(np.clip(y_true, 0, 1), y_pred)))


def compiled(loss, y_true, y_pred):
    """What a loss gives in a compiled program; None on PyTorch, which has none."""
    if keras.backend.backend() == "jax":
        import jax

        return array(jax.jit(loss)(y_true, y_pred))
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return array(tf.function(loss, jit_compile=True)(tf.constant(y_true), tf.constant(y_pred)))
    return None


@pytest.mark.parametrize("kind", SPARSE)
def test_one_hot_labels_are_refused_with_what_to_do(kind):
    with pytest.raises(ValueError, match=r"whole numbers as labels.*argmax"):
        kind()(np.eye(CLASSES), np.eye(CLASSES))
    with pytest.raises(ValueError, match="whole numbers as labels"):
        kind()(np.zeros(3, int), np.eye(CLASSES))
    with pytest.raises(ValueError, match="on that axis"):
        kind(axis=2)(np.zeros(4, int), np.eye(CLASSES))


@pytest.mark.parametrize("kind", DENSE)
def test_targets_of_another_shape_are_refused(kind):
    with pytest.raises(ValueError, match=r"one target for each output: got shape \(4,\) for \(4, 4\)"):
        kind()(np.zeros(4), np.eye(CLASSES))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LabelSmoothedCrossentropy(1.1), "label_smoothing must be a number from 0 to 1"),
        (lambda: LabelSmoothedCrossentropy(-0.1), "label_smoothing must be"),
        (lambda: LabelSmoothedCrossentropy(True), "label_smoothing must be"),
        (lambda: LabelSmoothedCrossentropy(float("nan")), "label_smoothing must be"),
        (lambda: UniformCrossentropy(ignore_class=0.5), "ignore_class must be a whole number"),
        (lambda: HingedCrossentropy(axis="1"), "axis must be a whole number"),
        (lambda: HingedCrossentropy(0), "would leave everything alone"),
        (lambda: HingedCrossentropy(1.5), "threshold must be a number from 0 to 1"),
        (lambda: HingedBinaryCrossentropy(0.4), r"threshold must be a number from 0\.5 to 1"),
        (lambda: MultiLabelSoftmaxCrossentropy(ignore_class=True), "ignore_class must be a whole number"),
        (lambda: MultiLabelSoftmaxCrossentropy(reduction="most"), "reduction"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("kind", EVERY)
def test_configuration_is_whole(kind):
    loss = logits(kind, ignore_class=-1, reduction="sum", name="other", dtype="float64")
    if kind is LabelSmoothedCrossentropy:
        loss.label_smoothing = 0.25
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is kind
    assert again.get_config() == loss.get_config()
    assert (again.name, again.dtype) == ("other", "float64")


def test_binary_outputs_that_are_ignored_leave_the_mean_of_the_others():
    loss = HingedBinaryCrossentropy(1, ignore_class=-1, reduction=None)
    values = array(loss(np.array([[1, -1, -1], [1, 0, -1]]), np.array([[0.5, 0.1, 0.2], [0.5, 0.5, 0.9]])))
    assert values == pytest.approx([np.log(2), np.log(2)], rel=1e-5)


def test_a_model_is_trained_in_half_precision(rng):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(CLASSES, dtype="mixed_float16")])
    model.compile(
        "sgd",
        loss=HingedCrossentropy(from_logits=True, ignore_class=-1),
        jit_compile=keras.backend.backend() != "torch",
    )
    labels = np.array([0, 1, -1, 3, 2, -1])
    history = model.fit(rng.standard_normal((6, 3)), labels, batch_size=4, epochs=1, verbose=0).history
    assert np.isfinite(history["loss"][0])
