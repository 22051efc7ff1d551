"""The words in order, their file, and what follows from their counts."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from zoo_word2vec.vocabulary import Vocabulary

TEXT = ["b", "a", "a", "c", "a", "b", "的", "é"]


def test_words_are_sorted_by_count_then_by_spelling():
    vocabulary = Vocabulary.of_counts(Counter(TEXT))
    assert vocabulary.words == ("a", "b", "c", "é", "的")
    assert vocabulary.counts.tolist() == [3, 2, 1, 1, 1]
    assert vocabulary.ids["é"] == 3
    assert "的" in vocabulary
    assert "d" not in vocabulary


def test_rare_words_are_left_out():
    assert Vocabulary.of_counts(Counter(TEXT), min_count=2).words == ("a", "b")


def test_the_order_does_not_depend_on_where_words_were_seen_first():
    assert Vocabulary.of_counts(Counter(TEXT)) == Vocabulary.of_counts(Counter(reversed(TEXT)))
    assert Vocabulary.of_counts(Counter(TEXT)) != Vocabulary.of_counts(Counter(TEXT[1:]))


def test_a_vocabulary_comes_back_out_of_its_file():
    vocabulary = Vocabulary.of_counts(Counter(TEXT))
    assert vocabulary.render() == "a 3\nb 2\nc 1\né 1\n的 1\n"
    assert Vocabulary.parse(vocabulary.render()) == vocabulary


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected a word, a space and its count"),
        ("a 3\nb\n", "line 2: expected"),
        ("a 3\nb two\n", "line 2: expected"),
        ("a 3\nb -2\n", "line 2: expected"),
        ("a 3\nb 1 1\n", "line 2: expected"),
        ("a 3\nb 99999999999999999999\n", "line 2: expected"),
        ("a 3\nb ²\n", "line 2: expected"),
        ("a 3\nb 4\n", "'b' should stand before 'a'"),
        ("b 3\na 3\n", "'a' should stand before 'b'"),
        ("a 3\na 3\n", "occurs twice"),
        ("a 0\n", "the count of 'a' is 0"),
        ("a\u3000b 3\n", "is not one word"),
        (" 3\n", "is not one word"),
    ],
)
def test_a_file_that_is_no_vocabulary_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary.parse(text)


def test_a_vocabulary_has_as_many_counts_as_words():
    with pytest.raises(ValueError, match="2 words with 1 counts"):
        Vocabulary(["a", "b"], [3])
    with pytest.raises(ValueError, match="without words"):
        Vocabulary([], [])


def test_frequent_words_are_kept_less_often():
    vocabulary = Vocabulary(["the", "whale", "gam"], [900, 90, 10])
    expected = [min(1, math.sqrt(0.05 / share) + 0.05 / share) for share in (0.9, 0.09, 0.01)]
    assert expected[0] < expected[1] == expected[2] == 1
    np.testing.assert_allclose(vocabulary.keep_probabilities(0.05), expected, rtol=1e-6)
    assert vocabulary.keep_probabilities(0).tolist() == [1, 1, 1]


def test_negatives_are_drawn_by_a_power_of_the_counts():
    vocabulary = Vocabulary(["a", "b"], [16, 1])
    np.testing.assert_allclose(vocabulary.noise(), [8 / 9, 1 / 9])
    np.testing.assert_allclose(vocabulary.noise(1), [16 / 17, 1 / 17])
    np.testing.assert_allclose(vocabulary.noise(0), [1 / 2, 1 / 2])
