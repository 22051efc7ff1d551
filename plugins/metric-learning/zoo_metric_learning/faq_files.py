"""Questions with their answers out of somebody's own file: .tsv, .csv or .jsonl, in UTF-8."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from zoo_core.errors import DataError
from zoo_core.text import clean

SUFFIXES = (".tsv", ".csv", ".jsonl")
LARGEST = 200_000_000
"""Bytes of the largest file that is read."""

_COLUMNS = ("question", "answer")
_CHINESE_COLUMNS = (("问题", "答案"), ("问题", "回答"), ("标题", "回答"), ("问", "答"))


@dataclass(frozen=True, slots=True)
class Entry:
    """A question as it is kept, and its answer."""

    question: str
    answer: str


def is_faq_file(path: Path) -> bool:
    """Whether a path has the name of such a file."""
    return path.name.lower().endswith(SUFFIXES)


def read_faq(path: Path) -> list[Entry]:
    """The entries of a file.

    A .jsonl file has one object a line, with the keys question and answer. A .tsv or .csv file has these two columns:
    by name, where its first line has both names, else its first two.
    Raises DataError for what cannot be read, with the line where it is wrong.
    """
    where = clean(str(path))
    if not is_faq_file(path):
        raise DataError(f"{where}: no file of questions and answers", f"its name should end in {', '.join(SUFFIXES)}")
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(f"{where}: larger than {LARGEST // 1_000_000} MB")
        with path.open(encoding="utf-8-sig", newline="") as stream:
            entries = list(_entries(stream, path.suffix.lower(), where))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{where}: not UTF-8 (byte {error.start})", "iconv -f gb18030 -t utf-8 turns a Chinese file into it"
        ) from None
    except OSError as error:
        raise DataError(f"{where}: cannot be read: {error.strerror or error}") from error
    if not entries:
        raise DataError(f"{where}: no questions and answers in it")
    return entries


def _entries(stream: TextIO, suffix: str, where: str) -> Iterator[Entry]:
    pairs = _objects(stream, where) if suffix == ".jsonl" else _rows(stream, suffix, where)
    for line, question, answer in pairs:
        if not question.strip() or not answer.strip():
            missing = _COLUMNS[bool(question.strip())]
            raise DataError(f"{where}, line {line}: no {missing}")
        yield Entry(question.strip(), answer.strip())


def _objects(stream: TextIO, where: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(stream, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            raise DataError(f"{where}, line {number}: no JSON object") from None
        texts = [value.get(name) if isinstance(value, dict) else None for name in _COLUMNS]
        if not all(isinstance(text, str) for text in texts):
            raise DataError(f'{where}, line {number}: expected {{"question": "...", "answer": "..."}}')
        yield number, str(texts[0]), str(texts[1])


def _rows(stream: TextIO, suffix: str, where: str) -> Iterator[tuple[int, str, str]]:
    # Quotes have no meaning in a .tsv file.
    rows = _quoted(stream) if suffix == ".csv" else _tabbed(stream)
    number = 0
    columns = (0, 1)
    try:
        for place, (number, row) in enumerate(rows):
            if not any(cell.strip() for cell in row):
                continue
            if place == 0 and (named := _named_columns([cell.strip().lower() for cell in row])):
                columns = named
                continue
            if len(row) <= max(columns):
                between = "commas" if suffix == ".csv" else "tabs"
                raise DataError(f"{where}, line {number}: expected a question and an answer, with {between} between")
            yield number, row[columns[0]], row[columns[1]]
    except csv.Error as error:
        raise DataError(f"{where}, line {number + 1}: {error}") from None


def _named_columns(cells: list[str]) -> tuple[int, int] | None:
    """Where question and answer are, if these are their names."""
    for question, answer in (_COLUMNS, *_CHINESE_COLUMNS):
        if question in cells and answer in cells:
            return cells.index(question), cells.index(answer)
    return None


def _quoted(stream: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Rows, each with the line that it ends in: a cell may have several."""
    reader = csv.reader(stream, strict=True)
    for row in reader:
        yield reader.line_num, row


def _tabbed(stream: TextIO) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(stream, 1):
        yield number, line.rstrip("\r\n").split("\t")
