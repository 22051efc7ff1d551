"""Where a data set's files lie: under $ZOO_DATA or in the cache, else downloaded; accepted by their sha256 only."""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import BinaryIO

from zoo_core.datasets import DataFile, Dataset, Edition
from zoo_core.errors import DataError, DownloadError, IntegrityError, OfflineError
from zoo_core.files import replacing, sha256_of_file

_CHUNK = 1 << 20
_LARGEST_DOWNLOAD = 1 << 30


def locate(dataset: Dataset) -> tuple[Edition, list[Path]]:
    """The first edition of which every file is at hand, downloaded where need be, and the paths of its files.

    Raises DataError, DownloadError, OfflineError, IntegrityError.
    """
    for folder in data_folders():
        for edition in dataset.editions:
            if paths := find_in_folder(folder, dataset, edition):
                return edition, paths
    for edition in dataset.editions:
        if edition.downloadable:
            return edition, _download(dataset, edition)
    raise DataError(
        f"{dataset.name} is not at hand{_mistaken(dataset)} and cannot be downloaded: nobody serves these very files",
        f"{_remedy(dataset)}; origin: {dataset.origin}",
    )


def data_folders() -> list[Path]:
    """The folders that are searched: $ZOO_DATA where set, then the cache."""
    chosen = os.environ.get("ZOO_DATA")
    return [*([Path(chosen).expanduser()] if chosen else []), _cache()]


def find_in_folder(folder: Path, dataset: Dataset, edition: Edition) -> list[Path]:
    """The files of this edition in a folder or in its subfolder of the data set's name; empty unless all are right."""
    for place in (folder / dataset.folder, folder):
        paths = [place / file.name for file in edition.files]
        if all(path.is_file() for path in paths) and _are_right(paths, edition.files):
            return paths
    return []


def _are_right(paths: list[Path], files: tuple[DataFile, ...]) -> bool:
    return all(sha256_of_file(path) == file.sha256 for path, file in zip(paths, files, strict=True))


def _cache() -> Path:
    from zoo_core.paths import cache_dir

    return cache_dir() / "data"


def _mistaken(dataset: Dataset) -> str:
    """Which file lies where one is looked for, but is a different one."""
    for folder in data_folders():
        for file in dataset.editions[0].files:
            path = folder / dataset.folder / file.name
            if path.is_file() and sha256_of_file(path) != file.sha256:
                return f" ({path} is another file than the known one: its sha256 differs)"
    return ""


def _remedy(dataset: Dataset) -> str:
    names = " and ".join(file.name for file in dataset.editions[0].files)
    return f"put {names} into $ZOO_DATA/{dataset.folder}"


def _download(dataset: Dataset, edition: Edition) -> list[Path]:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "on", "yes", "true"}:
        raise OfflineError(
            f"{dataset.name} is not at hand{_mistaken(dataset)}, and HF_HUB_OFFLINE forbids to download it",
            f"unset it, or {_remedy(dataset)}",
        )
    print(f"downloading {dataset.name}: licence {dataset.license}, {dataset.origin}", file=sys.stderr)
    folder = _cache() / dataset.folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [fetch(file, folder) for file in edition.files]
    except OSError as error:
        raise DownloadError(
            f"{dataset.name} could not be downloaded{_mistaken(dataset)}: {error}", f"try again, or {_remedy(dataset)}"
        ) from error


def fetch(file: DataFile, folder: Path) -> Path:
    """Download one file into `folder`, where it appears only if its sha256 is right. Raises OSError, IntegrityError."""
    from urllib.request import urlopen

    path = folder / file.name
    if path.is_file() and sha256_of_file(path) == file.sha256:
        return path
    with replacing(path) as part, urlopen(file.url, timeout=60) as response:
        found = _copy(response, part)
        if found != file.sha256:
            raise IntegrityError(f"{file.url}: expected sha256 {file.sha256}, found {found}", "try again later")
    return path


def _copy(source: BinaryIO, target: BinaryIO) -> str:
    """Copy a stream of bounded length; its sha256."""
    digest = hashlib.sha256()
    size = 0
    while chunk := source.read(_CHUNK):
        size += len(chunk)
        if size > _LARGEST_DOWNLOAD:
            raise IntegrityError(f"the server sends more than {_LARGEST_DOWNLOAD} bytes")
        digest.update(chunk)
        target.write(chunk)
    return digest.hexdigest()
