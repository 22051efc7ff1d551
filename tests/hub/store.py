"""The test Hub's repositories, on the disk: objects by their sha256, and one JSON file for each repository."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

GIT_ATTRIBUTES = b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"
_REGULAR_BYTES = 10_000_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of a commit; `oid` is git's identifier of its content."""

    size: int
    sha256: str
    oid: str
    lfs: bool


@dataclass(slots=True)
class Commit:
    """One commit: what it says, what came before, and all its files."""

    message: str
    parent: str | None
    files: dict[str, Entry]


@dataclass(slots=True)
class Repository:
    """A model repository; `accepted` lists the users whom the owner of a gated one has let in."""

    name: str
    private: bool = False
    gated: bool = False
    accepted: tuple[str, ...] = ()
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, Commit] = field(default_factory=dict)

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch's name or a commit's identifier means."""
        revision = revision.removeprefix("refs/heads/")
        return self.branches.get(revision) or (revision if revision in self.commits else None)


class Store:
    """Repositories and objects below one folder; safe to use from several threads."""

    def __init__(self, root: Path) -> None:
        """Use this folder, which is made if need be."""
        self.root = root
        self.lock = threading.RLock()
        self._repositories: dict[str, Repository] = {}
        for folder in (self.objects, self.plain, self._folder):
            folder.mkdir(parents=True, exist_ok=True)
        for file in self._folder.glob("*.json"):
            repository = _parse(json.loads(file.read_text()))
            self._repositories[repository.name] = repository

    @property
    def objects(self) -> Path:
        """The folder of contents, each named by its sha256."""
        return self.root / "objects"

    @property
    def plain(self) -> Path:
        """The folder of files that are served as they are."""
        return self.root / "plain"

    @property
    def _folder(self) -> Path:
        return self.root / "repositories"

    def reset(self) -> None:
        """Forget everything."""
        with self.lock:
            self._repositories.clear()
            for folder in (self.objects, self.plain, self._folder):
                shutil.rmtree(folder)
                folder.mkdir()

    def get(self, name: str) -> Repository | None:
        """The repository of this name, `owner/name`."""
        return self._repositories.get(name)

    def create(self, name: str, *, private: bool = False, gated: bool = False, accepted: Any = ()) -> Repository:
        """A new repository, whose first commit has the `.gitattributes` that the Hub puts there."""
        with self.lock:
            repository = Repository(name, private, gated, tuple(accepted))
            self._repositories[name] = repository
            self.commit(repository, "initial commit", {".gitattributes": self.keep(GIT_ATTRIBUTES)})
            return repository

    def commit(self, repository: Repository, message: str, files: dict[str, Entry | None]) -> str:
        """Add a commit to `main` in which these files are changed, or gone; its identifier."""
        with self.lock:
            parent = repository.branches.get("main")
            tree = {**(repository.commits[parent].files if parent else {}), **files}
            commit = Commit(message, parent, {path: entry for path, entry in sorted(tree.items()) if entry})
            described = json.dumps([repository.name, len(repository.commits), asdict(commit)])
            revision = hashlib.sha1(described.encode()).hexdigest()
            repository.commits[revision] = commit
            repository.branches["main"] = revision
            self._save(repository)
            return revision

    def keep(self, content: bytes | Path, path: str = "") -> Entry:
        """Keep a content, as a file of this name would be kept: in git, or beside it."""
        if isinstance(content, Path):
            return self._keep_file(content, path)
        digest = hashlib.sha256(content).hexdigest()
        (self.objects / digest).write_bytes(content)
        return self.entry(digest, is_lfs(path, len(content), content[:512]))

    def entry(self, sha256: str, lfs: bool) -> Entry:
        """The description of a content that is kept."""
        path = self.objects / sha256
        return Entry(path.stat().st_size, sha256, _pointer_oid(path, sha256) if lfs else _git_oid(path), lfs)

    def _keep_file(self, source: Path, path: str) -> Entry:
        with source.open("rb") as file:
            digest, sample = hashlib.file_digest(file, "sha256").hexdigest(), b""
            file.seek(0)
            sample = file.read(512)
        target = self.objects / digest
        if not target.exists():
            shutil.copyfile(source, target)
        return self.entry(digest, is_lfs(path, target.stat().st_size, sample))

    def _save(self, repository: Repository) -> None:
        path = self._folder / f"{repository.name.replace('/', '--')}.json"
        temporary = path.with_suffix(".part")
        temporary.write_text(json.dumps(asdict(repository)))
        os.replace(temporary, path)


def is_lfs(path: str, size: int, sample: bytes) -> bool:
    """Whether the Hub keeps a file beside git: weights, anything large, anything binary."""
    return path.endswith(".safetensors") or size > _REGULAR_BYTES or b"\0" in sample


def pointer(sha256: str, size: int) -> bytes:
    """The text that git has in place of a content that is kept beside it."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()


def _git_oid(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _pointer_oid(path: Path, sha256: str) -> str:
    text = pointer(sha256, path.stat().st_size)
    return hashlib.sha1(b"blob %d\0" % len(text) + text).hexdigest()


def _parse(values: dict[str, Any]) -> Repository:
    commits = {
        revision: Commit(
            commit["message"],
            commit["parent"],
            {path: Entry(**entry) for path, entry in commit["files"].items()},
        )
        for revision, commit in values.pop("commits").items()
    }
    return Repository(**{**values, "accepted": tuple(values["accepted"])}, commits=commits)
