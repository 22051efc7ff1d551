"""The check of the wheel: what users install has the manifest and the weights that it promises."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path
from zipfile import ZipFile

from zoo_core.conformance import wheel_building
from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.conformance.subjects import Item, Subject, manifest_path


def check_wheel(subject: Subject, item: Item) -> None:
    """A project's wheel is built and looked into; of an installed plugin the installer's RECORD is read."""
    path = manifest_path(subject)
    if path is None:
        raise Undecided("a plugin in a single file has no place for a manifest")
    if not path.is_file():
        raise CheckFailed(f"there is no {path.name}; run: zoo manifest update {subject.project or 'PROJECT'}")
    if subject.project is None:
        _require(_expected(subject, path), _recorded(subject), "RECORD")
        return
    with tempfile.TemporaryDirectory(prefix="zoo-check-") as folder:
        wheel = wheel_building.build(subject.project, Path(folder))
        with ZipFile(wheel) as archive:
            found = {entry.filename: entry.file_size for entry in archive.infolist()}
        _require(_expected(subject, path), found, wheel.name)


def _expected(subject: Subject, manifest: Path) -> dict[str, int]:
    """The files that users need, as paths in a wheel, with their sizes."""
    top = manifest.parent.name
    presets = subject.plugin.manifest.presets if subject.plugin.manifest else ()
    bundled = ((f"{top}/{preset.folder}", preset.files) for preset in presets if preset.folder)
    files = {f"{folder}/{file.name}": file.size for folder, files in bundled for file in files}
    return {f"{top}/{manifest.name}": manifest.stat().st_size, **files}


def _require(expected: dict[str, int], found: dict[str, int], where: str) -> None:
    if missing := [name for name in expected if name not in found]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CheckFailed(f"{where} lacks {missing[0]}{more}: include it in the build backend's package data")
    for name, size in expected.items():
        if found[name] != size:
            raise CheckFailed(f"{where}: {name} has {found[name]} bytes instead of {size}")


def _recorded(subject: Subject) -> dict[str, int]:
    """The files that the installer wrote, with the sizes that it recorded."""
    record = subject.plugin.metadata / "RECORD" if subject.plugin.metadata else None
    if record is None or not record.is_file():
        raise Undecided("it was installed without a RECORD, by something else than pip or uv")
    with record.open(encoding="utf-8", newline="") as lines:
        return {row[0]: int(row[2] or 0) for row in csv.reader(lines) if len(row) == 3}
