"""A batch of updates: against a plain loop in NumPy, on every backend."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo_word2vec.algorithms import ALGORITHMS, OBJECTIVES
from zoo_word2vec.blocks import BlockMaker
from zoo_word2vec.objectives import Block, Rows
from zoo_word2vec.sweeps import block_rows, evaluate, pair_weights, sweep

pytestmark = [pytest.mark.backend, pytest.mark.float64]

WORDS, DIMENSION, WINDOW = 30, 4, 2
RATE = 0.1


def made(rng: np.random.Generator, rows: int = 3) -> dict[str, np.ndarray]:
    """Blocks in which words occur twice, and fewer than fill the arrays."""
    maker = BlockMaker(
        np.full(WORDS, 0.6, np.float32), np.arange(1, WORDS + 1) / WORDS, WINDOW, centers=4, negatives=3, parallel=2
    )
    return maker.make(rng.integers(-1, WORDS, (rows, 17), np.int32), rng)


def tables(rng: np.random.Generator, count: int) -> tuple[keras.Variable, ...]:
    return tuple(
        keras.Variable(rng.standard_normal((WORDS, DIMENSION)), dtype=keras.config.floatx()) for _ in range(count)
    )


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def looped(
    objective: str, negatives: float, values: list[np.ndarray], batch: dict[str, np.ndarray]
) -> tuple[float, int]:
    """Skip-gram pair by pair, from the definition; all of an update's gradients are taken before any is applied."""
    inputs, outputs = values[0], values[-1]
    total, terms = 0.0, 0
    for step in range(len(batch["left"])):
        changes: list[tuple[np.ndarray, int, np.ndarray]] = []
        for block in range(batch["left"].shape[1]):
            words, noise = batch["words"][step, block], batch["noise"][step, block]
            for center, (left, right) in enumerate(
                zip(batch["left"][step, block], batch["right"][step, block], strict=True)
            ):
                place = center + WINDOW
                for other in (*range(place - left, place), *range(place + 1, place + right + 1)):
                    x, o, drawn = inputs[words[other]], outputs[words[place]], outputs[noise]
                    loss, by_x, by_o, by_drawn = pair(objective, negatives / len(noise), x, o, drawn)
                    total, terms = total + loss, terms + 1
                    changes += [(inputs, words[other], by_x), (outputs, words[place], by_o)]
                    changes += [(outputs, index, each) for index, each in zip(noise, by_drawn, strict=True)]
        for table, index, gradient in changes:
            table[index] -= RATE * gradient
    return total, terms


def pair(objective: str, ratio: float, x: np.ndarray, o: np.ndarray, drawn: np.ndarray) -> tuple:
    """Loss of one pair and its gradients by x, o and the drawn rows."""
    if objective == "negative-sampling":
        loss = np.log1p(np.exp(-x @ o)) + ratio * np.log1p(np.exp(drawn @ x)).sum()
        positive, negative = sigmoid(x @ o) - 1, ratio * sigmoid(drawn @ x)
    else:
        exponentials = np.array([np.exp(x @ o), *(ratio * np.exp(drawn @ x))])
        shares = exponentials / exponentials.sum()
        loss, positive, negative = -np.log(shares[0]), shares[0] - 1, shares[1:]
    return loss, positive * o + negative @ drawn, positive * x, negative[:, None] * x


def swept(block: Block, variables: tuple[keras.Variable, ...], batch: dict[str, np.ndarray]) -> tuple[float, float]:
    given = {name: keras.ops.convert_to_tensor(array) for name, array in batch.items()}
    rate = keras.ops.convert_to_tensor(RATE, keras.config.floatx())
    loss, terms = sweep(block, variables, given, rate)
    return float(loss), float(terms)


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("count", [2, 1], ids=["two tables", "one table"])
def test_a_sweep_is_one_update_after_the_other(rng, objective, count):
    batch, variables = made(rng), tables(rng, count)
    expected = [keras.ops.convert_to_numpy(variable).astype("float64") for variable in variables]
    loss, terms = looped(objective, 2, expected, batch)
    found_loss, found_terms = swept(Block("skip-gram", objective, 2), variables, batch)
    assert terms > 20
    assert found_terms == terms
    exact = keras.config.floatx() == "float64"
    assert found_loss == pytest.approx(loss, rel=1e-10 if exact else 1e-4)
    for variable, value in zip(variables, expected, strict=True):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(variable), value, rtol=0, atol=1e-10 if exact else 1e-4)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_rows_that_are_not_used_stay_bit_for_bit(rng, algorithm):
    batch, variables = made(rng, rows=1), tables(rng, 2)
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in variables]
    swept(Block(algorithm, "negative-sampling", 2), variables, batch)
    after = [keras.ops.convert_to_numpy(variable) for variable in variables]
    for old, new, used in zip(
        before, after, [batch["words"], np.concatenate([batch["words"], batch["noise"]], axis=-1)], strict=True
    ):
        unused = np.setdiff1d(np.arange(WORDS), used)
        assert len(unused) > 0
        np.testing.assert_array_equal(old[unused], new[unused])
        assert (old != new).any()


def test_the_loss_reported_is_that_before_the_update(rng):
    batch, variables = made(rng), tables(rng, 2)
    first = {name: array[:1] for name, array in batch.items()}
    block = Block("cbow", "negative-sampling", 2)
    loss, terms = evaluate(block, variables, {name: keras.ops.convert_to_tensor(x) for name, x in first.items()})
    assert swept(block, variables, first) == (pytest.approx(float(loss), rel=1e-5), float(terms))


def test_a_batch_without_words_changes_nothing(rng):
    variables = tables(rng, 2)
    before = [keras.ops.convert_to_numpy(variable).copy() for variable in variables]
    empty = {name: 0 * array for name, array in made(rng).items()}
    assert swept(Block("skip-gram", "negative-sampling", 2), variables, empty) == (0, 0)
    for variable, old in zip(variables, before, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), old)


def test_contexts_and_centres_are_lined_up(rng):
    batch = {name: array[0] for name, array in made(rng).items()}
    rows = block_rows(batch)
    assert isinstance(rows, Rows)
    np.testing.assert_array_equal(rows.centers, rows.contexts[:, WINDOW : WINDOW + 4])
    given = {name: keras.ops.convert_to_tensor(array) for name, array in batch.items()}
    weights = keras.ops.convert_to_numpy(pair_weights(given, "float32"))
    np.testing.assert_array_equal(weights.sum(axis=1), batch["left"] + batch["right"])
    assert not any(weights[:, center + WINDOW, center].any() for center in range(4))
