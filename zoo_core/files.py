"""Files that appear whole or not at all, their hashes, and JSON that is read strictly."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

Json = Any
"""A value out of a JSON text: a dictionary, list, string, number, boolean or None."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A binary file to write to, which replaces `path` once the block ends; if the block raises, nothing has changed.

    It is written under another name in the same folder, flushed to the disk, then renamed.
    """
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def replace_text(path: Path, text: str) -> None:
    """Write a UTF-8 text; the file appears whole or not at all."""
    with replacing(path) as file:
        file.write(text.encode())


def sha256(content: bytes | bytearray | memoryview) -> str:
    """The SHA-256 of a content, as 64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path: Path) -> str:
    """The SHA-256 of a file, read piece by piece."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def parse_json(content: bytes | bytearray) -> Json:
    """The value of a JSON text in UTF-8.

    Raises ValueError for anything but plain JSON: a key that comes twice, NaN or Infinity, or nesting that is too deep.
    """
    try:
        return json.loads(bytes(content).decode(), object_pairs_hook=_without_doubles, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def render_json(value: object) -> str:
    """A value as indented JSON with a final newline; raises ValueError for NaN and infinite numbers."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {double[:100]!r} comes twice")
    return values


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
