"""The CRF against the enumeration of all tag sequences.

Runs in float32, and in float64 where ZOO_TEST_FLOATX says so.
"""

from __future__ import annotations

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import CRF
from zoo_core.gradients import value_and_gradients

pytestmark = [pytest.mark.backend, pytest.mark.float64]

COUNT = 3
MASKS = {
    "full": [1, 1, 1, 1],
    "padded": [1, 1, 1, 0],
    "one": [1, 0, 0, 0],
    "none": [0, 0, 0, 0],
    "left": [0, 0, 1, 1],
    "holes": [1, 0, 0, 1],
}
TIME = 4


def tolerance(single: float, double: float) -> float:
    return single if keras.config.floatx() == "float32" else double


def as_array(tensor) -> np.ndarray:
    return np.array(ops.convert_to_numpy(tensor))


@pytest.fixture
def crf(rng):
    layer = CRF()
    layer.build((None, TIME, COUNT))
    for weight in layer.weights:
        weight.assign(rng.standard_normal(weight.shape))
    return layer


@pytest.fixture
def batch(rng):
    """Scores, tags and masks, one row for each kind of mask."""
    scores = rng.standard_normal((len(MASKS), TIME, COUNT)).astype(keras.config.floatx())
    return scores, rng.integers(0, COUNT, (len(MASKS), TIME)), np.array(list(MASKS.values()), bool)


def enumerated(layer: CRF, scores: np.ndarray, mask: np.ndarray) -> dict[tuple[int, ...], float]:
    """The score of every sequence of tags, by the definition."""
    transitions, start, end = (as_array(weight).astype("float64") for weight in layer.weights)
    real = scores[mask].astype("float64")
    if not len(real):
        return {(): 0.0}
    paths = itertools.product(range(COUNT), repeat=len(real))
    return {
        path: start[path[0]]
        + sum(real[position, tag] for position, tag in enumerate(path))
        + sum(transitions[pair] for pair in itertools.pairwise(path))
        + end[path[-1]]
        for path in paths
    }


def log_sum(paths: dict[tuple[int, ...], float]) -> float:
    return float(np.log(np.sum(np.exp(list(paths.values())))))


def test_log_likelihood_is_that_of_the_enumeration(crf, batch):
    scores, tags, mask = batch
    found = crf.log_likelihood(scores, tags, mask)
    assert ops.dtype(found) == keras.config.floatx()
    for row, value in enumerate(as_array(found)):
        paths = enumerated(crf, scores[row], mask[row])
        expected = paths[tuple(tags[row][mask[row]])] - log_sum(paths)
        assert value == pytest.approx(expected, abs=tolerance(1e-5, 1e-12))


def test_best_sequence_is_that_of_the_enumeration(crf, batch):
    scores, _, mask = batch
    for row, tags in enumerate(as_array(crf.decode(scores, mask))):
        paths = enumerated(crf, scores[row], mask[row])
        assert tuple(tags[mask[row]]) == max(paths, key=paths.get)
        assert (tags[~mask[row]] == 0).all()


def test_marginals_are_those_of_the_enumeration(crf, batch):
    scores, _, mask = batch
    for row, found in enumerate(as_array(crf.marginals(scores, mask))):
        paths = enumerated(crf, scores[row], mask[row])
        expected = np.zeros((TIME, COUNT))
        for path, score in paths.items():
            for position, tag in zip(np.flatnonzero(mask[row]), path, strict=True):
                expected[position, tag] += np.exp(score - log_sum(paths))
        np.testing.assert_allclose(found, expected, atol=tolerance(1e-5, 1e-12))


def test_gradients_are_those_of_central_differences(crf, batch):
    scores, tags, mask = batch
    held = keras.Variable(scores, trainable=False)

    def total():
        return ops.sum(
            crf.log_likelihood(ops.convert_to_tensor(held), tags, mask)
            * ops.arange(1, len(scores) + 1, dtype=held.dtype)
        )

    def enumerated_total() -> float:
        values = []
        for row, row_scores in enumerate(as_array(held)):
            paths = enumerated(crf, row_scores, mask[row])
            values.append(paths[tuple(tags[row][mask[row]])] - log_sum(paths))
        return float(np.dot(np.arange(1, len(values) + 1), values))

    variables = [held, *crf.trainable_variables]
    _, gradients = value_and_gradients(total, variables)
    step = tolerance(1e-2, 1e-5)
    for variable, gradient in zip(variables, gradients, strict=True):
        start, found = as_array(variable), as_array(gradient)
        for index in list(np.ndindex(*start.shape))[::3]:
            both = []
            for sign in (1, -1):
                moved = start.copy()
                moved[index] += sign * step
                variable.assign(moved)
                both.append(enumerated_total())
            assert found[index] == pytest.approx((both[0] - both[1]) / (2 * step), abs=tolerance(5e-3, 1e-8))
        variable.assign(start)


