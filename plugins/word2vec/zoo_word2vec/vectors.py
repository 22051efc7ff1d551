"""Words as vectors, with NumPy alone: which are near one another, which stand to one as another pair does."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from zoo_core.errors import NameNotFoundError
from zoo_core.text import clean
from zoo_word2vec.vocabulary import Vocabulary

Array = np.ndarray[Any, Any]

Neighbours = list[tuple[str, float]]
"""Words with their cosine similarities, the nearest first."""

_SEARCHED = 50_000


class WordVectors:
    """The vectors of a vocabulary's words, `array`, `(words, dimension)`; all similarities are cosines."""

    def __init__(self, vocabulary: Vocabulary, array: Array) -> None:
        """One row a word."""
        self.vocabulary = vocabulary
        self.array = array

    @cached_property
    def units(self) -> Array:
        """The vectors, scaled to length 1; one of length 0 stays."""
        lengths = np.linalg.norm(self.array, axis=1, keepdims=True)
        units: Array = self.array / np.where(lengths > 0, lengths, 1)
        return units

    def find(self, word: str) -> int:
        """The id of a word, else of its lower-case form; raises NameNotFoundError that suggests the nearest spelled."""
        ids = self.vocabulary.ids
        for form in (word, word.lower()):
            if form in ids:
                return ids[form]
        raise NameNotFoundError(f"'{clean(word)[:100]}' is none of the {len(ids):,} words", self._suggestion(word))

    def spelled(self, word: str) -> str:
        """A word as the vocabulary has it; raises NameNotFoundError."""
        return self.vocabulary.words[self.find(word)]

    def __getitem__(self, word: str) -> Array:
        """The vector of a word, `(dimension,)`; raises NameNotFoundError."""
        vector: Array = self.array[self.find(word)]
        return vector

    def similarity(self, one: str, other: str) -> float:
        """The cosine of two words' vectors; raises NameNotFoundError."""
        return float(self.units[self.find(one)] @ self.units[self.find(other)])

    def neighbours(self, word: str, count: int = 10) -> Neighbours:
        """The nearest words, without the word itself; raises NameNotFoundError."""
        index = self.find(word)
        return self._nearest(self.units[index], (index,), count)

    def analogy(self, a: str, b: str, c: str, count: int = 10) -> Neighbours:
        """What is to c as b is to a: the words nearest to b - a + c, without these three; raises NameNotFoundError."""
        ids = [self.find(word) for word in (a, b, c)]
        first, second, third = (self.units[index] for index in ids)
        target = second - first + third
        return self._nearest(target / max(float(np.linalg.norm(target)), 1e-12), ids, count)

    def _nearest(self, target: Array, excluded: Iterable[int], count: int) -> Neighbours:
        similarities = self.units @ target
        similarities[list(excluded)] = -np.inf
        best = np.argsort(-similarities, kind="stable")[:count]
        words = self.vocabulary.words
        return [(words[index], float(similarities[index])) for index in best if np.isfinite(similarities[index])]

    def _suggestion(self, word: str) -> str:
        from difflib import get_close_matches

        near = get_close_matches(word.lower(), self.vocabulary.words[:_SEARCHED], n=3)
        return f"did you mean {' or '.join(near)}?" if near else ""
