"""A text of any size as word ids in a file on disk; memory holds the different words and a buffer, never the text."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from zoo_core.errors import DataError
from zoo_word2vec.vocabulary import Vocabulary

Array = np.ndarray[Any, Any]

END = -1
"""Stands in place of an id where a line ends, and fills the last row."""

ROW = 1024
"""Ids in a row: what is shuffled as one piece."""

MOST_WORDS = 8_000_000
"""Different words that are counted at a time; beyond it the rarest are forgotten, and counted anew if they return."""

_BUFFER = 1 << 18
_ID = np.dtype(np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """An encoded text: `rows` are ids, int32 `(rows, ROW)`, mapped from a file that lasts as long as the array.

    A line's last id is followed by END. `words` counts the words of the text, those without an id included.
    """

    vocabulary: Vocabulary
    rows: Array
    words: int


def encode(lines: Iterable[str], min_count: int = 5, most_words: int = MOST_WORDS) -> Corpus:
    """Read a text once: words are parted by white space, and those that occur less than `min_count` times left out.

    Raises DataError where no word occurs as often, and where the temporary file cannot be written.
    """
    try:
        with tempfile.TemporaryFile() as first:
            counter = _Counter(most_words)
            for buffer in _buffers(lines, counter):
                first.write(buffer.data)
            vocabulary, new_ids = counter.vocabulary(min_count)
            first.seek(0)
            return Corpus(vocabulary, _rows(first, new_ids), int(counter.counts.sum()))
    except OSError as error:
        raise DataError(
            f"the encoded text cannot be written into {tempfile.gettempdir()}: {error.strerror or error}",
            "name a folder with more room: TMPDIR=FOLDER",
        ) from error


class _Counter(dict[str, int]):
    """Word -> an id in the order of first sight, which a word gets when it is looked up; END is counted as nothing."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.counts: Array = np.zeros(1024, np.int64)
        self._most = most
        self._least = 1
        self._next = 0

    def __missing__(self, word: str) -> int:
        self[word] = new = self._next
        self._next += 1
        return new

    def add(self, ids: Array) -> None:
        if self._next > len(self.counts):
            self.counts = np.concatenate([self.counts, np.zeros(self._next, np.int64)])
        counted = np.bincount(ids + 1)[1:]
        self.counts[: len(counted)] += counted
        while len(self) > self._most:
            self._forget()

    def _forget(self) -> None:
        """Forget the words that have been seen no more often than a threshold, which rises each time."""
        rare = [word for word, index in self.items() if self.counts[index] <= self._least]
        for word in rare:
            del self[word]
        self._least += 1

    def vocabulary(self, min_count: int) -> tuple[Vocabulary, Array]:
        """The frequent words, and for every id, plus one, the new one; what has none is below END."""
        counts = {word: int(self.counts[index]) for word, index in self.items() if self.counts[index] >= min_count}
        if not counts:
            raise DataError(
                f"no word of the text occurs {min_count} times" if self._next else "the text has no words",
                "lower it: --set min_count=1" if self._next else "give a text",
            )
        vocabulary = Vocabulary.of_counts(counts)
        new_ids = np.full(self._next + 1, END - 1, _ID)
        new_ids[0] = END
        for new, word in enumerate(vocabulary):
            new_ids[self[word] + 1] = new
        return vocabulary, new_ids


def _buffers(lines: Iterable[str], counter: _Counter) -> Iterator[Array]:
    """The text as ids of first sight, END after each line, a buffer at a time; `counter` counts them."""
    held = array("i")
    for line in lines:
        held.extend(map(counter.__getitem__, line.split()))
        held.append(END)
        if len(held) >= _BUFFER:
            yield _counted(held, counter)
            held = array("i")
    yield _counted(held, counter)


def _counted(held: array[int], counter: _Counter) -> Array:
    ids = np.frombuffer(held, _ID)
    counter.add(ids)
    return ids


def _rows(first: IO[bytes], new_ids: Array) -> Array:
    """The final ids, mapped from a file without a name, which the system deletes when it is no longer used."""
    with tempfile.TemporaryFile() as final:
        size, last = 0, END
        while block := first.read(_BUFFER * _ID.itemsize):
            ids = new_ids[np.frombuffer(block, _ID) + 1]
            ids = ids[ids >= END]
            repeated = (ids == END) & (np.concatenate([[last], ids[:-1]]) == END)
            ids = ids[~repeated]
            last = int(ids[-1]) if len(ids) else last
            size += len(ids)
            final.write(ids.data)
        missing = -size % ROW
        final.write(np.full(missing, END, _ID).data)
        final.flush()
        return np.memmap(final, _ID, "r", shape=((size + missing) // ROW, ROW))
