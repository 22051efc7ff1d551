"""Losses and gradients of a block: against loops, against automatic differentiation, against central differences."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

from zoo_core.gradients import value_and_gradients
from zoo_word2vec.algorithms import ALGORITHMS, OBJECTIVES
from zoo_word2vec.objectives import Block, Rows

pytestmark = [pytest.mark.backend, pytest.mark.float64]

CONTEXTS, CENTERS, NOISE, DIMENSION = 7, 5, 4, 3
NEGATIVES = 2.5

every = pytest.mark.parametrize(
    ("algorithm", "objective"), [(algorithm, objective) for algorithm in ALGORITHMS for objective in OBJECTIVES]
)


def is_double() -> bool:
    return keras.config.floatx() == "float64"


def tolerance() -> dict[str, float]:
    return {"rtol": 1e-9, "atol": 1e-9} if is_double() else {"rtol": 2e-4, "atol": 2e-5}


def drawn(rng: np.random.Generator, scale: float = 1.0) -> tuple[Rows, np.ndarray]:
    """Rows of two blocks, and which contexts go with which centres: with the last centre none."""
    shapes = [(2, size, DIMENSION) for size in (CONTEXTS, CENTERS, NOISE)]
    rows = Rows(*(scale * rng.standard_normal(shape) for shape in shapes))
    weights = (rng.random((2, CONTEXTS, CENTERS)) < 0.5).astype(float)
    weights[:, :, -1] = 0
    return rows, weights


def tensors(rows: Rows) -> Rows:
    return Rows(*(keras.ops.convert_to_tensor(array.astype(keras.config.floatx())) for array in rows))


def tensor(array: np.ndarray) -> object:
    return keras.ops.convert_to_tensor(array.astype(keras.config.floatx()))


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def term(objective: str, x: np.ndarray, o: np.ndarray, noise: np.ndarray) -> float:
    """The objective of one input, its positive and the drawn rows, from the definition."""
    ratio = NEGATIVES / len(noise)
    if objective == "negative-sampling":
        return softplus(-x @ o) + ratio * sum(softplus(x @ n) for n in noise)
    return -math.log(math.exp(x @ o) / (math.exp(x @ o) + ratio * sum(math.exp(x @ n) for n in noise)))


def loss_by_loops(algorithm: str, objective: str, rows: Rows, weights: np.ndarray) -> tuple[float, int]:
    """The loss summed over all terms, and how many there are."""
    found = []
    for contexts, centers, noise, weight in zip(*rows, weights, strict=True):
        for center in range(CENTERS):
            own = [contexts[context] for context in range(CONTEXTS) if weight[context, center]]
            inputs = own if algorithm == "skip-gram" else [np.mean(own, axis=0)] if own else []
            found += [term(objective, x, centers[center], noise) for x in inputs]
    return sum(found), len(found)


@every
def test_the_loss_is_its_definition(rng, algorithm, objective):
    rows, weights = drawn(rng)
    block = Block(algorithm, objective, NEGATIVES)
    expected, terms = loss_by_loops(algorithm, objective, rows, weights)
    assert float(block.loss(tensors(rows), tensor(weights))) == pytest.approx(expected, rel=1e-5)
    assert float(block.gradients(tensors(rows), tensor(weights))[0]) == pytest.approx(expected, rel=1e-5)
    assert float(block.terms(tensor(weights))) == terms


@every
def test_the_gradient_by_hand_is_the_automatic_one(rng, algorithm, objective):
    rows, weights = drawn(rng)
    block = Block(algorithm, objective, NEGATIVES)
    variables = [keras.Variable(array, trainable=False, dtype=keras.config.floatx()) for array in rows]
    loss, automatic = value_and_gradients(
        lambda: block.loss(Rows(*(keras.ops.convert_to_tensor(variable) for variable in variables)), tensor(weights)),
        variables,
    )
    by_hand_loss, by_hand = block.gradients(tensors(rows), tensor(weights))
    np.testing.assert_allclose(float(by_hand_loss), float(loss), **tolerance())
    for one, other in zip(by_hand, automatic, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other), **tolerance())


@every
def test_the_gradient_by_hand_is_the_central_difference(rng, algorithm, objective):
    """Of the definition in loops, in double precision."""
    rows, weights = drawn(rng)
    _, by_hand = Block(algorithm, objective, NEGATIVES).gradients(tensors(rows), tensor(weights))
    step = 1e-5
    for part, gradient in zip(rows, by_hand, strict=True):
        found = keras.ops.convert_to_numpy(gradient)
        for place in rng.permutation(part.size)[:12]:
            index = np.unravel_index(place, part.shape)
            held = part[index]
            values = []
            for moved in (held + step, held - step):
                part[index] = moved
                values.append(loss_by_loops(algorithm, objective, rows, weights)[0])
            part[index] = held
            difference = (values[0] - values[1]) / (2 * step)
            assert found[index] == pytest.approx(difference, abs=1e-6 if is_double() else 1e-3)


@every
def test_at_extreme_scores_all_is_finite(rng, algorithm, objective):
    for scale in (0.0, 30.0):
        rows, weights = drawn(rng, scale)
        loss, by_rows = Block(algorithm, objective, NEGATIVES).gradients(tensors(rows), tensor(weights))
        for found in (loss, *by_rows):
            assert np.isfinite(keras.ops.convert_to_numpy(found)).all()


@every
def test_without_pairs_there_is_nothing_to_learn(rng, algorithm, objective):
    rows, weights = drawn(rng)
    block = Block(algorithm, objective, NEGATIVES)
    loss, by_rows = block.gradients(tensors(rows), tensor(0 * weights))
    for found in (loss, block.terms(tensor(0 * weights)), *by_rows):
        assert not keras.ops.convert_to_numpy(found).any()


def test_the_optimum_of_negative_sampling_is_the_shifted_mutual_information():
    """With words drawn by their counts: x.o = PMI - log k, where the gradient vanishes (Levy and Goldberg, 2014)."""
    counts = np.array([[2, 3, 1], [3, 4, 2], [1, 2, 6]], float)
    by_context, by_center, total = counts.sum(1), counts.sum(0), counts.sum()
    information = np.log(counts * total / np.outer(by_context, by_center))
    # Each centre is drawn as often as it occurs, and the contexts' vectors are the unit vectors.
    scores = information - math.log(NEGATIVES)
    centers = scores.T
    noise = np.repeat(centers, by_center.astype(int), axis=0)
    block = Block("skip-gram", "negative-sampling", NEGATIVES)
    rows = Rows(np.eye(3), centers, noise)
    _, by_rows = block.gradients(tensors(rows), tensor(counts))
    by_scores = total_by_center(by_rows, by_center)
    np.testing.assert_allclose(by_scores, 0, atol=1e-9 if is_double() else 1e-4)
    _, elsewhere = block.gradients(tensors(Rows(np.eye(3), centers + 0.1, noise + 0.1)), tensor(counts))
    assert (total_by_center(elsewhere, by_center) > 0.05).all()


def total_by_center(by_rows: Rows, by_center: np.ndarray) -> np.ndarray:
    """The gradient by each centre's vector, as a centre and as a word drawn."""
    places = np.repeat(np.arange(len(by_center)), by_center.astype(int))
    total = keras.ops.convert_to_numpy(by_rows.centers).copy()
    np.add.at(total, places, keras.ops.convert_to_numpy(by_rows.noise))
    return total


def test_the_optimum_of_the_sampled_softmax_is_the_conditional_distribution():
    """With all words drawn once, and k their number: exp(x.o) / sum exp(x.o) has the centres' shares as its optimum."""
    counts = np.array([[2, 3, 1], [3, 4, 2], [1, 2, 6]], float)
    scores = np.log(counts / counts.sum(1, keepdims=True))
    # For so many negatives the positive itself no longer counts in the denominator.
    block = Block("skip-gram", "sampled-softmax", 3e6)
    _, by_rows = block.gradients(tensors(Rows(np.eye(3), scores.T, scores.T)), tensor(counts))
    total = keras.ops.convert_to_numpy(by_rows.centers) + keras.ops.convert_to_numpy(by_rows.noise)
    np.testing.assert_allclose(total, 0, atol=1e-4)
