"""Answering questions out of an index of questions with their answers: what `zoo metric-learning ask` does."""

from __future__ import annotations

import contextlib
import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.errors import DataError
from zoo_metric_learning.faq_files import Entry, read_faq

if TYPE_CHECKING:
    from zoo_metric_learning.models.faq_ranker import AnswerIndex, FaqRanker

DATA = "qa-medical-zh"
"""The data set that is asked where no file is named."""
MOST_KEPT = 8
"""Indexes that are kept to be used again."""

_SCORES = 10_000_000
"""Scores computed at a time: some 20 bytes each."""

_VERSION = "1"
_UNREADABLE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class Hit:
    """An entry that may answer, and its score: comparable among the answers to one question."""

    score: float
    entry: Entry


@dataclass(frozen=True, slots=True)
class Faq:
    """Entries, encoded by a model."""

    entries: tuple[Entry, ...]
    index: AnswerIndex


def load_entries(source: Path | None) -> list[Entry]:
    """The entries of somebody's own file, or of the data set; raises DataError."""
    if source is not None:
        return read_faq(source)
    from zoo_core.data import load_data

    try:
        data = load_data(DATA)
    except DataError as error:
        raise DataError(
            f"{DATA}, which is asked where no file is named, is not on this machine",
            "name a .tsv, .csv or .jsonl file of questions and answers: --index ./faq.tsv",
        ) from error
    parts = [part for part in (data.train, data.validation, data.test) if part is not None]
    return [Entry(str(row[0]), str(row[-1])) for part in parts for row in part]


def open_faq(model: FaqRanker, weights: str, entries: Sequence[Entry], folder: Path) -> Faq:
    """The entries' index: the one kept in `folder`, or a new one, which is kept. `weights` is the model's sha256."""
    path = folder / f"{_key(weights, entries)}.npz"
    index = _read(path, model, len(entries))
    if index is None:
        # A question is found by its own words, too.
        index = model.index([f"{entry.question}\n{entry.answer}" for entry in entries])
        with contextlib.suppress(OSError):
            _write(path, index)
    return Faq(tuple(entries), index)


def answer(model: FaqRanker, faq: Faq, questions: Sequence[str], top: int) -> list[list[Hit]]:
    """The best `top` entries for each question, best first; none where no word of a question is known."""
    import numpy as np

    at_once = max(1, _SCORES // len(faq.entries))
    found = []
    for start in range(0, len(questions), at_once):
        asked = questions[start : start + at_once]
        for question, row in zip(asked, model.scores(asked, faq.index), strict=True):
            best = np.argsort(-row, kind="stable")[:top] if knows(model, question) else ()
            found.append([Hit(float(row[place]), faq.entries[place]) for place in best])
    return found


def knows(model: FaqRanker, question: str) -> bool:
    """Whether a question has a word of the model's vocabulary."""
    from zoo_metric_learning.models.vocabulary import UNK

    assert model.vocabulary is not None
    return bool(model.vocabulary.count(question).keys() - {UNK})


def _key(weights: str, entries: Sequence[Entry]) -> str:
    texts = json.dumps([[entry.question, entry.answer] for entry in entries], ensure_ascii=False)
    content = f"{_VERSION}\n{weights}\n{texts}"
    return hashlib.sha256(content.encode(errors="surrogatepass")).hexdigest()[:32]


def _read(path: Path, model: FaqRanker, entries: int) -> AnswerIndex | None:
    """A kept index; None where there is none, or none of use."""
    import numpy as np

    from zoo_metric_learning.models.faq_ranker import AnswerIndex
    from zoo_metric_learning.postings import Postings

    try:
        with np.load(path, allow_pickle=False) as kept:
            arrays: dict[str, Any] = {name: kept[name] for name in kept.files}
        vectors = arrays["vectors"]
        postings = None
        if model.lexical:
            postings = Postings(entries, arrays["starts"], arrays["rows"], arrays["values"])
            postings.check(model.words)
        path.touch()
    except _UNREADABLE:
        return None
    return AnswerIndex(vectors, postings) if vectors.shape == (entries, model.units) else None


def _write(path: Path, index: AnswerIndex) -> None:
    """Keep an index, and the latest few others."""
    import numpy as np

    from zoo_core.files import replacing

    path.parent.mkdir(parents=True, exist_ok=True)
    arrays = {"vectors": index.vectors}
    if index.postings is not None:
        postings = index.postings
        arrays |= {"starts": postings.starts, "rows": postings.rows, "values": postings.values}
    with replacing(path) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # its stub takes no dictionary of arrays
    kept = sorted(path.parent.glob("*.npz"), key=lambda file: file.stat().st_mtime, reverse=True)
    for old in kept[MOST_KEPT:]:
        old.unlink(missing_ok=True)
