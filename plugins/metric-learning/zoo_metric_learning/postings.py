"""Sparse scores by an inverted file, and the two classical ones that a trained ranker has to beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo_metric_learning.models.vocabulary import UNK

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """A sparse matrix `(documents, words)` by its columns, to be multiplied with short questions.

    `starts` is `(words + 1,)`: the entries of word w are `rows[starts[w]:starts[w + 1]]` and the `values` beside them.
    """

    documents: int
    starts: Array
    rows: Array
    values: Array

    @classmethod
    def from_tokens(cls, tokens: Array, values: Array, words: int) -> Postings:
        """Out of tokens `(documents, length, 2)` and a value for each, `(documents, length)`."""
        rows, places = np.nonzero(tokens[..., 1])
        numbers = tokens[rows, places, 0]
        order = np.argsort(numbers, kind="stable")
        starts = np.searchsorted(numbers[order], np.arange(words + 1)).astype("int64")
        return cls(len(tokens), starts, rows[order].astype("int32"), values[rows, places][order].astype("float32"))

    def check(self, words: int) -> None:
        """Raise ValueError unless the arrays fit one another, so many words and the documents."""
        sizes = {self.rows.shape, self.values.shape, (int(self.starts[-1]),)}
        fits = self.starts.shape == (words + 1,) and len(sizes) == 1 and not (np.diff(self.starts) < 0).any()
        if not fits or (self.rows < 0).any() or (self.rows >= self.documents).any() or self.starts[0] != 0:
            raise ValueError("the postings do not fit together")

    def scores(self, tokens: Array, weights: Array) -> Array:
        """The weighted sum of the values of each question's words, `(questions, documents)`.

        `tokens` is `(questions, length, 2)` and `weights` `(questions, length)`.
        """
        scores = np.zeros((len(tokens), self.documents), "float32")
        for question, place in zip(*np.nonzero(tokens[..., 1]), strict=True):
            word = tokens[question, place, 0]
            entries = slice(self.starts[word], self.starts[word + 1])
            # A word has one entry in a document, so no row comes twice.
            scores[question, self.rows[entries]] += weights[question, place] * self.values[entries]
        return scores


def document_frequency(tokens: Array, words: int) -> Array:
    """In how many of the documents each word is, `(words,)`."""
    return np.bincount(tokens[..., 0][tokens[..., 1] > 0], minlength=words)


def inverse_document_frequency(tokens: Array, words: int) -> Array:
    """`log(1 + (N - n + 1/2) / (n + 1/2))` for each word, n of N documents having it: Lucene's, never negative."""
    frequency = document_frequency(tokens, words)
    return np.log1p((len(tokens) - frequency + 0.5) / (frequency + 0.5)).astype("float32")


def saturated(tokens: Array, average_length: float, k1: float, b: float) -> Array:
    """BM25's count of each word, `c (k1 + 1) / (c + k1 (1 - b + b length / average))`, `(documents, length)`."""
    counts = tokens[..., 1].astype("float32")
    relative = counts.sum(axis=1, keepdims=True) / average_length
    return counts * (k1 + 1) / (counts + k1 * (1 - b + b * relative) + (counts == 0))


def bm25(questions: Array, documents: Array, background: Array, words: int, k1: float = 1.6, b: float = 1.0) -> Array:
    """BM25 of every question with every document, `(questions, documents)`, from tokens `(texts, length, 2)`.

    `background` are the documents that frequencies and the average length are taken from. A question's word counts
    once. The defaults are the best on the validation split of qa-medical-zh (benchmarks/faq_ranker.py).

    References:
        Robertson, Zaragoza, 2009. The probabilistic relevance framework: BM25 and beyond.
    """
    rarity = inverse_document_frequency(background, words)
    average = float(background[..., 1].sum(axis=1).mean())
    values = rarity[documents[..., 0]] * saturated(documents, average, k1, b)
    return Postings.from_tokens(documents, values, words).scores(questions, np.ones(questions.shape[:2], "float32"))


def tf_idf(questions: Array, documents: Array, background: Array, words: int) -> Array:
    """Cosine of `(1 + log count) * idf` between every question and every document, `(questions, documents)`."""
    frequency = document_frequency(background, words)
    rarity = (np.log((1 + len(background)) / (1 + frequency)) + 1).astype("float32")
    rarity[UNK] = 0

    def weights(tokens: Array) -> Array:
        counts = tokens[..., 1]
        weights = np.where(counts > 0, 1 + np.log(np.maximum(counts, 1)), 0) * rarity[tokens[..., 0]]
        return np.asarray(weights / np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-9))

    return Postings.from_tokens(documents, weights(documents), words).scores(questions, weights(questions))


def ranks(scores: Array, right: Array) -> Array:
    """The place of each question's right document among scores `(questions, documents)`, from 1; ties count half."""
    own = scores[np.arange(len(right)), right][:, None]
    return 1 + (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) - 1) / 2


def retrieval_metrics(places: Array, suffix: str = "") -> dict[str, float]:
    """MRR and the share of questions whose right document is among the first 1, 5, 10, with standard errors."""
    each = {"mrr": 1 / places, **{f"top_{count}": (places <= count).astype("float64") for count in (1, 5, 10)}}
    metrics: dict[str, float] = {}
    for name, values in each.items():
        metrics[name + suffix] = float(values.mean())
        metrics[f"{name}{suffix}_standard_error"] = float(values.std() / np.sqrt(len(values)))
    return metrics
