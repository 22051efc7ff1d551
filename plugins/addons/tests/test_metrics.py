"""Calibration metrics against loops over their definitions, in one go and in batches."""

from __future__ import annotations

import itertools
import math

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import BrierScore, ExpectedCalibrationError

pytestmark = pytest.mark.backend

BOTH = [ExpectedCalibrationError, BrierScore]


def measured(metric, y_true, y_pred, sample_weight=None, batch=30):
    for start in range(0, len(y_true), batch):
        part = slice(start, start + batch)
        metric.update_state(y_true[part], y_pred[part], None if sample_weight is None else sample_weight[part])
    return float(ops.convert_to_numpy(metric.result()))


def calibration_error(confidences, outcomes, weights, bins):
    total = 0.0
    for b in range(bins):
        inside = [b / bins < c <= (b + 1) / bins or (b == 0 and c == 0) for c in confidences]
        gaps = [w * (c - o) for c, o, w, i in zip(confidences, outcomes, weights, inside, strict=True) if i]
        total += abs(sum(gaps))
    return total / sum(weights)


@pytest.fixture
def probabilities(rng):
    return rng.dirichlet(np.full(4, 0.5), 60).astype("float32")


@pytest.fixture
def labels(rng):
    return rng.integers(0, 4, 60)


@pytest.mark.parametrize("weighted", [False, True])
def test_ece_of_many_classes_is_its_definition(rng, probabilities, labels, weighted):
    weights = rng.uniform(0.1, 3, 60) if weighted else None
    right = probabilities.argmax(1) == labels
    expected = calibration_error(probabilities.max(1), right, np.ones(60) if weights is None else weights, 15)
    assert expected > 0.05
    assert measured(ExpectedCalibrationError(), labels, probabilities, weights) == pytest.approx(expected, rel=1e-5)
    one_hot = np.eye(4, dtype="float32")[labels]
    assert measured(ExpectedCalibrationError(), one_hot, probabilities, weights) == pytest.approx(expected, rel=1e-5)
    logits = np.log(probabilities) + 3
    by_logits = ExpectedCalibrationError(from_logits=True)
    assert measured(by_logits, labels[:, None], logits, weights) == pytest.approx(expected, rel=1e-4)


def test_ece_of_binary_labels_compares_the_probability_of_1_with_how_often_it_was_1(rng):
    probabilities, outcomes = rng.uniform(size=60).astype("float32"), rng.integers(0, 2, 60)
    expected = calibration_error(probabilities, outcomes, np.ones(60), 10)
    assert measured(ExpectedCalibrationError(10), outcomes, probabilities) == pytest.approx(expected, rel=1e-5)
    columns = ExpectedCalibrationError(10)
    assert measured(columns, outcomes[:, None], probabilities[:, None]) == pytest.approx(expected, rel=1e-5)
    many = ExpectedCalibrationError(10, labels="binary")
    assert measured(many, outcomes.reshape(15, 4), probabilities.reshape(15, 4)) == pytest.approx(expected, rel=1e-5)


def test_bins_of_equal_mass_hold_equally_many(rng):
    confidences = rng.permutation(np.linspace(0.01, 0.99, 60)).astype("float32")
    outcomes = rng.integers(0, 2, 60)
    order = np.argsort(confidences)
    parts = np.split(order, 6)
    expected = sum(abs(sum(confidences[part] - outcomes[part])) for part in parts) / 60
    metric = ExpectedCalibrationError(6, binning="equal_mass")
    assert measured(metric, outcomes, confidences) == pytest.approx(expected, rel=1e-4)
    diagram = metric.reliability()
    assert diagram.weights == pytest.approx([1 / 6] * 6)
    assert diagram.confidences == pytest.approx([confidences[part].mean() for part in parts], rel=1e-5)
    assert diagram.accuracies == pytest.approx([outcomes[part].mean() for part in parts], rel=1e-5)


def test_predictions_that_are_all_as_sure_have_the_gap_as_error():
    labels = np.array([0] * 7 + [1] * 3)
    probabilities = np.full((10, 2), [0.9, 0.1], "float32")
    for binning in ("equal_width", "equal_mass"):
        assert measured(ExpectedCalibrationError(binning=binning), labels, probabilities) == pytest.approx(0.2)
    certain = ExpectedCalibrationError(binning="equal_mass")
    assert measured(certain, np.array([1.0, 0, 1, 0]), np.array([1.0, 0, 1, 0])) == 0


@pytest.mark.parametrize("binning", ["equal_width", "equal_mass"])
def test_ece_of_a_calibrated_predictor_is_the_noise_of_its_closed_form(rng, binning):
    count, bins = 100_000, 10
    probabilities = rng.uniform(size=count)
    outcomes = rng.uniform(size=count) < probabilities
    # The mean of p (1 - p) over the bin from a to b, whose gap is Gaussian with the variance v / (count / bins).
    edges = np.linspace(0, 1, bins + 1)
    variances = [bins * ((b**2 - a**2) / 2 - (b**3 - a**3) / 3) for a, b in itertools.pairwise(edges)]
    expected = sum(math.sqrt(2 * v * bins / (math.pi * count)) for v in variances) / bins
    error = measured(ExpectedCalibrationError(bins, binning=binning), outcomes, probabilities, batch=25_000)
    assert 0.3 * expected < error < 2 * expected
    assert error < 0.007
    sharpened = measured(ExpectedCalibrationError(bins), outcomes, probabilities**2, batch=25_000)
    # The mean of |p - p^2|.
    assert sharpened == pytest.approx(1 / 6, abs=0.005)


