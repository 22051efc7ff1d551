"""The presets on the disk: what is there, whether it is still right, what is no longer needed.

What was downloaded lies in the cache of the Hub's own client, which other programs share: only repositories that a
plugin of the zoo names are looked at, and only revisions that the zoo pinned are deleted.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core import hub, index
from zoo_core.errors import UsageError
from zoo_core.listing import shortest_names
from zoo_core.presets import PresetFolder
from zoo_core.pulling import mending, preset_folder
from zoo_core.records import Plugin, Preset

if TYPE_CHECKING:
    from huggingface_hub import HFCacheInfo

_ABANDONED_SECONDS = 3600
"""An unfinished download that nobody has written to for so long is nobody's."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A preset on the disk, by its shortest name; `source` is "bundled" or "hub", `complete` is about sizes.

    `fix` says what mends it where it is damaged.
    """

    name: str
    plugin: str
    source: str
    path: Path
    complete: bool
    fix: str
    preset: Preset


@dataclass(frozen=True, slots=True)
class Pruning:
    """What `prune` deletes: snapshots as `repo@revision`, unfinished downloads, and the bytes that this frees."""

    revisions: tuple[str, ...]
    unfinished: tuple[Path, ...]
    size: int


def entries() -> tuple[Entry, ...]:
    """The presets that are on the disk, wholly or in part: pulled from the Hub, or bundled with an installed plugin."""
    found = []
    names = shortest_names(index.plugins())
    for plugin, preset in _presets():
        folder = preset_folder(plugin, preset)
        if folder is not None and folder.is_dir():
            complete = PresetFolder(folder).is_complete(preset.files)
            source, fix = "bundled" if preset.folder else "hub", mending(plugin, preset)
            name = f"{names[plugin.name, preset.model]}:{preset.variant}"
            found.append(Entry(name, plugin.name, source, folder, complete, fix, preset))
    return tuple(found)


def verify(entry: Entry) -> None:
    """Check size and sha256 of every file; raises IntegrityError that names file, expected and found."""
    PresetFolder(entry.path, entry.fix).verify(entry.preset.files)


def check_removable(entry: Entry) -> None:
    """Raise UsageError for a preset that is part of its plugin."""
    if entry.source != "hub":
        fix = f"zoo uninstall {entry.plugin} removes both"
        raise UsageError(f"{entry.name} is part of the plugin '{entry.plugin}'", fix)


def remove(entry: Entry) -> int:
    """Delete a preset that was pulled from the Hub; the bytes freed. Raises UsageError for a bundled one."""
    check_removable(entry)
    return _delete([entry.preset.revision])


def prune(dry_run: bool = False) -> Pruning:
    """Delete what zoo pulled and no preset needs any more: other revisions of its repositories, unfinished downloads.

    A revision that some program fetched by a branch or tag is left alone. `dry_run` only tells.
    """
    pinned = {(preset.repo, preset.revision) for _, preset in _presets() if preset.repo}
    repositories = {repo for repo, _ in pinned}
    cached = _scan()
    outdated = {
        revision.commit_hash: f"{repo.repo_id}@{revision.commit_hash}"
        for repo in (cached.repos if cached else ())
        if repo.repo_type == "model" and repo.repo_id in repositories
        for revision in repo.revisions
        if not revision.refs and (repo.repo_id, revision.commit_hash) not in pinned
    }
    unfinished = [path for repository in sorted(repositories) for path in _unfinished(repository)]
    size = sum(path.stat().st_size for path in unfinished)
    if cached and outdated:
        size += cached.delete_revisions(*outdated).expected_freed_size
    if not dry_run:
        _delete(list(outdated))
        for path in unfinished:
            path.unlink(missing_ok=True)
    return Pruning(tuple(sorted(outdated.values())), tuple(unfinished), size)


def _presets() -> Iterator[tuple[Plugin, Preset]]:
    for plugin in index.plugins():
        for preset in plugin.manifest.presets if plugin.manifest else ():
            yield plugin, preset


def _scan() -> HFCacheInfo | None:
    import huggingface_hub

    folder = hub.cache_folder()
    return huggingface_hub.scan_cache_dir(folder) if folder.is_dir() else None


def _delete(revisions: list[str]) -> int:
    cached = _scan()
    if cached is None or not revisions:
        return 0
    strategy = cached.delete_revisions(*revisions)
    strategy.execute()
    return strategy.expected_freed_size


def _unfinished(repository: str) -> list[Path]:
    blobs = hub.repository_folder(repository) / "blobs"
    abandoned = time.time() - _ABANDONED_SECONDS
    return sorted(path for path in blobs.glob("*.incomplete") if path.stat().st_mtime < abandoned)
