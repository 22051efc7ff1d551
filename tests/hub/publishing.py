"""What the tests of publishing share: the repository, its files, and how they are published and seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.hub.client import HubServer

REPO = "toys/dot"
NAMES = ["README.md", "config.json", "model.safetensors", "run.json", "sample.png"]


def trust(folder: Path, *addresses: str) -> None:
    """Let these endpoints have the token: in the settings' file that `trusted_hub` put into this folder."""
    (folder / "config.toml").write_text(f"schema = 1\ntrusted-endpoints = {json.dumps(addresses)}\n")


def publish(reference: Path | str, repo: str = REPO, note: Any = lambda _: None, **options: Any) -> tuple[Any, Any]:
    """Prepare and publish: the publication, and what came of it."""
    from zoo_core.hub import publishing
    from zoo_core.publication import prepare

    prepared = prepare(reference, repo, note=note, **options)
    return prepared, publishing.publish(prepared, note)


def commits(server: HubServer) -> list[str]:
    """The commits that the Hub was asked for."""
    return [line for line in server.requests() if "/commit/" in line]


def served(server: HubServer, revision: str, name: str) -> bytes:
    """A file as anybody downloads it."""
    with urlopen(f"{server.address}/{REPO}/resolve/{revision}/{name}") as response:
        return response.read()
