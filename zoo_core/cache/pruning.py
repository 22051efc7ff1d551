"""Deleting weights: those of one preset, or all that nothing needs any more."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo_core import hub, index, paths
from zoo_core.cache.entries import Entry, entries, pinned
from zoo_core.cache.snapshots import Snapshot, freed, orphans
from zoo_core.cache.snapshots import delete as delete_snapshot
from zoo_core.errors import UsageError

_ABANDONED_SECONDS = 3600
"""A download that nobody has written to for so long is nobody's."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something that nothing needs: `kind` is "superseded", "duplicate", "unfinished" or "orphan".

    A superseded revision is of a repository that a plugin names at another one; a duplicate is incomplete where the
    same revision is whole in another place; an orphan is a blob that no revision has.
    """

    kind: str
    name: str
    path: Path
    size: int
    snapshot: Snapshot | None = None


def leftovers() -> tuple[Leftover, ...]:
    """All that `delete` may delete and nobody will miss; no revision that has a branch or a tag is among it."""
    here = entries()
    repositories = _repositories(here)
    return (*_revisions(here), *_unfinished(repositories), *_orphans(repositories))


def delete(found: Iterable[Leftover]) -> None:
    """Delete these. Raises OSError."""
    for leftover in found:
        if leftover.snapshot:
            delete_snapshot(leftover.snapshot)
        else:
            _delete_path(leftover.path)


def removable(found: Iterable[Entry]) -> list[Entry]:
    """Those of them that were downloaded; raises UsageError where all are part of a plugin."""
    found = list(found)
    downloaded = [entry for entry in found if entry.snapshot]
    if found and not downloaded:
        entry = found[0]
        fix = f"zoo uninstall {entry.plugin} removes both"
        raise UsageError(f"{entry.name} is part of the plugin '{entry.plugin}'", fix)
    return downloaded


def size_of(found: Iterable[Entry]) -> int:
    """The bytes that become free once these downloads are deleted."""
    return freed(entry.snapshot for entry in found if entry.snapshot)


def remove(found: Iterable[Entry]) -> None:
    """Delete these downloads. Raises OSError."""
    for entry in found:
        if entry.snapshot:
            delete_snapshot(entry.snapshot)


def _revisions(here: Iterable[Entry]) -> Iterator[Leftover]:
    whole = {(entry.preset.repo, entry.preset.revision) for entry in here if entry.complete}
    going: dict[str, list[Entry]] = {"superseded": [], "duplicate": []}
    for entry in here:
        if entry.superseded:
            going["superseded"].append(entry)
        elif _is_duplicate(entry) and (entry.preset.repo, entry.preset.revision) in whole:
            going["duplicate"].append(entry)
    together: list[Snapshot] = []
    for kind, chosen in going.items():
        for entry in chosen:
            assert entry.snapshot is not None
            # What two of them share is freed with the last one.
            before = freed(together)
            together.append(entry.snapshot)
            name = f"{entry.preset.repo}@{entry.preset.revision}"
            yield Leftover(kind, name, entry.path, freed(together) - before, entry.snapshot)


def _is_duplicate(entry: Entry) -> bool:
    return entry.snapshot is not None and not entry.snapshot.refs and not entry.complete


def _repositories(here: Iterable[Entry]) -> list[Path]:
    """The folders of the repositories in the Hub's cache that are the zoo's."""
    named = {hub.repository_folder(repo) for repo in pinned(index.plugins())}
    recognised = {each.snapshot.repository for each in here if each.snapshot and each.snapshot.store == "hub"}
    return sorted(named | recognised)


def _unfinished(repositories: Iterable[Path]) -> Iterator[Leftover]:
    partial = [path for repository in repositories for path in sorted(repository.glob("blobs/*.incomplete"))]
    # Everything below our own folder is ours: weights, data sets, copies of registries.
    partial += sorted(paths.cache_dir().rglob(".*.part"))
    return _abandoned("unfinished", partial)


def _orphans(repositories: Iterable[Path]) -> Iterator[Leftover]:
    return _abandoned("orphan", [path for repository in repositories for path in orphans(repository)])


def _abandoned(kind: str, files: Iterable[Path]) -> Iterator[Leftover]:
    limit = time.time() - _ABANDONED_SECONDS
    for path in files:
        # A download that just ends takes its file away.
        with contextlib.suppress(FileNotFoundError):
            found = [each.lstat() for each in (path, *path.rglob("*"))]
            if max(status.st_mtime for status in found) < limit:
                yield Leftover(kind, str(path), path, sum(status.st_size for status in found))


def _delete_path(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
