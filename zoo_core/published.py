"""hub.json: where an author's preset was published, at which revision, and as which files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zoo_core.checks import Check, Invalid, at, exactly, named, table, whole_number
from zoo_core.config import LARGEST_JSON, json_table
from zoo_core.errors import PresetError
from zoo_core.files import render_json, replace_text
from zoo_core.names import is_file_name, is_repository, is_revision, is_sha256, shown_path
from zoo_core.records import File
from zoo_core.text import clean

HUB_FILE = "hub.json"

_SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Published:
    """A preset on the Hub: `repo` is owner/name, `revision` 40 hexadecimal digits, `files` all that was published."""

    repo: str
    revision: str
    files: tuple[File, ...]
    schema: int = _SCHEMA


def read(folder: Path) -> Published | None:
    """What a preset folder's hub.json says, None without one; raises PresetError where it is malformed."""
    path = folder / HUB_FILE
    if not path.is_file():
        return None
    where = shown_path(path)
    try:
        with path.open("rb") as file:
            values = json_table(file.read(LARGEST_JSON + 1), where)
        return _PUBLISHED(values)
    except OSError as error:
        raise PresetError(f"{where}: cannot be read: {error.strerror}") from None
    except Invalid as invalid:
        raise PresetError(f"{where}: {invalid}") from None


def write(folder: Path, published: Published) -> Path:
    """Write hub.json into a preset's folder, and say where it is. Raises OSError."""
    files = {file.name: {"size": file.size, "sha256": file.sha256} for file in published.files}
    values = {"schema": _SCHEMA, "repo": published.repo, "revision": published.revision, "files": files}
    replace_text(folder / HUB_FILE, render_json(values))
    return folder / HUB_FILE


def same_files(one: Iterable[File], other: Iterable[File]) -> bool:
    """Whether these are the same files, in whatever order."""
    return {file.name: file for file in one} == {file.name: file for file in other}


def _files(value: object) -> tuple[File, ...]:
    if not isinstance(value, dict) or not value:
        raise Invalid("should be an object that names files")
    return tuple(at(clean(name)[:100], _FILE, {"name": name, **_described(entry)}) for name, entry in value.items())


def _described(entry: object) -> dict[str, object]:
    if not isinstance(entry, dict):
        raise Invalid("should be an object")
    return {key: entry[key] for key in sorted(entry) if key != "name"}


_FILE: Check[File] = table(
    File,
    "name size sha256",
    "",
    {
        "name": named(is_file_name, "a name of a file"),
        "size": whole_number,
        "sha256": named(is_sha256, "64 hexadecimal digits"),
    },
)
_PUBLISHED: Check[Published] = table(
    Published,
    "schema repo revision files",
    "",
    {
        "schema": exactly(_SCHEMA),
        "repo": named(is_repository, "owner/name"),
        "revision": named(is_revision, "40 hexadecimal digits"),
        "files": _files,
    },
)