def test_brier_score_is_its_definition(rng, probabilities, labels):
    one_hot, weights = np.eye(4)[labels], rng.uniform(0.1, 3, 60)
    distances = ((probabilities - one_hot) ** 2).sum(1)
    assert measured(BrierScore(), labels, probabilities) == pytest.approx(distances.mean(), rel=1e-5)
    assert measured(BrierScore(), one_hot, probabilities) == pytest.approx(distances.mean(), rel=1e-5)
    weighted = np.average(distances, weights=weights)
    assert measured(BrierScore(), labels, probabilities, weights) == pytest.approx(weighted, rel=1e-5)
    outcomes = (labels > 1).astype("float32")
    expected = ((probabilities[:, 0] - outcomes) ** 2).mean()
    assert measured(BrierScore(), outcomes, probabilities[:, :1]) == pytest.approx(expected, rel=1e-5)
    logits = np.log(probabilities[:, 0] / (1 - probabilities[:, 0]))
    assert measured(BrierScore(from_logits=True), outcomes, logits) == pytest.approx(expected, rel=1e-4)


def test_brier_score_of_a_calibrated_predictor_is_its_mean_variance(rng):
    probabilities = rng.uniform(size=100_000)
    outcomes = rng.uniform(size=100_000) < probabilities
    assert measured(BrierScore(), outcomes, probabilities, batch=25_000) == pytest.approx(1 / 6, abs=0.003)


@pytest.mark.parametrize("kind", BOTH)
def test_state_starts_anew(kind, probabilities, labels):
    metric = kind()
    assert float(ops.convert_to_numpy(metric.result())) == 0
    first = measured(metric, labels, probabilities)
    metric.reset_state()
    assert float(ops.convert_to_numpy(metric.result())) == 0
    assert measured(metric, labels, probabilities) == pytest.approx(first)
    metric.update_state(labels[:0], probabilities[:0])
    assert float(ops.convert_to_numpy(metric.result())) == pytest.approx(first)


@pytest.mark.parametrize("kind", BOTH)
def test_what_is_masked_ignored_or_weighs_nothing_does_not_count(kind, probabilities, labels):
    expected = measured(kind(), labels[30:], probabilities[30:])
    probabilities[:30] = np.nan
    some = (np.arange(60) >= 30).astype("float32")
    assert measured(kind(), labels, probabilities, some) == pytest.approx(expected, rel=1e-5)
    assert measured(kind(ignore_class=-1), np.where(some, labels, -1), probabilities) == pytest.approx(expected)
    tensor = ops.convert_to_tensor(probabilities.reshape(6, 10, 4))
    tensor._keras_mask = ops.convert_to_tensor(some.reshape(6, 10) > 0)
    metric = kind()
    metric.update_state(labels.reshape(6, 10), tensor)
    assert float(ops.convert_to_numpy(metric.result())) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", BOTH)
def test_weights_of_examples_weigh_all_their_positions(kind, rng, probabilities, labels):
    weights = rng.uniform(size=6)
    by_example = kind()
    by_example.update_state(labels.reshape(6, 10), probabilities.reshape(6, 10, 4), weights)
    flat = measured(kind(), labels, probabilities, np.repeat(weights, 10))
    assert float(ops.convert_to_numpy(by_example.result())) == pytest.approx(flat, rel=1e-5)


@pytest.mark.parametrize("kind", BOTH)
def test_compiled_evaluation_measures_the_same(kind, probabilities, labels):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Identity()])
    jit = keras.backend.backend() != "torch"
    model.compile(loss="sparse_categorical_crossentropy", metrics=[kind()], jit_compile=jit)
    logs = model.evaluate(probabilities, labels, batch_size=30, verbose=0, return_dict=True)
    assert logs[kind().name] == pytest.approx(measured(kind(), labels, probabilities), rel=1e-5)


@pytest.mark.parametrize("kind", BOTH)
def test_half_precision_is_counted_in_float32(kind, labels, probabilities):
    half = ops.cast(probabilities, "bfloat16")
    metric = kind(dtype="float16")
    metric.update_state(labels, half)
    expected = measured(kind(), labels, np.array(ops.convert_to_numpy(ops.cast(half, "float32"))))
    assert float(ops.convert_to_numpy(metric.result())) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", BOTH)
def test_configuration_is_whole(kind):
    arguments = {"labels": "one_hot", "from_logits": True, "ignore_class": 3, "name": "other"}
    if kind is ExpectedCalibrationError:
        arguments |= {"bins": 4, "binning": "equal_mass"}
    metric = kind(**arguments)
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert type(again) is kind
    assert again.get_config() == {**metric.get_config(), **arguments}


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: BrierScore("dense"), "labels must be one of auto, binary, one_hot, sparse"),
        (lambda: BrierScore(ignore_class=0.5), "ignore_class must be a whole number"),
        (lambda: ExpectedCalibrationError(0), "bins must be a whole number from 1"),
        (lambda: ExpectedCalibrationError(binning="equal"), "binning must be equal_width or equal_mass"),
        (lambda: BrierScore()([4], [[0.1, 0.9]]), "BrierScore knows the labels 0 to 1, got 4"),
        (lambda: BrierScore()([2.0], [[0.9]]), "BrierScore takes targets from 0 to 1, got 2"),
        (lambda: BrierScore()([0, 1, 0], [[0.1, 0.9]]), r"labels of shape \(3,\) where \(1,\) was expected"),
        (lambda: BrierScore()([0], [[0.1, 0.9]], [[1.0, 2.0]]), r"one weight for each label, got shape \(1, 2\)"),
    ],
)
def test_what_cannot_be_is_refused(use, message):
    with pytest.raises(ValueError, match=message):
        use()
