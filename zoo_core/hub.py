"""Presets on the Hugging Face Hub: fetched by its own client at one pinned revision, and checked by our own hashes.

The client is imported only where something is fetched. `HF_HUB_OFFLINE`, `HF_HOME`, `HF_HUB_CACHE`, `HF_ENDPOINT` and
`HF_TOKEN` mean what they mean everywhere.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from zoo_core.errors import DownloadError, IntegrityError, OfflineError
from zoo_core.presets import PresetFolder
from zoo_core.records import File, Preset
from zoo_core.text import clean

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}
_TRUE = {"1", "on", "yes", "true"}


def is_offline() -> bool:
    """Whether the environment forbids the client to use the network."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.lower() in _TRUE


def cache_folder() -> Path:
    """The client's cache, found as it finds it, but without importing it."""
    home = os.environ.get("XDG_CACHE_HOME", os.path.join(os.path.expanduser("~"), ".cache"))
    home = os.environ.get("HF_HOME", os.path.join(home, "huggingface"))
    hub = os.path.join(_expanded(home), "hub")
    return Path(_expanded(os.environ.get("HF_HUB_CACHE", os.environ.get("HUGGINGFACE_HUB_CACHE", hub))))


def snapshot_folder(preset: Preset) -> Path:
    """Where the client keeps this preset's files."""
    return repository_folder(preset.repo) / "snapshots" / preset.revision


def repository_folder(repository: str) -> Path:
    """Where the client keeps everything of a repository, `owner/name`."""
    return cache_folder() / f"models--{repository.replace('/', '--')}"


def fetch(preset: Preset, offline: bool = False) -> Path:
    """The folder with the preset's files, downloaded unless all are there with the sizes that the manifest records.

    Raises OfflineError where the network may not be used, DownloadError for whatever goes wrong there.
    """
    folder = snapshot_folder(preset)
    if not PresetFolder(folder).is_complete(preset.files):
        _download(preset, offline or is_offline())
    return folder


def fetch_verified(preset: Preset, offline: bool = False) -> Path:
    """As `fetch`, with every file's sha256 checked; one that is damaged is downloaded once more.

    Raises IntegrityError where the Hub's file is not the one that the manifest records.
    """
    folder = fetch(preset, offline)
    damaged = _damaged(folder, preset.files)
    if damaged and not (offline or is_offline()):
        _download_again(preset, damaged)
    PresetFolder(folder).verify(damaged)
    return folder


def _damaged(folder: Path, files: Iterable[File]) -> list[File]:
    def fits(file: File) -> bool:
        try:
            PresetFolder(folder).verify([file])
        except IntegrityError:
            return False
        return True

    return [file for file in files if not fits(file)]


def _download(preset: Preset, offline: bool) -> None:
    if offline:
        where = f"{preset.repo} at {preset.revision[:12]}"
        raise OfflineError(f"{where}: not wholly in {cache_folder()}, and the network is off", "unset HF_HUB_OFFLINE")
    import huggingface_hub

    names = [file.name for file in preset.files]
    try:
        huggingface_hub.snapshot_download(preset.repo, revision=preset.revision, allow_patterns=names)
    except Exception as error:
        raise explain(error, preset) from error


def _download_again(preset: Preset, files: Sequence[File]) -> None:
    import huggingface_hub

    try:
        for file in files:
            huggingface_hub.hf_hub_download(preset.repo, file.name, revision=preset.revision, force_download=True)
    except Exception as error:
        raise explain(error, preset) from error


def explain(error: BaseException, preset: Preset) -> DownloadError:
    """What really went wrong, in one line; the client often wraps it in advice to check one's connection."""
    causes = list(_chain(error))
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    status = next((code for cause in causes if (code := _status(cause))), 0)
    message, fix = _at_the_disk(causes) or _at_the_hub(kinds, status, preset) or _on_the_way(kinds, causes)
    kind = OfflineError if "OfflineModeIsEnabled" in kinds else DownloadError
    return kind(f"{preset.repo} at {preset.revision[:12]}: {message}", fix)


def _at_the_disk(causes: Iterable[BaseException]) -> tuple[str, str] | None:
    for cause in causes:
        if isinstance(cause, OSError) and cause.errno in _NO_ROOM:
            return f"cannot write to the cache {cache_folder()}: {cause.strerror}", "set HF_HOME"
    return None


def _at_the_hub(kinds: set[str], status: int, preset: Preset) -> tuple[str, str] | None:
    from huggingface_hub import constants

    if "GatedRepoError" in kinds:
        page = f"{constants.ENDPOINT}/{preset.repo}"
        return "its owner asks for agreement first", f"agree at {page}, then: hf auth login"
    if "RevisionNotFoundError" in kinds:
        return "the Hub does not have this revision (any more)", ""
    if "RepositoryNotFoundError" in kinds or status in (401, 403):
        return "the Hub has no such repository, or not for you", "hf auth login, or set HF_TOKEN"
    if "RemoteEntryNotFoundError" in kinds:
        return "the Hub lacks one of its files", ""
    return (f"the Hub answered {status}", "try again later") if status else None


def _on_the_way(kinds: set[str], causes: Sequence[BaseException]) -> tuple[str, str]:
    from huggingface_hub import constants

    if "OfflineModeIsEnabled" in kinds:
        return "not in the cache, and HF_HUB_OFFLINE forbids downloading", "unset HF_HUB_OFFLINE"
    reason = clean(str(causes[-1]))[:200] or type(causes[-1]).__name__
    if kinds & {"TransportError", "ConnectionError", "TimeoutError"}:
        return f"{constants.ENDPOINT} cannot be reached: {reason}", "check the network, or HF_ENDPOINT"
    return reason, "try again"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    code = getattr(getattr(error, "response", None), "status_code", None)
    return code if isinstance(code, int) and code >= 400 else None


def _expanded(path: str) -> str:
    return os.path.expandvars(os.path.expanduser(path))
