"""What can be found out again but takes time, kept in JSON files in the cache folder."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo_core import paths

_SCHEMA = 1
_MOST_ENTRIES = 1000


def load(file_name: str) -> dict[str, Any]:
    """The entries in a file; none where it is missing, damaged or of another version."""
    try:
        content = json.loads((paths.cache_dir() / file_name).read_bytes())
        entries = content["entries"] if content["schema"] == _SCHEMA else {}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}


def save(file_name: str, entries: dict[str, Any]) -> None:
    """Write the entries, of very many the last ones; a cache folder that cannot be written is no error."""
    from zoo_core.files import replace_text

    newest = dict(list(entries.items())[-_MOST_ENTRIES:])
    with suppress(OSError):
        paths.cache_dir().mkdir(parents=True, exist_ok=True)
        replace_text(paths.cache_dir() / file_name, json.dumps({"schema": _SCHEMA, "entries": newest}))


def stamp(path: Path) -> str:
    """A text that changes when the file does."""
    try:
        status = path.stat()
    except OSError:
        return f"{path} absent"
    # An installer may set the time of modification; the time of change is the system's.
    return f"{path} {status.st_mtime_ns} {status.st_ctime_ns} {status.st_size}"
