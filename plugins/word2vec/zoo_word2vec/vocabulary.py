"""The words that a model knows, the most frequent first, and what follows from their counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


class Vocabulary:
    """Words with their counts, by falling count and, where counts are equal, by code point; a word's id is its place.

    Raises ValueError for anything else: another order, a word twice, a word with white space, a count below 1.
    """

    def __init__(self, words: Iterable[str], counts: Iterable[int]) -> None:
        """`counts` has one number a word."""
        self.words = tuple(words)
        self.counts: Array = np.fromiter(counts, np.int64)
        _check(self.words, self.counts)

    @classmethod
    def of_counts(cls, counts: Mapping[str, int], min_count: int = 1) -> Vocabulary:
        """The words that occur at least so often."""
        kept = sorted((word for word in counts if counts[word] >= min_count), key=lambda word: (-counts[word], word))
        return cls(kept, (counts[word] for word in kept))

    @classmethod
    def parse(cls, text: str) -> Vocabulary:
        """What `render` wrote; raises ValueError that names the line where it is something else."""
        lines = text.removesuffix("\n").split("\n")
        pairs = [line.split(" ") for line in lines]
        for number, pair in enumerate(pairs, start=1):
            if len(pair) != 2 or not (pair[1].isascii() and pair[1].isdigit() and len(pair[1]) < 19):
                raise ValueError(f"line {number}: expected a word, a space and its count")
        return cls((word for word, _ in pairs), (int(count) for _, count in pairs))

    def render(self) -> str:
        """One line a word, with its count: the content of vocab.txt."""
        return "".join(f"{word} {count}\n" for word, count in zip(self.words, self.counts, strict=True))

    def __len__(self) -> int:
        """How many words there are."""
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        """The words in order."""
        return iter(self.words)

    def __contains__(self, word: object) -> bool:
        """Whether it is one of the words."""
        return word in self.ids

    def __eq__(self, other: object) -> bool:
        """Whether words and counts are the same."""
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self.words == other.words and np.array_equal(self.counts, other.counts)

    __hash__ = None  # type: ignore[assignment]  # it compares by an array

    @cached_property
    def ids(self) -> Mapping[str, int]:
        """Word -> id."""
        return {word: index for index, word in enumerate(self.words)}

    def keep_probabilities(self, sample: float) -> Array:
        """With which probability an occurrence of each word is kept: `min(1, sqrt(t / f) + t / f)`, float32 `(words,)`.

        f is the word's share of the text and t is `sample`; 0 keeps everything. (Mikolov et al., 2013, as their program
        has it; the paper's formula lacks the second term.)
        """
        if sample == 0:
            return np.ones(len(self), np.float32)
        ratio = sample * self.counts.sum() / self.counts
        return np.minimum(1, np.sqrt(ratio) + ratio).astype(np.float32)

    def noise(self, power: float = 0.75) -> Array:
        """The distribution that negatives are drawn from, `counts ** power` made to sum to 1; float64 `(words,)`.

        0 is the uniform distribution.
        """
        weights = self.counts.astype(np.float64) ** power
        noise: Array = weights / weights.sum()
        return noise


def _check(words: Sequence[str], counts: Array) -> None:
    if len(words) != len(counts):
        raise ValueError(f"{len(words)} words with {len(counts)} counts")
    if not words:
        raise ValueError("a vocabulary without words")
    for word in words:
        if word.split() != [word]:
            raise ValueError(f"{word!r} is not one word")
    if len(set(words)) != len(words):
        raise ValueError("a word occurs twice")
    if counts[-1] < 1:
        raise ValueError(f"the count of {words[-1]!r} is {counts[-1]}")
    for index in range(1, len(words)):
        if (-counts[index - 1], words[index - 1]) > (-counts[index], words[index]):
            raise ValueError(f"{words[index]!r} should stand before {words[index - 1]!r}")
