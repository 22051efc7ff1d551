"""Texts as bags of words: Chinese characters and runs of letters or digits, alone and two by two."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PAD, UNK = 0, 1
FIRST = 2
"""The number of the first word: 0 fills up, 1 stands for what is not in the vocabulary."""
MOST_WORDS = 1_000_000

_UNIT = re.compile(r"[^\W_\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Words in sorted order; the number of a word is its place, counted from `FIRST`.

    Raises ValueError for words that are not sorted, come twice or are empty.
    """

    words: tuple[str, ...]
    _numbers: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not 0 < len(self.words) <= MOST_WORDS:
            raise ValueError(f"a vocabulary of {len(self.words)} words: expected 1 to {MOST_WORDS:,}")
        for earlier, later in zip(("", *self.words), self.words, strict=False):
            if not earlier < later:
                raise ValueError(
                    f"words should be sorted, each there once: {later[:20]!r} comes after {earlier[:20]!r}"
                )
        object.__setattr__(self, "_numbers", {word: FIRST + place for place, word in enumerate(self.words)})

    def __len__(self) -> int:
        """The words and the two numbers that are no words."""
        return FIRST + len(self.words)

    @classmethod
    def from_text(cls, text: str) -> Vocabulary:
        """Out of the content of a vocab.txt; raises ValueError."""
        return cls(tuple(text.removesuffix("\n").split("\n")))

    def text(self) -> str:
        """The content of a vocab.txt: one word a line."""
        return "\n".join(self.words) + "\n"

    def count(self, text: str) -> dict[int, int]:
        """How often each word comes in a text, by its number, in the order of their first coming."""
        counts: dict[int, int] = {}
        for word in words_of(text):
            number = self._numbers.get(word, UNK)
            counts[number] = counts.get(number, 0) + 1
        return counts

    def tokens(self, texts: Sequence[str], length: int) -> Array:
        """Texts as int32 `(texts, length, 2)`: numbers of words and how often each comes, filled up with zeros.

        Of a text with more than `length` different words the first ones are taken. Words that are not in the
        vocabulary count as `UNK`, all together.
        """
        import numpy as np

        tokens = np.zeros((len(texts), length, 2), "int32")
        for row, text in enumerate(texts):
            counts = list(self.count(text).items())[:length]
            if counts:
                tokens[row, : len(counts)] = counts
        return tokens

    def all_tokens(self, texts: Sequence[str]) -> Array:
        """`tokens` of a length at which nothing of any text is left out."""
        return self.tokens(texts, max([len(self.count(text)) for text in texts], default=0))


def words_of(text: str) -> list[str]:
    """The words of a text: its units, then each two units that follow one another, joined.

    A unit is one Chinese, Japanese or Korean character, or a run of other letters and digits; case, width and
    punctuation do not count.
    """
    units = _units(text)
    return [*units, *_pairs(units)]


def build_vocabulary(texts: Iterable[str], least_alone: int = 2, least_pairs: int = 4) -> Vocabulary:
    """The words that come in enough of the texts: units in `least_alone`, pairs of them in `least_pairs`.

    Raises ValueError where no word does.
    """
    alone: Counter[str] = Counter()
    pairs: Counter[str] = Counter()
    for text in texts:
        units = _units(text)
        alone.update(set(units))
        pairs.update(set(_pairs(units)))
    kept = {word for word, count in alone.items() if count >= least_alone}
    kept |= {word for word, count in pairs.items() if count >= least_pairs}
    if not kept:
        raise ValueError("the texts have no word often enough: they are too few, or empty")
    return Vocabulary(tuple(sorted(kept)))


def _units(text: str) -> list[str]:
    return _UNIT.findall(unicodedata.normalize("NFKC", text).lower())


def _pairs(units: Sequence[str]) -> list[str]:
    return [first + second for first, second in itertools.pairwise(units)]
