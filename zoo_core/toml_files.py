"""TOML files that others wrote: read within bounds, and not parsed again while they stay as they are."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from zoo_core import memory
from zoo_core.checks import Invalid
from zoo_core.errors import ManifestError, ZooError
from zoo_core.text import clean

T = TypeVar("T")

LARGEST_FILE = 1_000_000
# tomllib takes minutes for a key of thousands of parts; ours have three at most.
_KEY_PART = r"""(?:[\w-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_LONG_KEY = re.compile(rf"(?:^|[\[{{,])[ \t]*(?:{_KEY_PART}[ \t]*\.[ \t]*){{16}}", re.MULTILINE)


def read(path: Path) -> dict[str, Any]:
    """A file's table; raises ManifestError when it cannot be read, is larger than 1 MB or is not TOML."""
    return decode(read_bytes(path), str(path))


def read_bytes(path: Path) -> bytes:
    """A file's content; raises ManifestError when it cannot be read, is no regular file or is larger than 1 MB."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ManifestError(f"{clean(str(path))}: not a regular file")
        if status.st_size > LARGEST_FILE:
            raise ManifestError(f"{clean(str(path))}: larger than {LARGEST_FILE} bytes")
        with path.open("rb") as file:
            # One byte more tells of a file that has grown since.
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ManifestError(f"{clean(str(path))}: cannot be read: {error.strerror or clean(str(error))}") from None
    if len(content) > LARGEST_FILE:
        raise ManifestError(f"{clean(str(path))}: larger than {LARGEST_FILE} bytes")
    return content


def decode(content: bytes, where: str) -> dict[str, Any]:
    """The table in a UTF-8 text; raises ManifestError as `parse` does."""
    try:
        return parse(content.decode(), where)
    except UnicodeDecodeError as error:
        raise ManifestError(f"{clean(where)}: cannot be read: {clean(str(error))}") from None


def parse(text: str, where: str) -> dict[str, Any]:
    """The table in a text; raises ManifestError, with `where` in it, also for what is nested too deeply."""
    import tomllib

    try:
        if _LONG_KEY.search(text):
            raise RecursionError
        return tomllib.loads(text)
    except RecursionError:
        raise ManifestError(f"{clean(where)}: nested too deeply") from None
    except ValueError as error:
        raise ManifestError(f"{clean(where)}: not valid TOML: {clean(str(error))[:200]}") from None


class Cache:
    """What TOML files hold, remembered as JSON: to parse it each time would take a fifth of the time of `zoo list`."""

    def __init__(self, file_name: str) -> None:
        """What is remembered in this file of the cache folder."""
        self._file_name = file_name
        self._entries = memory.load(file_name)
        self._is_changed = False

    def read(self, path: Path, check: Callable[[dict[str, Any], str], T]) -> T:
        """What `check(table, where)` makes of a file's table; raises ManifestError, and what `check` raises."""
        where, stamp = str(path), memory.stamp(path)
        entry = self._entries.get(where)
        if isinstance(entry, dict) and entry.get("stamp") == stamp and isinstance(entry.get("table"), dict):
            # What was remembered may have been damaged since: the file itself has the last word.
            with suppress(ZooError, Invalid):
                return check(entry["table"], where)
        table = read(path)
        checked = check(table, where)
        # Only now: what passes holds nothing that JSON cannot hold.
        self._entries[where] = {"stamp": stamp, "table": table}
        self._is_changed = True
        return checked

    def save(self) -> None:
        """Remember what was parsed since."""
        if self._is_changed:
            memory.save(self._file_name, self._entries)
