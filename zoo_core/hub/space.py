"""Room on the disk, looked at before anything is downloaded."""

from __future__ import annotations

import shutil
from pathlib import Path

from zoo_core.errors import DiskError
from zoo_core.names import shown_path
from zoo_core.text import human_size

_MARGIN = 16_000_000
"""What else is written meanwhile: locks, links, the file system's own records."""


def check(folder: Path, size: int) -> None:
    """Raise DiskError unless so many bytes, and a little more, fit into a folder that may not exist yet."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(there).free
    if free < size + _MARGIN:
        raise DiskError(
            f"{shown_path(folder)}: {human_size(size + _MARGIN)} are needed, {human_size(free)} are free",
            "make room, or set HF_HOME to a folder on another disk",
        )
