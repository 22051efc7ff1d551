"""Blocks out of a text: every pair once, none across a line's end, frequent words thinned out, negatives as often."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest

from zoo_word2vec.blocks import BlockMaker, Blocks, largest_update
from zoo_word2vec.corpus import END
from zoo_word2vec.vocabulary import Vocabulary

WORDS = 40


def maker(window: int = 3, **sizes: int) -> BlockMaker:
    """A maker that keeps every word and draws negatives uniformly."""
    return BlockMaker(np.ones(WORDS, np.float32), np.arange(1, WORDS + 1) / WORDS, window=window, **sizes)


@pytest.mark.parametrize("name", ["window", "centers", "negatives", "parallel"])
def test_sizes_below_one_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} should be at least 1"):
        maker(**{name: 0})


def text(rng: np.random.Generator, rows: int, length: int) -> np.ndarray:
    """Rows of ids, no two of which are alike within a row, with ends of lines here and there."""
    found = np.stack([rng.permutation(WORDS)[:length] for _ in range(rows)]).astype(np.int32)
    found[rng.random(found.shape) < 0.15] = END
    return found


def pairs(blocks: Blocks, window: int) -> Counter[tuple[int, int]]:
    """Centre and context of every pair, in loops."""
    found: Counter[tuple[int, int]] = Counter()
    steps, parallel, centers = blocks["left"].shape
    for step in range(steps):
        for block in range(parallel):
            words = blocks["words"][step, block]
            for center in range(centers):
                place = center + window
                left, right = blocks["left"][step, block, center], blocks["right"][step, block, center]
                for other in (*range(place - left, place), *range(place + 1, place + right + 1)):
                    found[int(words[place]), int(words[other])] += 1
    return found


@pytest.mark.parametrize(("centers", "parallel"), [(1, 1), (4, 1), (5, 3), (64, 4)])
def test_every_pair_within_a_line_is_there_once(rng, centers, parallel):
    """With windows that are always 1 wide, which no draw can change."""
    rows = text(rng, 7, 25)
    blocks = maker(window=1, centers=centers, negatives=2, parallel=parallel).make(rows, rng)
    expected: Counter[tuple[int, int]] = Counter()
    for row in rows:
        for one, other in itertools.pairwise(row):
            if END not in (one, other):
                expected[int(one), int(other)] += 1
                expected[int(other), int(one)] += 1
    assert pairs(blocks, 1) == expected


def test_windows_are_as_wide_as_drawn_and_end_with_the_line(rng):
    rows = np.tile(np.arange(WORDS, dtype=np.int32), (500, 1))
    rows[:, 20] = END
    found = pairs(maker(window=3, centers=16, negatives=1, parallel=2).make(rows, rng), 3)
    assert all(abs(center - context) <= 3 for center, context in found)
    assert all((center < 20) == (context < 20) for center, context in found)
    # A neighbour at distance d is a context if the window drawn, 1 to 3, is no smaller.
    for distance, share in ((1, 1), (2, 2 / 3), (3, 1 / 3)):
        assert found[10, 10 + distance] == pytest.approx(500 * share, abs=60)
        assert found[10, 10 - distance] == pytest.approx(500 * share, abs=60)


def test_words_are_dropped_before_windows_are_drawn(rng):
    keep = np.array([0, 1, 0.5, *np.ones(WORDS - 3)], np.float32)
    rows = np.tile(np.array([3, 0, 1, 2], np.int32), (2000, 1))
    made = BlockMaker(keep, np.ones(WORDS), window=1, centers=8, negatives=1, parallel=1).make(rows, rng)
    found = pairs(made, 1)
    assert found[3, 1] == 2000
    assert found[1, 2] == pytest.approx(1000, abs=100)
    assert not any(0 in pair for pair in found)


def test_negatives_come_as_often_as_their_distribution_says(rng):
    vocabulary = Vocabulary(["a", "b", "c"], [16, 1, 1])
    found = BlockMaker.of_vocabulary(vocabulary, subsample=0, negatives=50, update=8)
    drawn = found.make(rng.integers(0, 3, (20, 100), np.int32), rng)["noise"]
    shares = np.bincount(drawn.reshape(-1)) / drawn.size
    np.testing.assert_allclose(shares, [0.8, 0.1, 0.1], atol=0.02)


def test_shapes_are_the_same_whatever_was_dropped(rng):
    made = maker(centers=4, negatives=3, parallel=2)
    some, none = text(rng, 5, 12), np.full((5, 12), END, np.int32)
    for blocks in (made.make(some, rng), made.make(none, rng)):
        assert {name: array.shape for name, array in blocks.items()} == {
            "words": (8, 2, 10),
            "left": (8, 2, 4),
            "right": (8, 2, 4),
            "noise": (8, 2, 3),
        }
        assert {array.dtype for array in blocks.values()} == {np.dtype(np.int32)}
    assert not pairs(made.make(none, rng), 3)


def test_the_same_generator_makes_the_same_blocks(rng):
    rows = text(rng, 5, 12)
    one, other = (maker().make(rows, np.random.Generator(np.random.Philox(3))) for _ in range(2))
    for name in one:
        np.testing.assert_array_equal(one[name], other[name])


def test_an_update_is_smaller_where_one_word_is_frequent():
    common = Vocabulary(["the", *(f"w{index:03}" for index in range(100))], [900, *[1] * 100])
    even = Vocabulary([f"w{index:03}" for index in range(100)], [10] * 100)
    assert largest_update(even, 0, 0.75, each=1) == 400
    assert largest_update(even, 0, 0.75, each=2) == 200
    assert largest_update(common, 0, 0.75, each=1) == 4
    assert largest_update(common, 0, 0.75, each=100) == 1
    # Dropping the frequent word helps as far as negatives are drawn evenly.
    assert largest_update(common, 1e-3, 0.0, each=1) > 12
