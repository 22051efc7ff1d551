"""What is asked, what counts as known, and what comes out, against SciPy's definitions written as loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zoo_word2vec import examination, questions
from zoo_word2vec.examination import examine, metrics, spearman
from zoo_word2vec.questions import Question
from zoo_word2vec.vectors import WordVectors
from zoo_word2vec.vocabulary import Vocabulary


def loop_ranks(values: list[float]) -> list[float]:
    """The mean of the places that equal values share."""
    return [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]


def test_spearman_is_the_correlation_of_ranks(rng):
    one, other = rng.integers(0, 9, 40).astype(float), rng.integers(0, 9, 40).astype(float)
    expected = np.corrcoef(loop_ranks(one.tolist()), loop_ranks(other.tolist()))[0, 1]
    assert spearman(one, other) == pytest.approx(expected)
    assert spearman(one, one) == pytest.approx(1)
    assert spearman(one, -one) == pytest.approx(-1)
    assert spearman(np.ones(5), np.arange(5.0)) == 0


def right_answers(vectors: WordVectors, asked: list[tuple[str, ...]], most: int) -> tuple[int, int]:
    """How many analogies can be asked and are answered rightly, in loops."""
    known = right = 0
    for words in asked:
        ids = [vectors.vocabulary.ids.get(word, most) for word in words]
        if max(ids) >= most:
            continue
        known += 1
        a, b, c, d = ids
        target = vectors.units[b] - vectors.units[a] + vectors.units[c]
        candidates = [index for index in range(most) if index not in (a, b, c)]
        right += max(candidates, key=lambda index: float(vectors.units[index] @ target)) == d
    return known, right


@pytest.mark.parametrize("most", [30, 20])
def test_analogies_are_counted_as_in_a_loop(rng, most, monkeypatch):
    monkeypatch.setattr(examination, "_AT_ONCE", 7)
    words = [f"w{index:02}" for index in range(30)]
    vectors = WordVectors(Vocabulary(words, [1] * 30), rng.standard_normal((30, 2)))
    asked = [tuple(str(word) for word in rng.choice([*words, "unknown"], 4, replace=False)) for _ in range(300)]
    known, right = right_answers(vectors, asked, most)
    assert 0 < right < known < 300
    found = examine(vectors, [Question("analogies", each) for each in asked], most)["analogies"]
    assert (found.known, found.asked) == (known, 300)
    assert found.value == pytest.approx(right / known)
    assert found.standard_error == pytest.approx(math.sqrt(right / known * (1 - right / known) / known))


def test_ratings_are_compared_for_known_words(rng):
    words = [f"w{index:02}" for index in range(30)]
    vectors = WordVectors(Vocabulary(words, [1] * 30), rng.standard_normal((30, 4)))
    pairs = [tuple(str(word) for word in rng.choice(words, 2)) for _ in range(50)]
    ratings = [float(rating) for rating in rng.integers(0, 10, 50)]
    asked = [Question("men", pair, rating) for pair, rating in zip(pairs, ratings, strict=True)]
    found = examine(vectors, [*asked, Question("men", ("w00", "unknown"), 5.0)])["men"]
    cosines = [vectors.similarity(*pair) for pair in pairs]
    assert found.value == pytest.approx(np.corrcoef(loop_ranks(cosines), loop_ranks(ratings))[0, 1])
    assert (found.known, found.asked) == (50, 51)


def test_sets_that_cannot_be_asked_are_left_out(rng):
    vectors = WordVectors(Vocabulary(["a", "b", "c", "d"], [1] * 4), rng.standard_normal((4, 3)))
    asked = [
        Question("men", ("a", "b"), 1),
        Question("men", ("A", "C"), 2),
        Question("men", ("b", "c"), 3),
        Question("zh_wordsim240", ("的", "一"), 1),
        Question("zh_analogies", ("的", "一", "二", "三")),
        Question("analogies", ("a", "b", "c", "d")),
    ]
    results = examine(vectors, asked)
    assert set(results) == {"men"}
    assert results["men"].known == 3
    assert set(metrics(results)) == {"men", "men_standard_error", "men_asked"}


def test_a_question_comes_back_out_of_its_line():
    for question in (Question("men", ("sun", "sunlight"), 50.0), Question("analogies", ("a", "b", "c", "d"))):
        assert Question.parse(question.render()) == question


def test_the_files_are_read_as_they_are_written(tmp_path):
    files = {}
    for names, content in (
        (questions.ANALOGIES, ": family\r\nboy girl brother sister\r\n\r\n"),
        (questions.RATINGS, "\ufefftiger\tcat\t7.35\r\nlove sex 6.77\n"),
    ):
        for file in names.values():
            files[file] = tmp_path / file
            files[file].write_text(content, encoding="utf-8", newline="")
    found = questions.read_all(files)
    assert len(found) == 4 + 2 * 5
    assert found[0] == Question("analogies", ("boy", "girl", "brother", "sister"))
    assert found[-2:] == [
        Question("zh_wordsim297", ("tiger", "cat"), 7.35),
        Question("zh_wordsim297", ("love", "sex"), 6.77),
    ]
