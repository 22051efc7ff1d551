"""Rows of word ids cut into blocks of neighbouring words, which share one draw of negatives: what a step trains on.

Word by word a word2vec step reads and writes (1 + k) rows for each pair of a word and its neighbour, some 36 for each
word of the text. Sixty-four neighbouring words are one another's contexts, though: as a block they take 64 rows as
centres, 74 as contexts and a few negatives for all of them, some 2.5 for each word, and the pairs become matrix
products. Every pair is there exactly once, as without blocks; only the negatives are shared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from zoo_word2vec.corpus import END
from zoo_word2vec.vocabulary import Vocabulary

Array = np.ndarray[Any, Any]

CENTERS = 64
"""Words of a block: with fewer, fewer rows are shared; with more, more of the matrix products is thrown away."""

MOST_CHANGE = 4.0
"""Of a row in an update, in units of a pair's gradient. With twice as much the smallest vocabularies diverge."""

Blocks = dict[str, Array]
"""What a step trains on, int32: `steps` updates one after the other, each of `parallel` blocks at once.

- `words` `(steps, parallel, centers + 2 * window)`: a stretch of text; its middle are the block's centres
- `left`, `right` `(steps, parallel, centers)`: how many words on either side are a centre's contexts
- `noise` `(steps, parallel, negatives)`: the words drawn for the block

Steps at the end without contexts are left out by the model: they fill the arrays, whose shape is always the same.
"""


@dataclass(frozen=True, slots=True, eq=False)
class BlockMaker:
    """Makes blocks out of rows of ids: drops frequent words at random, shrinks windows at random, draws negatives.

    `keep` are the vocabulary's keep probabilities, `noise` is the cumulative sum of its noise distribution, both
    `(words,)`. A context is at most `window` words away; the window of each centre is drawn anew from 1 to `window`.
    `centers` words make a block, for which `negatives` words are drawn; `parallel` blocks make an update.
    """

    keep: Array
    noise: Array
    window: int = 5
    centers: int = CENTERS
    negatives: int = 64
    parallel: int = 4

    def __post_init__(self) -> None:
        """Raise ValueError for a size below 1."""
        for name in ("window", "centers", "negatives", "parallel"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} should be at least 1, not {getattr(self, name)}")

    @classmethod
    def of_vocabulary(
        cls,
        vocabulary: Vocabulary,
        *,
        subsample: float = 1e-4,
        power: float = 0.75,
        window: int = 5,
        negatives: int = 64,
        update: int = 256,
    ) -> BlockMaker:
        """For the words of a vocabulary: `update` words in one update, negatives drawn by `counts ** power`."""
        centers = min(update, CENTERS)
        return cls(
            keep=vocabulary.keep_probabilities(subsample),
            noise=np.cumsum(vocabulary.noise(power)),
            window=window,
            centers=centers,
            negatives=negatives,
            parallel=max(1, update // centers),
        )

    def steps(self, ids: int) -> int:
        """How many updates arrays have room for that are made of so many ids."""
        return -(-ids // (self.centers * self.parallel))

    def make(self, rows: Array, random: np.random.Generator) -> Blocks:
        """Blocks out of rows of ids, `(rows, length)`: each is a text of its own, whose lines end in END."""
        text = np.concatenate([rows, np.full((len(rows), 1), END, rows.dtype)], axis=1).reshape(-1)
        words, left, right = self._windows(self._subsampled(text, random), random)
        used = max(1, self.steps(len(words)))
        stretches = self._stretches(words, used)
        drawn = random.random((used, self.parallel, self.negatives)) * self.noise[-1]
        arrays = {
            "words": stretches,
            "left": self._arranged(left, used),
            "right": self._arranged(right, used),
            "noise": np.searchsorted(self.noise, drawn, side="right"),
        }
        return {name: _filled(array, self.steps(rows.size)) for name, array in arrays.items()}

    def _subsampled(self, text: Array, random: np.random.Generator) -> Array:
        kept = random.random(len(text), np.float32) < self.keep[text]
        return text[kept | (text == END)]

    def _windows(self, text: Array, random: np.random.Generator) -> tuple[Array, Array, Array]:
        """The words without the ENDs, and how many contexts each has to its left and right."""
        place = np.arange(len(text))
        ends = text == END
        before = np.maximum.accumulate(np.where(ends, place, -1))
        after = np.minimum.accumulate(np.where(ends, place, len(text))[::-1])[::-1]
        words = np.flatnonzero(~ends)
        reach = random.integers(1, self.window, len(words), endpoint=True)
        left = np.minimum(place[words] - before[words] - 1, reach)
        right = np.minimum(after[words] - place[words] - 1, reach)
        return text[words], left, right

    def _arranged(self, values: Array, used: int) -> Array:
        """Values of the words, in order, as `(used, parallel, centers)`: blocks of one update come from far apart."""
        padded = np.zeros(used * self.parallel * self.centers, np.int32)
        padded[: len(values)] = values
        return padded.reshape(self.parallel, used, self.centers).swapaxes(0, 1)

    def _stretches(self, words: Array, used: int) -> Array:
        """Blocks with `window` words more on either side, `(used, parallel, centers + 2 * window)`."""
        padded = np.zeros(used * self.parallel * self.centers + 2 * self.window, np.int32)
        padded[self.window : self.window + len(words)] = words
        stretches = np.lib.stride_tricks.sliding_window_view(padded, self.centers + 2 * self.window)[:: self.centers]
        return stretches.reshape(self.parallel, used, -1).swapaxes(0, 1)


def _filled(array: Array, steps: int) -> Array:
    filled = np.zeros((steps, *array.shape[1:]), np.int32)
    filled[: len(array)] = array
    return filled


def largest_update(vocabulary: Vocabulary, subsample: float, power: float, each: float) -> int:
    """How many words an update may have: no more than bring any one row `MOST_CHANGE` times its gradient.

    All pairs of an update add to their rows at once. Where a few words make up most of a text, one row would get so
    many additions that it overshoots, and the vectors grow without end. `each` is the learning rate times the pairs and
    negatives that a word brings with it.
    """
    kept = vocabulary.counts * vocabulary.keep_probabilities(subsample)
    share = max(float(kept.max() / kept.sum()), float(vocabulary.noise(power).max()))
    return max(1, int(MOST_CHANGE / (share * each)))
