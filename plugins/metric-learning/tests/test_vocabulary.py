"""Texts as bags of words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo_metric_learning.models.vocabulary import FIRST, PAD, UNK, Vocabulary, build_vocabulary, words_of


def test_characters_and_runs_of_letters_are_words_alone_and_two_by_two() -> None:
    assert words_of("高血压 B12!") == ["高", "血", "压", "b12", "高血", "血压", "压b12"]


def test_width_case_and_punctuation_do_not_count() -> None:
    assert words_of("ＣＴ，检查？") == words_of("ct 检查") == ["ct", "检", "查", "ct检", "检查"]


def test_counts_are_those_of_the_words_and_the_unknown_ones_count_together() -> None:
    vocabulary = Vocabulary(("a", "ab", "b"))
    assert vocabulary.count("a a b x y") == {FIRST: 2, FIRST + 1: 1, FIRST + 2: 1, UNK: 5}


def test_tokens_are_filled_up_with_zeros_and_cut_off() -> None:
    vocabulary = Vocabulary(("a", "b"))
    assert vocabulary.tokens(["b a", "", "a"], 2).tolist() == [
        [[FIRST + 1, 1], [FIRST, 1]],
        [[PAD, 0], [PAD, 0]],
        [[FIRST, 1], [PAD, 0]],
    ]
    assert vocabulary.all_tokens(["b a", ""]).shape == (2, 3, 2)
    assert vocabulary.all_tokens([]).shape == (0, 0, 2)


def test_a_vocabulary_holds_words_of_enough_texts_however_often_one_text_has_them() -> None:
    texts = ["甲乙甲乙甲", "甲丙", "丙甲"]
    assert build_vocabulary(texts, 2, 2).words == ("丙", "甲")
    assert build_vocabulary([*texts, "甲乙"], 2, 2).words == ("丙", "乙", "甲", "甲乙")
    with pytest.raises(ValueError, match="no word often enough"):
        build_vocabulary(["甲"], 2, 2)


@pytest.mark.parametrize("words", [(), ("b", "a"), ("a", "a"), ("", "a")])
def test_words_that_are_not_sorted_come_twice_or_are_empty_are_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="words"):
        Vocabulary(words)


@given(st.sets(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1), min_size=1, max_size=20))
def test_a_vocabulary_comes_back_from_its_text(words: set[str]) -> None:
    vocabulary = Vocabulary(tuple(sorted(words)))
    assert Vocabulary.from_text(vocabulary.text()) == vocabulary


@given(st.text())
def test_every_text_has_tokens(text: str) -> None:
    tokens = Vocabulary(("a", "的")).all_tokens([text])
    assert tokens[..., 1].sum() == len(words_of(text))
