"""A preset on the test Hub, and this process set up to fetch it: what the tests of pulling share."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.hub.client import HubServer
from tests.hub.conftest import HubEnvironment
from zoo_core import hub, user_config
from zoo_core.errors import DownloadError, ZooError
from zoo_core.hub import Progress
from zoo_core.records import File, Preset
from zoo_core.user_config import UserConfig

REPO = "toys/net"
FILES = {
    "config.json": b'{"schema": 1, "model": "tiny/tiny", "arguments": {}}',
    "model.safetensors": bytes(range(256)) * 4000,
    "run.json": b'{"model": "tiny/tiny"}',
}
WEIGHTS = "model.safetensors"
HEADS, BODIES = "^HEAD /toys", "^GET /(toys|lfs-store)/"
CONFIG_HEAD = "^HEAD .*config.json"
WEIGHTS_BODY = f"^GET /lfs-store/{hashlib.sha256(FILES[WEIGHTS]).hexdigest()}"

# A script for another process: fetches the preset that is its first argument, and prints the folder or the error.
FETCH = """
import json, sys
from zoo_core import hub
from zoo_core.errors import ZooError
from zoo_core.records import File, Preset
given = json.loads(sys.argv[1])
given["files"] = tuple(File(**file) for file in given["files"])
try:
    print(hub.fetch_verified(Preset(**given)))
except ZooError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@dataclass
class Remote:
    """The preset of FILES in a repository of the test Hub; `told` is what fetching it reported."""

    server: HubServer
    environment: HubEnvironment
    revision: str = ""
    told: list[Progress] = field(default_factory=list)

    def preset(self, files: Mapping[str, bytes] = FILES, *, repo: str = REPO, revision: str = "") -> Preset:
        """As a manifest pins it."""
        recorded = tuple(recorded_file(name, content) for name, content in files.items())
        return Preset("net", "far", "MIT", 7, files=recorded, repo=repo, revision=revision or self.revision)

    def fetch(self, preset: Preset | None = None) -> Path:
        """Fetch it, in this process."""
        return hub.fetch_verified(preset or self.preset(), report=self.told.append)

    @property
    def notes(self) -> list[str]:
        """What there was to tell."""
        return [progress.note for progress in self.told if progress.note]

    def configure(self, **settings: tuple[object, ...]) -> None:
        """Write the user's settings."""
        user_config.write(UserConfig(**settings))  # type: ignore[arg-type]  # as UserConfig has them

    def downloads(self) -> list[str]:
        """The files whose bodies were sent, by the size of what was sent, in order."""
        return [entry["path"] for entry in self.server.log() if entry["method"] == "GET" and entry["sent"]]


def recorded_file(name: str, content: bytes) -> File:
    """A file as a manifest records it."""
    return File(name, len(content), hashlib.sha256(content).hexdigest())


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def message(remote: Remote, kind: type[ZooError] = DownloadError, **options: Any) -> str:
    """The error that fetching raises: one line that is no guess, and after which nothing half-done is left."""
    with pytest.raises(kind) as caught:
        remote.fetch(remote.preset(**options))
    text = str(caught.value)
    assert "\n" not in text
    assert "your connection" not in text
    assert not list(remote.environment.cache.rglob("*.incomplete"))
    return text
