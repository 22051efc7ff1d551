"""The test Hub, as tests use it: a server process, its repositories, its faults and the log of what it was asked."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.request import Request, urlopen

CHECKOUT = Path(__file__).resolve().parents[2]

OWNER = "hf_ownerAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
READER = "hf_readerBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
STRANGER = "hf_strangerCCCCCCCCCCCCCCCCCCCCCCCCC"
NARROW = "hf_narrowDDDDDDDDDDDDDDDDDDDDDDDDDDDD"
UNKNOWN = "hf_nobodyEEEEEEEEEEEEEEEEEEEEEEEEEEEE"


class HubServer:
    """A server process of `tests.hub.server`; a context manager that ends it."""

    def __init__(self, root: Path | None = None) -> None:
        """Nothing runs before the block is entered; without a folder, a temporary one is used."""
        self._temporary = None if root else tempfile.TemporaryDirectory(prefix="hub-", ignore_cleanup_errors=True)
        self.root = root or Path(self._temporary.name)
        self.address = ""

    def __enter__(self) -> HubServer:
        command = [sys.executable, "-m", "tests.hub.server", "--root", str(self.root)]
        self._process = subprocess.Popen(
            command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            raise RuntimeError("the test Hub did not start")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._temporary:
            self._temporary.cleanup()

    def stop(self) -> None:
        """End the process: from now on nobody answers at its address."""
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    @property
    def storage(self) -> str:
        """The address that large files come from."""
        return self._control("state")["storage"]

    def add(
        self,
        name: str,
        files: Mapping[str, bytes | str | Path],
        *,
        private: bool = False,
        gated: bool = False,
        accepted: tuple[str, ...] = (),
        message: str = "a commit",
    ) -> str:
        """Commit files to a repository, which is made if need be; the revision.

        `accepted` are the users who may download from a gated one, of `tests.hub.access.USERS`.
        """
        wanted = {"name": name, "private": private, "gated": gated, "accepted": accepted, "message": message}
        return self._control("repos", {**wanted, "files": _encoded(files)})["revision"]

    def add_folder(self, name: str, folder: Path, **options: Any) -> str:
        """Commit all files of a folder; the revision."""
        files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
        return self.add(name, files, **options)

    def plain(self, path: str, files: Mapping[str, bytes | str | Path]) -> str:
        """Serve files as they are, as any web server does; the folder's address."""
        self._control("plain", {"files": {f"{path}/{name}": value for name, value in _encoded(files).items()}})
        return f"{self.address}/plain/{path}"

    def fault(self, match: str, action: str, *, times: int | None = 1, after: int = 0, **options: Any) -> None:
        """Have something go wrong with the requests whose "METHOD path" matches: see `tests.hub.faults`.

        `times` None is for ever; `after` requests that match are answered first.
        """
        if isinstance(options.get("content"), bytes):
            options["content"] = base64.b64encode(options["content"]).decode()
        self._control("faults", {"match": match, "action": action, "times": times, "after": after, **options})

    def log(self) -> list[dict[str, Any]]:
        """Every request so far, in order: method, path, query, range, authorization, user, host, status, sent."""
        return self._control("log")

    def requests(self) -> list[str]:
        """The log's "METHOD path", what the client asks once a process (`/api/agent-harnesses`) left out."""
        lines = [f"{entry['method']} {entry['path']}" for entry in self.log()]
        return [line for line in lines if "/api/agent-harnesses" not in line]

    def reset(self, *, keep_repositories: bool = False) -> None:
        """Forget the faults, the log and, unless they are to be kept, the repositories and plain files."""
        self._control("reset", {"keep_repositories": keep_repositories})

    def _control(self, command: str, wanted: Any = None) -> Any:
        body = json.dumps(wanted).encode() if wanted is not None else None
        with urlopen(Request(f"{self.address}/_control/{command}", body), timeout=30) as response:
            return json.load(response)


def _encoded(files: Mapping[str, bytes | str | Path]) -> dict[str, dict[str, str]]:
    def encoded(content: bytes | str | Path) -> dict[str, str]:
        if isinstance(content, Path):
            return {"path": str(content.resolve())}
        content = content.encode() if isinstance(content, str) else content
        return {"content": base64.b64encode(content).decode()}

    return {name: encoded(content) for name, content in files.items()}
