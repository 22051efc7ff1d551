"""Revisions of repositories on this disk, in the Hub client's cache and in our store of what came from mirrors.

The client's cache is `models--OWNER--NAME/{blobs,refs,snapshots/REVISION,trees}`, and a snapshot's files are links to
blobs, or files where links are turned off. It is read here without the client, whose own scan leaves out a repository
with a broken link, which is the very one that has to be mended.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo_core import hub
from zoo_core.hub.places import store
from zoo_core.names import is_revision


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One revision of a repository, `owner/name`; `store` is "hub" or "mirror".

    `refs` are the branches and tags by which some program asked for it: it is not the zoo's alone.
    """

    repo: str
    revision: str
    store: str
    path: Path
    refs: tuple[Path, ...] = ()

    @property
    def repository(self) -> Path:
        """The folder of everything that is here of this repository."""
        return self.path.parents[1] if self.store == "hub" else self.path.parent

    def files(self) -> list[Path]:
        """Its files, or the links to them, broken ones too."""
        return sorted(path for path in self.path.rglob("*") if path.is_symlink() or not path.is_dir())

    def broken_links(self) -> list[Path]:
        """Links to what is no longer there."""
        return [path for path in self.files() if not path.exists()]


def snapshots() -> list[Snapshot]:
    """Every revision here of whatever repository of models, the zoo's or not."""
    return [*_in_the_hubs_cache(), *_from_mirrors()]


def freed(gone: Iterable[Snapshot]) -> int:
    """The bytes that become free once these are deleted: what no other revision shares with them."""
    together = list(gone)
    return sum(path.stat().st_size for path in {path for each in together for path in _own_files(each, together)})


def delete(snapshot: Snapshot) -> None:
    """Delete a revision, links before blobs, and with its last revision the repository's folder. Raises OSError."""
    blobs = _own_files(snapshot, [snapshot])
    shutil.rmtree(snapshot.path)
    for path in (*snapshot.refs, *blobs, snapshot.repository / "trees" / f"{snapshot.revision}.json"):
        path.unlink(missing_ok=True)
    _tidy(snapshot)


def orphans(repository: Path) -> list[Path]:
    """Blobs in a repository's folder of the client's cache that no snapshot links to, unfinished ones aside."""
    linked = {_target(link) for link in repository.glob("snapshots/*/**/*") if link.is_symlink()}
    blobs = (path for path in repository.glob("blobs/*") if path.suffix != ".incomplete")
    return sorted(path for path in blobs if _exact(path) not in linked)


def _in_the_hubs_cache() -> Iterator[Snapshot]:
    for folder in sorted(hub.cache_folder().glob("models--*--*/snapshots/*")):
        repository = folder.parents[1]
        repo = repository.name.removeprefix("models--").replace("--", "/")
        if is_revision(folder.name) and folder.is_dir() and repo.count("/") == 1:
            yield Snapshot(repo, folder.name, "hub", folder, _refs(repository, folder.name))


def _from_mirrors() -> Iterator[Snapshot]:
    for folder in sorted(store().glob("*--*/*")):
        repo = folder.parent.name.replace("--", "/")
        if is_revision(folder.name) and folder.is_dir() and repo.count("/") == 1:
            yield Snapshot(repo, folder.name, "mirror", folder)


def _refs(repository: Path, revision: str) -> tuple[Path, ...]:
    return tuple(sorted(path for path in repository.glob("refs/**/*") if _content(path) == revision))


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _own_files(snapshot: Snapshot, gone: list[Snapshot]) -> set[Path]:
    """The files that nothing but the revisions that go needs: real ones, and blobs in the repository's own folder."""
    going = {each.path for each in gone}
    staying = (other for other in snapshot.path.parent.iterdir() if other not in going)
    kept = {_target(link) for other in staying for link in other.rglob("*")}
    own = {_target(link) for link in snapshot.files()} - kept
    # A link may lead anywhere: what lies elsewhere is not ours to delete.
    return {path for path in own if path.is_file() and path.is_relative_to(snapshot.repository.resolve())}


def _target(path: Path) -> Path:
    """The file itself; of a link, what it leads to, one step: a blob may link on into the client's shared store."""
    return _exact(path.parent / path.readlink() if path.is_symlink() else path)


def _exact(path: Path) -> Path:
    return path.parent.resolve() / path.name


def _tidy(snapshot: Snapshot) -> None:
    """Remove what is left of a repository without revisions, unless something is still being downloaded into it."""
    repository = snapshot.repository
    if any(snapshot.path.parent.iterdir()) or any(repository.glob("blobs/*.incomplete")):
        return
    shutil.rmtree(repository)
    if snapshot.store == "hub":
        shutil.rmtree(repository.parent / ".locks" / repository.name, ignore_errors=True)
