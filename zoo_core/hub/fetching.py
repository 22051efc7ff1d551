"""A preset's files: looked for on the disk, then at the Hub and at the mirrors, and right only by our own hashes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.errors import IntegrityError, OfflineError, PresetError, ZooError
from zoo_core.files import sha256_of_file
from zoo_core.hub import space
from zoo_core.hub.downloading import download, from_the_first, place, tell
from zoo_core.hub.places import cache_folder, discard, going_online, is_offline, snapshot_folder, wrong_files
from zoo_core.hub.progress import Report, tell_notes
from zoo_core.names import is_file_name, shown_path
from zoo_core.presets import PresetFolder
from zoo_core.records import File, Preset
from zoo_core.text import clean

if TYPE_CHECKING:
    from zoo_core.hub.sources import Source
    from zoo_core.user_config import UserConfig


def fetch(preset: Preset, offline: bool = False, report: Report | None = None) -> Path:
    """The folder with the preset's files, downloaded unless all are there with the sizes that the manifest records.

    Raises what `fetch_verified` raises.
    """
    folder = snapshot_folder(preset)
    return folder if PresetFolder(folder).is_complete(preset.files) else fetch_verified(preset, offline, report)


def fetch_verified(preset: Preset, offline: bool = False, report: Report | None = None) -> Path:
    """The folder with the preset's files, every file's sha256 checked; what is missing or wrong is downloaded.

    `report` is told how far it is, and what there is to tell; without it, the latter goes to stderr. Raises
    OfflineError where the network may not be used, IntegrityError where no source has the files that the manifest
    records, PresetError for a record that names files elsewhere, DiskError and DownloadError for what else goes wrong.
    """
    _check_names(preset)
    folder = snapshot_folder(preset)
    wrong = wrong_files(folder, preset.files)
    if not wrong:
        return folder
    if offline or is_offline():
        raise _missing_offline(preset, folder, wrong)
    report = report or tell_notes
    return from_the_first(preset, report, partial(_fetch_from, preset, report))


def _check_names(preset: Preset) -> None:
    """Raise PresetError for a file that would lie outside of its folder: not every record was a manifest's."""
    for file in preset.files:
        if not is_file_name(file.name):
            raise PresetError(f"{place(preset)}: '{clean(file.name)[:100]}' is no name of a preset's file")


def _missing_offline(preset: Preset, folder: Path, wrong: Sequence[File]) -> ZooError:
    fix = going_online()
    if PresetFolder(folder).is_complete(preset.files):
        found = f"expected sha256 {wrong[0].sha256}, found another"
        return IntegrityError(f"{shown_path(folder / wrong[0].name)}: {found}, and the network is off", fix)
    where = shown_path(cache_folder())
    return OfflineError(f"{place(preset)}: not wholly in {where}, and the network is off", fix)


def _fetch_from(preset: Preset, report: Report, source: Source, config: UserConfig) -> Path:
    """Download what is wrong or missing, and once more what is wrong then too."""
    folder = source.folder(preset)
    wanted = wrong_files(folder, preset.files)
    if damaged := [file for file in wanted if (folder / file.name).exists()]:
        tell(report, preset, f"{_names(damaged)}: damaged on this disk, fetching it again")
    space.check(folder, sum(file.size for file in wanted))
    download(source, preset, wanted, config, report)
    if wrong := wrong_files(folder, wanted):
        tell(report, preset, f"{_names(wrong)}: damaged on the way from {source.host}, fetching it again")
        download(source, preset, wrong, config, report, anew=True)
        _check(source, preset, folder, wrong)
    return folder


def _check(source: Source, preset: Preset, folder: Path, files: Sequence[File]) -> None:
    """Raise IntegrityError for the first file that is wrong for the second time; none of them stays."""
    if wrong := wrong_files(folder, files):
        path = folder / wrong[0].name
        # Where another process meets the same, it may be gone already.
        found = sha256_of_file(path) if path.is_file() else "none"
        for file in wrong:
            discard(folder / file.name)
        expected = f"expected sha256 {wrong[0].sha256}, found {found}"
        raise IntegrityError(f"{place(preset)}: {clean(wrong[0].name)}: {expected} at {source.host}")


def _names(files: Sequence[File]) -> str:
    return ", ".join(clean(file.name) for file in files)
