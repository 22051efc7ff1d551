"""Files that appear whole or not at all, their hashes, and JSON that is read strictly."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

Json = Any
"""A value out of a JSON text: a dictionary, list, string, number, boolean or None."""

_DEEPEST = 64
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


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
    """The value of a JSON text in UTF-8; what is accepted can be written as JSON again.

    Raises ValueError for anything but plain JSON: a key that comes twice, a number that is not finite, half a character
    (a lone surrogate), or nesting that is too deep.
    """
    try:
        value = json.loads(
            bytes(content).decode(),
            object_pairs_hook=_without_doubles,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
        if _SURROGATE.search(content):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if _depth_exceeds(_DEEPEST, value):
        raise ValueError(f"nested more than {_DEEPEST} deep")
    return value


def render_json(value: object) -> str:
    """A value as indented JSON with a final newline; raises ValueError for NaN and infinite numbers."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in pairs:
        if name in values:
            raise ValueError(f"the key {name[:100]!r} comes twice")
        values[name] = value
    return values


def _depth_exceeds(most: int, value: Json) -> bool:
    level = [value]
    for _ in range(most):
        tables = (item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list)))
        level = [child for table in tables for child in table]
        if not level:
            return False
    return True


def _finite(number: str) -> float:
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number[:50]} is too large a number")
    return value


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")
