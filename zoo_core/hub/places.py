"""Where things are: the Hub, and what was downloaded, found as the client finds it but without importing it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from zoo_core.addresses import without_password
from zoo_core.errors import IntegrityError
from zoo_core.paths import cache_dir
from zoo_core.presets import PresetFolder
from zoo_core.records import File, Preset
from zoo_core.text import clean

HUB = "https://huggingface.co"

_TRUE = {"1", "on", "yes", "true"}


def is_offline() -> bool:
    """Whether the environment forbids the client to use the network."""
    return bool(_offline_variable())


def going_online() -> str:
    """What to do for the network to be used again."""
    variable = _offline_variable()
    return f"unset {variable}" if variable else "leave out --offline"


def _offline_variable() -> str:
    """The variable that forbids the network, "" where none does; as the client has it, the first that is set counts."""
    name = "HF_HUB_OFFLINE" if os.environ.get("HF_HUB_OFFLINE") else "TRANSFORMERS_OFFLINE"
    return name if os.environ.get(name, "").lower() in _TRUE else ""


def endpoint() -> str:
    """The Hub, or what $HF_ENDPOINT has in its place, as an address without a slash at its end."""
    return (os.environ.get("HF_ENDPOINT") or HUB).rstrip("/")


def host_of(address: str) -> str:
    """A server as messages name it, by its address: without the scheme, a password or escapes."""
    return clean(without_password(address).partition("://")[2])[:100]


def cache_folder() -> Path:
    """The client's cache, found as it finds it, but without importing it."""
    home = os.environ.get("XDG_CACHE_HOME", os.path.join(os.path.expanduser("~"), ".cache"))
    home = os.environ.get("HF_HOME", os.path.join(home, "huggingface"))
    hub = os.path.join(_expanded(home), "hub")
    return Path(_expanded(os.environ.get("HF_HUB_CACHE", os.environ.get("HUGGINGFACE_HUB_CACHE", hub))))


def snapshot_folder(preset: Preset) -> Path:
    """Where this preset's files are, or will be: in the client's cache, unless a mirror's copy alone is complete."""
    cached, stored = hub_folder(preset), store_folder(preset)
    is_stored = stored.is_dir() and not PresetFolder(cached).is_complete(preset.files)
    return stored if is_stored and PresetFolder(stored).is_complete(preset.files) else cached


def hub_folder(preset: Preset) -> Path:
    """Where the client keeps this preset's files."""
    return repository_folder(preset.repo) / "snapshots" / preset.revision


def store_folder(preset: Preset) -> Path:
    """Where files are kept that came from a mirror that is no Hub."""
    return store() / preset.repo.replace("/", "--") / preset.revision


def store() -> Path:
    """The folder with everything that came from mirrors that are no Hub: `owner--name/revision/file`."""
    return cache_dir() / "presets"


def repository_folder(repository: str) -> Path:
    """Where the client keeps everything of a repository, `owner/name`."""
    return cache_folder() / f"models--{repository.replace('/', '--')}"


def wrong_files(folder: Path, files: Iterable[File]) -> list[File]:
    """Those that are not in a folder, or not with the recorded size and sha256."""

    def is_right(file: File) -> bool:
        try:
            PresetFolder(folder).verify([file])
        except IntegrityError:
            return False
        return True

    return [file for file in files if not is_right(file)]


def discard(path: Path) -> None:
    """Delete a file that was downloaded, and the client's blob that it's a link to."""
    target, blobs = path.resolve(), path.parent.resolve().parent.parent / "blobs"
    path.unlink(missing_ok=True)
    if target.parent == blobs:
        target.unlink(missing_ok=True)


def _expanded(path: str) -> str:
    return os.path.expandvars(os.path.expanduser(path))