def test_ties_give_a_sequence_that_is_best_as_a_whole():
    layer = CRF(use_boundary=False)
    layer.build((None, None, 2))
    layer.transitions.assign([[-9, 0], [0, -9]])  # 0 1 0 1 and 1 0 1 0 are equally good, and nothing else is
    tags = as_array(layer.decode(np.zeros((1, 6, 2), keras.config.floatx())))[0]
    assert (np.abs(np.diff(tags)) == 1).all()


def test_without_transitions_it_is_an_independent_softmax(batch):
    scores, tags, mask = batch
    layer = CRF()
    log_probabilities = np.log(np.exp(scores) / np.exp(scores).sum(-1, keepdims=True))
    each = np.take_along_axis(log_probabilities, tags[:, :, None], axis=-1)[:, :, 0]
    expected = np.where(mask, each, 0).sum(1)
    np.testing.assert_allclose(as_array(layer.log_likelihood(scores, tags, mask)), expected, atol=1e-5)
    assert (as_array(layer.decode(scores, mask))[mask] == scores.argmax(-1)[mask]).all()


def test_padding_changes_nothing(crf, batch):
    scores, tags, _ = batch
    short, padded = scores[:1, :2], np.concatenate([scores[:1, :2], 100 + scores[:1, 2:]], axis=1)
    real = np.array([[True, True, False, False]])
    alone = as_array(crf.log_likelihood(short, tags[:1, :2]))
    np.testing.assert_allclose(as_array(crf.log_likelihood(padded, tags[:1], real)), alone, atol=1e-5)
    assert (as_array(crf.decode(padded, real))[:, :2] == as_array(crf.decode(short))).all()


def test_call_gives_the_best_sequence_one_hot(crf, batch):
    scores, _, mask = batch
    y = as_array(crf(scores, mask=mask))
    assert (y.argmax(-1) == as_array(crf.decode(scores, mask))).all()
    assert (y.sum(-1) == mask).all()


def test_large_scores_and_empty_batches_are_finite(crf):
    large = np.array([[[1e4, -1e4, 0]] * TIME] * 2, keras.config.floatx())
    held = keras.Variable(large, trainable=False)
    tags = np.ones((2, TIME), "int32")
    value, gradients = value_and_gradients(
        lambda: -ops.sum(crf.log_likelihood(ops.convert_to_tensor(held), tags)), [held, *crf.trainable_variables]
    )
    assert np.isfinite(as_array(value))
    assert all(np.isfinite(as_array(gradient)).all() for gradient in gradients)
    empty = np.zeros((0, TIME, COUNT), keras.config.floatx())
    assert as_array(crf.log_likelihood(empty, tags[:0])).shape == (0,)
    crf(empty, tags[:0])
    assert [float(as_array(loss)) for loss in crf.losses] == [0]


def test_what_is_forbidden_by_minus_infinity_never_comes(crf, batch):
    scores, _, _ = batch
    forbidding = CRF()
    forbidding.build(scores.shape)
    for own, given in zip(forbidding.trainable_variables, crf.trainable_variables, strict=True):
        own.assign(given)
    forbidding.transitions.assign(np.where(np.eye(COUNT, k=1) > 0, -np.inf, as_array(crf.transitions)))
    scores = np.where(np.arange(TIME)[:, None] + np.arange(COUNT) == 0, -np.inf, scores)
    held, tags = keras.Variable(scores, trainable=False), np.full((len(scores), TIME), COUNT - 1, "int32")
    value, gradients = value_and_gradients(
        lambda: ops.sum(forbidding.log_likelihood(ops.convert_to_tensor(held), tags)),
        [held, *forbidding.trainable_variables],
    )
    expected = 0.0
    for row in scores:
        paths = enumerated(forbidding, row, np.ones(TIME, "bool"))
        expected += paths[tuple(tags[0])] - log_sum(paths)
    assert float(as_array(value)) == pytest.approx(expected, abs=tolerance(1e-4, 1e-12))
    assert all(np.isfinite(as_array(gradient)).all() for gradient in gradients)


def test_tags_out_of_range_are_refused_where_they_are_not_masked(crf, batch):
    scores, tags, mask = batch
    wrong = np.where(mask, tags, -1)
    assert np.isfinite(as_array(crf.log_likelihood(scores, wrong, mask))).all()
    wrong[0, 0] = COUNT
    with pytest.raises(ValueError, match="labels 0 to 2, got 3"):
        crf.log_likelihood(scores, wrong, mask)


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 3, 1), (2, 0, 3)])
def test_other_ranks_and_no_positions_are_refused(shape):
    with pytest.raises(ValueError, match="CRF"):
        CRF()(np.zeros(shape, keras.config.floatx()))


def test_tags_of_another_length_are_refused(crf, batch):
    with pytest.raises(ValueError, match="tags"):
        crf.log_likelihood(batch[0], batch[1][:, :2])
