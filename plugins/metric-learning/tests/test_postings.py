"""BM25 and TF-IDF beside their definitions, written out as loops."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from zoo_metric_learning.models.vocabulary import build_vocabulary, words_of
from zoo_metric_learning.postings import Postings, bm25, ranks, retrieval_metrics, tf_idf

QUESTIONS = ["高血压吃什么", "血糖高 怎么办 血糖", "没有的字"]
DOCUMENTS = ["高血压的人少吃盐，多吃水果，血压高要吃药", "血糖高的人少吃糖", "多喝水", "怎么办都不好办"]
BACKGROUND = DOCUMENTS[1:]


def tokens():
    vocabulary = build_vocabulary(DOCUMENTS, 1, 1)
    known = set(vocabulary.words)

    def counted(texts):
        return [Counter(word for word in words_of(text) if word in known) for text in texts]

    arrays = tuple(vocabulary.all_tokens(texts) for texts in (QUESTIONS, DOCUMENTS, BACKGROUND))
    return arrays, len(vocabulary), tuple(map(counted, (QUESTIONS, DOCUMENTS, BACKGROUND)))


@pytest.mark.parametrize(("k1", "b"), [(1.6, 1.0), (0.9, 0.4), (2.0, 0.0)])
def test_bm25_is_its_definition(k1, b):
    (asked, documents, background), words, (questions, texts, others) = tokens()
    average = sum(sum(text.values()) for text in others) / len(others)

    def score(question, text):
        total = 0.0
        for word in question:
            having = sum(word in other for other in others)
            rarity = math.log(1 + (len(others) - having + 0.5) / (having + 0.5))
            length = 1 - b + b * sum(text.values()) / average
            total += rarity * text[word] * (k1 + 1) / (text[word] + k1 * length)
        return total

    expected = [[score(question, text) for text in texts] for question in questions]
    np.testing.assert_allclose(bm25(asked, documents, background, words, k1, b), expected, rtol=1e-5, atol=1e-6)


def test_tf_idf_is_the_cosine_of_weighted_counts():
    (asked, documents, background), words, (questions, texts, others) = tokens()

    def weights(text):
        rarity = {word: math.log((1 + len(others)) / (1 + sum(word in other for other in others))) + 1 for word in text}
        return {word: (1 + math.log(count)) * rarity[word] for word, count in text.items()}

    def cosine(first, second):
        norms = math.hypot(*first.values()) * math.hypot(*second.values())
        return sum(value * second.get(word, 0) for word, value in first.items()) / norms if norms else 0.0

    found = tf_idf(asked, documents, background, words)
    expected = [[cosine(weights(question), weights(text)) for text in texts] for question in questions[:2]]
    np.testing.assert_allclose(found[:2], expected, rtol=1e-5, atol=1e-6)


def test_ranks_count_from_one_and_ties_half():
    scores = np.array([[3.0, 1, 2], [3, 1, 2], [1, 1, 1]])
    np.testing.assert_array_equal(ranks(scores, np.array([0, 1, 2])), [1, 3, 2])


def test_metrics_are_means_with_their_standard_errors():
    metrics = retrieval_metrics(np.array([1.0, 4, 10, 20]), "_x")
    assert metrics["mrr_x"] == pytest.approx((1 + 1 / 4 + 1 / 10 + 1 / 20) / 4)
    assert [metrics[f"top_{count}_x"] for count in (1, 5, 10)] == [0.25, 0.5, 0.75]
    assert metrics["top_5_x_standard_error"] == pytest.approx(0.5 / 2)


@pytest.mark.parametrize("damage", ["starts", "rows", "values"])
def test_postings_that_do_not_fit_together_are_refused(damage):
    (_, documents, _), words, _ = tokens()
    whole = Postings.from_tokens(documents, documents[..., 1].astype("float32"), words)
    whole.check(words)
    arrays = {name: getattr(whole, name) for name in ("starts", "rows", "values")}
    arrays[damage] = arrays[damage][:-1]
    with pytest.raises(ValueError, match="fit"):
        Postings(whole.documents, **arrays).check(words)
    with pytest.raises(ValueError, match="fit"):
        Postings(1, whole.starts, whole.rows, whole.values).check(words)
