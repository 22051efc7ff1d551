"""Neighbours, analogies and similarities, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zoo_core.errors import NameNotFoundError
from zoo_word2vec.vectors import WordVectors
from zoo_word2vec.vocabulary import Vocabulary

WORDS = ("man", "woman", "king", "queen", "whale", "nothing")
ARRAY = np.array([[1, 0, 1], [1, 1, 1], [2, 0, -2], [1, 1, -1], [-3, 0, 0], [0, 0, 0]], np.float32)


@pytest.fixture
def vectors() -> WordVectors:
    return WordVectors(Vocabulary(WORDS, [6, 5, 4, 3, 2, 1]), ARRAY)


def test_similarity_is_the_cosine(vectors):
    assert vectors.similarity("man", "woman") == pytest.approx(2 / math.sqrt(6))
    assert vectors.similarity("man", "man") == pytest.approx(1)
    assert vectors.similarity("man", "nothing") == 0


def test_neighbours_are_sorted_and_leave_out_the_word_itself(vectors):
    assert [word for word, _ in vectors.neighbours("man")] == ["woman", "king", "queen", "nothing", "whale"]
    assert vectors.neighbours("man", 1) == [("woman", pytest.approx(2 / math.sqrt(6)))]


def test_an_analogy_is_answered_by_none_of_its_words(vectors):
    answers = vectors.analogy("man", "woman", "king")
    assert answers[0][0] == "queen"
    assert not {"man", "woman", "king"} & {word for word, _ in answers}


def test_words_are_found_in_lower_case_too(vectors):
    assert vectors.spelled("King") == "king"
    np.testing.assert_array_equal(vectors["KING"], ARRAY[2])


def test_an_unknown_word_gets_the_nearest_spelled(vectors):
    with pytest.raises(NameNotFoundError, match=r"'quen' is none of the 6 words \(did you mean queen"):
        vectors.neighbours("quen")
    with pytest.raises(NameNotFoundError, match=r"^'zzzzz' is none of the 6 words$"):
        vectors.similarity("man", "zzzzz")
    with pytest.raises(NameNotFoundError, match="^'a b' is none"):
        vectors.similarity("man", "a\x1b[31m\nb")
