"""The cross-entropies against loops over their definitions, against Keras, and their gradients against theirs.

Runs in float32, and in float64 where ZOO_TEST_FLOATX says so.
"""

from __future__ import annotations

import math

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

pytestmark = [pytest.mark.backend, pytest.mark.float64]

CLASSES = 6


def array(tensor):
    return np.array(ops.convert_to_numpy(tensor))


def near(value):
    precise = keras.config.floatx() == "float64"
    return pytest.approx(value, rel=1e-11, abs=1e-12) if precise else pytest.approx(value, rel=2e-5, abs=2e-6)


def floats(values):
    return np.asarray(values, keras.config.floatx())


def gradient(loss, y_true, y_pred, sample_weight=None):
    scores = keras.Variable(floats(y_pred), trainable=False)
    value, (by_scores,) = value_and_gradients(lambda: loss(y_true, scores.value, sample_weight), [scores])
    return float(array(value)), array(by_scores)


def softmax(row):
    exps = [math.exp(score - max(row)) for score in row]
    return [exp / sum(exps) for exp in exps]


def smoothed(label, row, smoothing):
    probabilities = softmax(row)
    targets = [smoothing / len(row) + (1 - smoothing) * (k == label) for k in range(len(row))]
    return -sum(target * math.log(p) for target, p in zip(targets, probabilities, strict=True))


@pytest.fixture
def scores(rng):
    return floats(2 * rng.standard_normal((7, CLASSES)))


@pytest.fixture
def labels(rng):
    return rng.integers(0, CLASSES, 7)


@pytest.mark.parametrize("smoothing", [0, 0.1, 0.75, 1])
def test_label_smoothing_is_its_definition(scores, labels, smoothing):
    loss = LabelSmoothedCrossentropy(smoothing, from_logits=True, reduction=None)
    expected = [smoothed(label, row, smoothing) for label, row in zip(labels, scores, strict=True)]
    assert array(loss(labels, scores)) == near(expected)


@pytest.mark.parametrize("smoothing", [0, 0.1, 0.75, 1])
@pytest.mark.parametrize("from_logits", [True, False])
def test_label_smoothing_is_that_of_keras_on_one_hot_labels(scores, labels, smoothing, from_logits):
    outputs = scores if from_logits else 3 * array(ops.softmax(scores))
    one_hot = np.eye(CLASSES)[labels]
    ours = LabelSmoothedCrossentropy(smoothing, from_logits=from_logits)
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=from_logits, label_smoothing=smoothing)
    value, by_scores = gradient(ours, labels, outputs)
    expected, expected_by_scores = gradient(keras_loss, one_hot, outputs)
    assert value == near(expected)
    assert by_scores == near(expected_by_scores)


@pytest.mark.parametrize("smoothing", [0, 0.1, 0.5, 0.9, 1])
@pytest.mark.parametrize("from_logits", [True, False])
def test_label_smoothing_is_the_mixture_with_uniform_labels(scores, labels, smoothing, from_logits):
    outputs = scores if from_logits else array(ops.softmax(scores))
    value, by_scores = gradient(LabelSmoothedCrossentropy(smoothing, from_logits=from_logits), labels, outputs)
    plain = gradient(keras.losses.CategoricalCrossentropy(from_logits), np.eye(CLASSES)[labels], outputs)
    uniform = gradient(UniformCrossentropy(from_logits), labels, outputs)
    assert value == near((1 - smoothing) * plain[0] + smoothing * uniform[0])
    assert by_scores == near((1 - smoothing) * plain[1] + smoothing * uniform[1])


def test_uniform_cross_entropy_is_least_where_all_classes_are_equally_probable(scores, labels):
    value, by_scores = gradient(UniformCrossentropy(from_logits=True), labels, np.ones((7, CLASSES)))
    assert value == near(math.log(CLASSES))
    assert by_scores == near(np.zeros((7, CLASSES)))
    assert gradient(UniformCrossentropy(from_logits=True), labels, scores)[0] > math.log(CLASSES)


def test_least_smoothed_loss_is_the_entropy_of_the_target():
    target = np.full(10, 0.01) + 0.9 * np.eye(10)[3]
    entropy = -np.sum(target * np.log(target))
    assert entropy == pytest.approx(0.5003, abs=5e-5)
    loss = LabelSmoothedCrossentropy(0.1, from_logits=True)
    value, by_scores = gradient(loss, [3], np.log(target)[None])
    assert value == near(entropy)
    assert by_scores == near(np.zeros((1, 10)))
    assert gradient(loss, [3], 4 * np.log(target)[None])[0] > entropy


def test_classes_may_be_on_any_axis(rng):
    images, labels = floats(rng.standard_normal((2, CLASSES, 3, 4))), rng.integers(0, CLASSES, (2, 3, 4))
    last = np.moveaxis(images, 1, -1)
    for kind in (LabelSmoothedCrossentropy, HingedCrossentropy, UniformCrossentropy):
        values = array(kind(from_logits=True, axis=1, reduction=None)(labels, images))
        assert values.shape == (2, 3, 4)
        assert values == near(array(kind(from_logits=True, reduction=None)(labels, last)))
        assert values == near(array(kind(from_logits=True, axis=-3, reduction=None)(labels[:, None], images)))


@pytest.mark.parametrize("threshold", [0.3, 0.6, 1])
def test_hinged_cross_entropy_is_its_definition(scores, labels, threshold):
    probabilities = [softmax(row)[label] for label, row in zip(labels, scores, strict=True)]
    assert threshold == 1 or 0 < sum(p > threshold for p in probabilities) < 7
    expected = [0 if p > threshold else -math.log(p) for p in probabilities]
    for from_logits, outputs in ((True, scores), (False, array(ops.softmax(scores)))):
        loss = HingedCrossentropy(threshold, from_logits=from_logits, reduction=None)
        assert array(loss(labels, outputs)) == near(expected)


