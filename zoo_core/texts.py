"""Texts of any size, gone through line by line: a data set's, or a person's own file, plain or compressed."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from zoo_core.datasets import DATASETS, Dataset, find_dataset
from zoo_core.errors import DataError

LONGEST = 1 << 20
"""Characters of the longest line that is given in one piece."""

_SUFFIXES = (".txt", ".txt.gz", ".txt.xz")
_UNREADABLE = (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError, zlib.error)


@dataclass(frozen=True, slots=True)
class Text:
    """A text: one or several files, read one after the other; `sha256` is over the files' own."""

    name: str
    license: str
    sha256: str
    paths: tuple[Path, ...]

    def lines(self) -> Iterator[str]:
        """The lines of all files; see `lines`."""
        for path in self.paths:
            yield from lines(path)


def find_text(source: str | os.PathLike[str]) -> Text:
    """The text of this name, or that of a person's own file: .txt, .txt.gz or .txt.xz, in UTF-8.

    A file that a data set is made of is recognised by its sha256. Raises DataError, DownloadError, OfflineError,
    IntegrityError.
    """
    from zoo_core.data import data_name, is_data_path
    from zoo_core.files import sha256_of_file

    if not is_data_path(source):
        dataset = find_dataset(str(source))
        return _text(dataset, tuple(find_files(dataset.name).values()))
    path = Path(source).expanduser()
    if not path.is_file() or not path.name.lower().endswith(_SUFFIXES):
        problem = "is no text" if path.exists() else "does not exist"
        raise DataError(f"{path} {problem}", f"give a file in UTF-8 that ends in {', '.join(_SUFFIXES)}")
    found = sha256_of_file(path)
    for dataset in _text_datasets():
        if [file.sha256 for file in dataset.editions[0].files] == [found]:
            return _text(dataset, (path,))
    return Text(data_name(path), "unknown", found, (path,))


def find_files(name: str) -> dict[str, Path]:
    """The files of a data set of texts, by name; raises DataError, DownloadError, OfflineError, IntegrityError."""
    from zoo_core.data_files import locate

    dataset = find_dataset(name)
    if dataset.editions[0].reader:
        known = ", ".join(sorted(item.name for item in _text_datasets()))
        raise DataError(
            f"{dataset.name} is no text", f"texts: {known}; the path of a file of yours starts with ./ or /"
        )
    edition, paths = locate(dataset)
    return {file.name: path for file, path in zip(edition.files, paths, strict=True)}


def lines(path: Path, longest: int = LONGEST) -> Iterator[str]:
    """The lines of a UTF-8 file, without their ends; compressed ones end in .gz or .xz.

    A line of more than `longest` characters comes in pieces, parted at white space where there is some: whatever the
    file's size, no more than twice that is held. Raises DataError for what cannot be read, with the line's number.
    """
    count = 0
    try:
        with _opened(path) as stream:
            for piece in _pieces(stream, longest):
                yield piece
                count += 1
    except _UNREADABLE as error:
        fix = "it should be UTF-8" if isinstance(error, UnicodeDecodeError) else "is the file whole?"
        raise DataError(f"{path}: cannot be read after line {count}: {error}", fix) from error


def _opened(path: Path) -> TextIO:
    name = path.name.lower()
    if name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig")
    if name.endswith(".xz"):
        return lzma.open(path, "rt", encoding="utf-8-sig")
    return path.open(encoding="utf-8-sig")


def _pieces(stream: TextIO, longest: int) -> Iterator[str]:
    rest = ""
    while piece := stream.readline(longest):
        line, rest = rest + piece, ""
        if not line.endswith("\n") and len(line) >= longest:
            line, rest = _parted(line)
        yield line.rstrip("\r\n")
    if rest:
        yield rest


def _parted(line: str) -> tuple[str, str]:
    """A line without its last word, and that word, of which more may follow; a single word stays whole."""
    word = line.rstrip()
    if len(word) < len(line):
        return word, ""
    word = line.rsplit(maxsplit=1)[-1]
    return (line[: -len(word) - 1], word) if len(word) < len(line) else (line, "")


def _text(dataset: Dataset, paths: tuple[Path, ...]) -> Text:
    hashes = [file.sha256 for file in dataset.editions[0].files]
    sha256 = hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()
    return Text(dataset.name, dataset.license, sha256, paths)


def _text_datasets() -> list[Dataset]:
    return [dataset for dataset in DATASETS.values() if not dataset.editions[0].reader]
