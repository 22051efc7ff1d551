"""A preset's folder: config.json, model.safetensors and run.json, read strictly, checked by hash, written whole."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import files as on_disk
from zoo_core.config import LARGEST_JSON, SCHEMA, Config, json_table, parse_config, render_config
from zoo_core.errors import IntegrityError, PresetError
from zoo_core.names import is_file_name, shown_path
from zoo_core.records import File
from zoo_core.text import clean

if TYPE_CHECKING:
    import numpy as np

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"
RUN_FILE = "run.json"


@dataclass(frozen=True, slots=True)
class PresetFolder:
    """A folder with a preset, trusted only as far as recorded sizes and hashes go; `fix`: how to mend a damaged one."""

    path: Path
    fix: str = ""

    def config(self) -> Config:
        """What config.json says; raises PresetError where it is missing or malformed."""
        return parse_config(self._small_file(CONFIG_FILE), shown_path(self.path / CONFIG_FILE))

    def run(self) -> dict[str, Any]:
        """What run.json says; raises PresetError where it is missing or malformed."""
        return json_table(self._small_file(RUN_FILE), shown_path(self.path / RUN_FILE))

    def files(self) -> tuple[File, ...]:
        """The files with size and sha256 as run.json records them; raises PresetError where it does not."""
        recorded = self.run().get("files")
        where = shown_path(self.path / RUN_FILE)
        if not isinstance(recorded, dict) or not {CONFIG_FILE, WEIGHTS_FILE} <= recorded.keys():
            raise PresetError(f"{where}: no size and sha256 of {CONFIG_FILE} and {WEIGHTS_FILE} under 'files'")
        return tuple(_file(name, entry, where) for name, entry in recorded.items())

    def is_complete(self, files: Iterable[File]) -> bool:
        """Whether every file is there with its recorded size; the content is left unread."""
        try:
            for file in files:
                self._check_size(file)
        except IntegrityError:
            return False
        return True

    def verify(self, files: Iterable[File]) -> None:
        """Raise IntegrityError unless every file is there with its recorded size and sha256; sizes come first."""
        for file in (files := tuple(files)):
            self._check_size(file)
        for file in files:
            with self._reading(file):
                found = on_disk.sha256_of_file(self.path / file.name)
            self._check_sha256(file, found)

    def contents(self, files: Iterable[File]) -> dict[str, bytearray]:
        """The contents of all these files, read once and verified as read; raises IntegrityError like `verify`."""
        for file in (files := tuple(files)):
            self._check_size(file)
        contents = {file.name: self._read(file) for file in files}
        for file in files:
            self._check_sha256(file, on_disk.sha256(contents[file.name]))
        return contents

    def _check_size(self, file: File) -> None:
        if not is_file_name(file.name):
            raise self._damage(file, "a name of a file within the folder", "this")
        with self._reading(file):
            status = (self.path / file.name).stat()
        if not stat.S_ISREG(status.st_mode):
            raise self._damage(file, "a file", "something else")
        if status.st_size != file.size:
            raise self._damage(file, f"{file.size} bytes", f"{status.st_size}")

    def _check_sha256(self, file: File, found: str) -> None:
        if found != file.sha256:
            raise self._damage(file, f"sha256 {clean(file.sha256)[:64]}", found)

    def _damage(self, file: File, expected: str, found: str) -> IntegrityError:
        return IntegrityError(
            f"{shown_path(self.path)}/{clean(file.name)[:200]}: expected {expected}, found {found}", self.fix
        )

    def _read(self, file: File) -> bytearray:
        # Where the system promises more memory than it has, the promise would be kept until all of it is gone.
        if file.size > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"):
            raise self._damage(file, "a file that fits into memory", f"{file.size} bytes")
        content = bytearray(file.size)
        view = memoryview(content)
        with self._reading(file), (self.path / file.name).open("rb", buffering=0) as source:
            while view and (count := source.readinto(view)):
                view = view[count:]
        if view:
            raise self._damage(file, f"{file.size} bytes", f"{file.size - len(view)}")
        return content

    @contextlib.contextmanager
    def _reading(self, file: File) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._damage(file, f"{file.size} bytes", error.strerror or "nothing") from None

    def _small_file(self, name: str) -> bytes:
        path = self.path / name
        try:
            if not self.path.exists():
                raise PresetError(f"{shown_path(self.path)} does not exist")
            if not path.is_file():
                raise PresetError(f"{shown_path(self.path)}: no preset: there is no {name}")
            with path.open("rb") as file:
                content = file.read(LARGEST_JSON + 1)
        except OSError as error:
            raise PresetError(f"{shown_path(path)}: cannot be read: {error.strerror}") from None
        if len(content) > LARGEST_JSON:
            raise PresetError(f"{shown_path(path)}: larger than {LARGEST_JSON} bytes")
        return content


def write_preset(
    folder: Path,
    config: Config,
    tensors: Mapping[str, np.ndarray],
    run: Mapping[str, Any] | None = None,
    assets: Mapping[str, str] | None = None,
) -> tuple[File, ...]:
    """Write a preset into a folder, made if need be: each file whole or not at all, run.json with their hashes last.

    `assets` are texts that go beside the weights, by file name.
    A crash between two files leaves weights and record that do not fit each other, which `load` refuses. Raises
    OSError, and WeightsError for a dtype that cannot be saved.
    """
    from zoo_core import safetensors_file

    folder.mkdir(parents=True, exist_ok=True)
    safetensors_file.write(folder / WEIGHTS_FILE, tensors, {"format": "keras"})
    on_disk.replace_text(folder / CONFIG_FILE, render_config(config))
    for name, text in (assets or {}).items():
        on_disk.replace_text(folder / name, text)
    files = tuple(describe(folder / name) for name in (CONFIG_FILE, WEIGHTS_FILE, *(assets or {})))
    write_run(folder, {"schema": SCHEMA, "model": config.model, **(run or {})}, files)
    return files


def write_run(folder: Path, run: Mapping[str, Any], files: Iterable[File]) -> None:
    """Write run.json, in which `files` are recorded. Raises OSError."""
    recorded = {file.name: {"size": file.size, "sha256": file.sha256} for file in files}
    on_disk.replace_text(folder / RUN_FILE, on_disk.render_json({**run, "files": recorded}))


def describe(path: Path) -> File:
    """A file as it is now: its name, size and sha256."""
    return File(path.name, path.stat().st_size, on_disk.sha256_of_file(path))


def _file(name: str, entry: object, where: str) -> File:
    if not isinstance(entry, dict) or entry.keys() != {"size", "sha256"}:
        raise PresetError(f"{where}: file '{clean(name)[:100]}' should have a size and a sha256")
    size, sha256 = entry["size"], entry["sha256"]
    if type(size) is not int or not 0 <= size < 2**50 or not isinstance(sha256, str):
        raise PresetError(f"{where}: file '{clean(name)[:100]}' has a malformed size or sha256")
    return File(name, size, sha256)