def test_hinged_cross_entropy_has_no_gradient_where_it_is_right_and_the_usual_one_elsewhere(scores, labels):
    right = np.array([softmax(row)[label] > 0.3 for label, row in zip(labels, scores, strict=True)])
    _, by_scores = gradient(HingedCrossentropy(0.3, from_logits=True), labels, scores)
    _, plain = gradient(LabelSmoothedCrossentropy(0, from_logits=True), labels, scores)
    assert np.all(by_scores[right] == 0)
    assert by_scores[~right] == near(plain[~right])
    assert np.all(np.abs(plain[~right]).sum(1) > 0)


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize(
    ("target", "probability", "expected"),
    [
        (1, 0.7, 0),
        (1, 0.55, -math.log(0.55)),
        (1, 0.1, -math.log(0.1)),
        (0, 0.3, 0),
        (0, 0.45, -math.log(0.55)),
        (0, 0.9, -math.log(0.1)),
        (0.5, 0.9, -0.5 * math.log(0.9) - 0.5 * math.log(0.1)),
        (0.9, 0.7, 0),
    ],
)
def test_hinged_binary_cross_entropy_is_its_definition(from_logits, target, probability, expected):
    output = math.log(probability / (1 - probability)) if from_logits else probability
    value, by_output = gradient(HingedBinaryCrossentropy(0.6, from_logits), floats([target]), [[output]])
    assert value == near(expected)
    slope = (probability - target) / (1 if from_logits else probability * (1 - probability))
    assert by_output == near(np.array([[slope if expected else 0]]))


def test_hinged_binary_cross_entropy_is_the_hinged_one_of_two_classes(scores):
    targets = np.array([0, 1, 1, 0, 1, 0, 0])
    logits = scores[:, 0]
    binary = HingedBinaryCrossentropy(0.6, from_logits=True, reduction=None)(targets[:, None], logits[:, None])
    two = HingedCrossentropy(0.6, from_logits=True, reduction=None)(targets, np.stack([0 * logits, logits], 1))
    assert array(binary) == near(array(two))


def test_hinged_losses_with_threshold_1_are_the_plain_ones(scores, labels):
    hinged = HingedCrossentropy(1, from_logits=True)(labels, scores)
    assert array(hinged) == near(array(keras.losses.CategoricalCrossentropy(True)(np.eye(CLASSES)[labels], scores)))
    targets = np.eye(CLASSES)[labels]
    hinged = HingedBinaryCrossentropy(1, from_logits=True, reduction=None)(targets, scores)
    assert array(hinged) == near(np.mean(np.log1p(np.exp((1 - 2 * targets) * scores)), axis=1))


def test_multi_label_loss_is_its_definition(rng, scores):
    targets = rng.integers(0, 2, scores.shape)
    targets[0], targets[1] = 0, 1
    expected = [
        math.log(1 + sum(math.exp(s) for s, t in zip(row, wanted, strict=True) if not t))
        + math.log(1 + sum(math.exp(-s) for s, t in zip(row, wanted, strict=True) if t))
        for row, wanted in zip(scores, targets, strict=True)
    ]
    assert array(MultiLabelSoftmaxCrossentropy(reduction=None)(targets, scores)) == near(expected)
    turned = MultiLabelSoftmaxCrossentropy(axis=0, reduction=None)(targets.T, scores.T)
    assert array(turned) == near(expected)


def test_multi_label_loss_of_soft_labels_is_its_definition(rng, scores):
    targets = floats(rng.uniform(size=scores.shape))
    expected = [
        math.log(1 + sum((1 - t) * math.exp(s) for s, t in zip(row, wanted, strict=True)))
        + math.log(1 + sum(t * math.exp(-s) for s, t in zip(row, wanted, strict=True)))
        for row, wanted in zip(scores, targets, strict=True)
    ]
    assert array(MultiLabelSoftmaxCrossentropy(reduction=None)(targets, scores)) == near(expected)


def test_multi_label_loss_is_stationary_where_twice_the_scores_are_logits(rng):
    targets = floats(rng.uniform(0.05, 0.95, (3, CLASSES)))
    _, by_scores = gradient(MultiLabelSoftmaxCrossentropy(), targets, np.log(targets / (1 - targets)) / 2)
    assert by_scores == near(np.zeros((3, CLASSES)))


def test_multi_label_loss_of_one_class_is_binary_cross_entropy(scores):
    column, targets = scores[:, :1], np.array([0, 1, 1, 0, 1, 0, 1])
    value, by_scores = gradient(MultiLabelSoftmaxCrossentropy(), targets, column)
    assert value == near(np.mean(np.log1p(np.exp((1 - 2 * targets) * column[:, 0]))))
    assert by_scores[:, 0] == near((1 / (1 + np.exp(-column[:, 0])) - targets) / 7)


def test_multi_label_loss_leaves_out_what_is_not_known(rng, scores):
    targets = rng.integers(0, 2, scores.shape)
    loss = MultiLabelSoftmaxCrossentropy(ignore_class=-1, reduction=None)
    without = array(loss(targets[:, :4], scores[:, :4]))
    targets[:, 4:] = -1
    assert array(loss(targets, scores)) == near(without)
    _, by_scores = gradient(MultiLabelSoftmaxCrossentropy(ignore_class=-1), targets, scores)
    assert np.all(by_scores[:, 4:] == 0)


def test_small_multi_label_losses_keep_their_digits():
    value, _ = gradient(MultiLabelSoftmaxCrossentropy(), [[1, 0]], [[20.0, -20.0]])
    assert value == pytest.approx(2 * math.exp(-20), rel=1e-5)
