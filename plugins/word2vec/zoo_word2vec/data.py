"""What the recipe trains on and measures with: an encoded text, and the questions of the evaluation sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo_core.data import Splits
from zoo_core.errors import ZooError
from zoo_core.texts import find_files, find_text
from zoo_word2vec.blocks import BlockMaker, Blocks
from zoo_word2vec.corpus import ROW, encode
from zoo_word2vec.questions import DATA, Question, read_all
from zoo_word2vec.vocabulary import Vocabulary

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class TextData(Splits):
    """A text as rows of ids, `train`, with its vocabulary; `test` holds questions, one a line."""

    vocabulary: Vocabulary | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """The rows of a text with what makes blocks out of them: what `BlockMaker.make` is given piece by piece."""

    rows: Array
    maker: BlockMaker

    def __len__(self) -> int:
        """How many rows there are."""
        return len(self.rows)

    def blocks(self, index: Array, random: np.random.Generator) -> Blocks:
        """Blocks out of the rows of these numbers."""
        # In the order of the file, which is on disk.
        return self.maker.make(self.rows[np.sort(index)], random)


def load_text(source: str | Path, min_count: int) -> TextData:
    """The text of this name or path, encoded; without questions where the evaluation sets are not at hand.

    Raises DataError, DownloadError, OfflineError, IntegrityError.
    """
    text = find_text(source)
    corpus = encode(text.lines(), min_count)
    return TextData(text.name, text.license, text.sha256, corpus.rows, _questions(), vocabulary=corpus.vocabulary)


def load_questions() -> TextData:
    """The evaluation sets alone; raises DataError and its kind where they are not at hand."""
    sets = find_text(DATA)
    questions = _rendered(read_all(find_files(DATA)))
    return TextData(sets.name, sets.license, sets.sha256, np.zeros((0, ROW), np.int32), questions)


def _questions() -> Array:
    try:
        return _rendered(read_all(find_files(DATA)))
    except ZooError:
        return _rendered([])


def _rendered(questions: Sequence[Question]) -> Array:
    return np.array([question.render() for question in questions], np.str_)
