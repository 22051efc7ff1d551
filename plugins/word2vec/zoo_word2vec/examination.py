"""How well word vectors answer analogies, and agree with people's ratings of likeness."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo_word2vec.questions import ANALOGIES, RATINGS, Question
from zoo_word2vec.vectors import WordVectors

Array = np.ndarray[Any, Any]

_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Result:
    """The share of analogies that were right, or Spearman's rank correlation; `known` of `asked` questions counted."""

    value: float
    standard_error: float
    known: int
    asked: int


def examine(vectors: WordVectors, questions: Iterable[Question], most_words: int | None = 30_000) -> dict[str, Result]:
    """The results of all sets by name; a set of which fewer than 3 questions can be asked is left out.

    A question counts if all its words are known, as they are written or in lower case; one of an analogy if they are
    among the first `most_words`, out of which the answer comes too. An answer is the nearest word to b - a + c, all
    vectors scaled to length 1, without a, b and c. This is how gensim counts.
    """
    by_name: dict[str, list[Question]] = {}
    for question in questions:
        by_name.setdefault(question.name, []).append(question)
    results = {}
    for name, asked in by_name.items():
        if name in ANALOGIES:
            results[name] = _analogies(vectors, asked, most_words or len(vectors.vocabulary))
        elif name in RATINGS:
            results[name] = _ratings(vectors, asked)
    return {name: result for name, result in results.items() if result.known >= 3}


def _ids(vectors: WordVectors, questions: Sequence[Question], most: int) -> tuple[Array, list[Question]]:
    """The ids of the words of those questions whose words are all known, `(known, words a question)`."""
    ids = vectors.vocabulary.ids
    known: list[Question] = []
    rows: list[list[int]] = []
    for question in questions:
        row = [ids.get(word, ids.get(word.lower(), most)) for word in question.words]
        if max(row) < most:
            rows.append(row)
            known.append(question)
    return np.array(rows, np.int64).reshape(len(rows), len(questions[0].words)), known


def _analogies(vectors: WordVectors, questions: Sequence[Question], most: int) -> Result:
    ids, known = _ids(vectors, questions, most)
    candidates = vectors.units[:most]
    right = sum(_right(candidates, ids[start : start + _AT_ONCE]) for start in range(0, len(ids), _AT_ONCE))
    share = right / max(1, len(known))
    return Result(share, math.sqrt(share * (1 - share) / max(1, len(known))), len(known), len(questions))


def _right(units: Array, ids: Array) -> int:
    a, b, c, d = (ids[:, column] for column in range(4))
    scores = (units[b] - units[a] + units[c]) @ units.T
    scores[np.arange(len(ids))[:, None], ids[:, :3]] = -np.inf
    return int((scores.argmax(axis=1) == d).sum())


def _ratings(vectors: WordVectors, questions: Sequence[Question]) -> Result:
    ids, known = _ids(vectors, questions, len(vectors.vocabulary))
    if len(known) < 3:
        return Result(0.0, 0.0, len(known), len(questions))
    cosines = np.einsum("ij,ij->i", vectors.units[ids[:, 0]], vectors.units[ids[:, 1]])
    correlation = spearman(cosines, np.array([question.rating for question in known]))
    # Of Fisher's transform of the correlation, carried over.
    error = (1 - correlation**2) * 1.03 / math.sqrt(max(1, len(known) - 3))
    return Result(correlation, error, len(known), len(questions))


def spearman(one: Array, other: Array) -> float:
    """The correlation of ranks, those of equal values being averaged; 0 where all values are equal."""
    first, second = _ranks(one), _ranks(other)
    first, second = first - first.mean(), second - second.mean()
    scale = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / scale if scale else 0.0


def _ranks(values: Array) -> Array:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Array = (last - (counts - 1) / 2)[place]
    return ranks


def metrics(results: Mapping[str, Result]) -> dict[str, float]:
    """The results as a recipe's metrics: value and standard error, and the share of questions that could be asked."""
    found: dict[str, float] = {}
    for name, result in results.items():
        found[name] = result.value
        found[f"{name}_standard_error"] = result.standard_error
        found[f"{name}_asked"] = result.known / result.asked
    return found
