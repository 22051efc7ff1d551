"""The test Hub for tests, and an environment in which the client knows of no other."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.hub.client import CHECKOUT, OWNER, HubServer
from tests.hub.plugin import install, save_dot

if TYPE_CHECKING:
    from tests.hub.remote import Remote

_TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_TOKEN")
_ELSEWHERE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@dataclass(frozen=True)
class HubEnvironment:
    """A home of its own, and the variables with which a process uses it and the test Hub."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        """The client's cache."""
        return Path(self.variables["HF_HUB_CACHE"])

    def run(self, *command: str, timeout: float = 120, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `hf`, or Python with these arguments, with these variables and those of the environment."""
        program = [str(Path(sys.executable).with_name("hf"))] if command[0] == "hf" else [sys.executable, command[0]]
        return subprocess.run(
            [*program, *command[1:]],
            env={**self.variables, **variables},
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def zoo(self, *arguments: str, timeout: float = 120, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run `zoo` with these arguments."""
        return self.run("-m", "zoo_core", *arguments, timeout=timeout, **variables)


@pytest.fixture(scope="session")
def hub_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """One server process for all tests of a session."""
    with HubServer(tmp_path_factory.mktemp("hub")) as server:
        yield server


@pytest.fixture
def hub_server(hub_process: HubServer) -> HubServer:
    """The test Hub, empty and without faults."""
    hub_process.reset()
    return hub_process


@pytest.fixture
def hub_environment(hub_server: HubServer, tmp_path: Path) -> HubEnvironment:
    """Variables for a process that finds the test Hub as HF_ENDPOINT, no token, and empty homes and caches."""
    home = tmp_path / "hub-home"
    home.mkdir()
    unwanted = {*_TOKENS, *_ELSEWHERE, *_PROXIES}
    inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
    variables = {
        **inherited,
        "HF_ENDPOINT": hub_server.address,
        "HF_HOME": str(home / "huggingface"),
        "HF_HUB_CACHE": str(home / "huggingface" / "hub"),
        "ZOO_HOME": str(home / "zoo"),
        "ZOO_CONFIG": str(home / "config.toml"),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONPATH": os.pathsep.join([str(CHECKOUT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep),
        "NO_PROXY": "127.0.0.1",
    }
    return HubEnvironment(home, variables)


@pytest.fixture
def remote(hub_environment: HubEnvironment, hub_server: HubServer, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """A preset on the test Hub, and this process set up to fetch it, trying again without long waits."""
    from huggingface_hub import constants

    from tests.hub.remote import FILES, REPO, Remote
    from zoo_core.hub import patience

    for name in (*_TOKENS, *_ELSEWHERE, *_PROXIES):
        monkeypatch.delenv(name, raising=False)
    for name in ("HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "ZOO_HOME", "ZOO_CONFIG"):
        monkeypatch.setenv(name, hub_environment.variables[name])
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(hub_environment.home / "no-token"))
    monkeypatch.setattr(patience, "LIMITS", patience.Limits(pause=0.01, waiting=2.0))
    return Remote(hub_server, hub_environment, hub_server.add(REPO, FILES))


@pytest.fixture
def trusted_hub(hub_server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """The test Hub as this process' endpoint, trusted with the owner's token; the settings are in tmp_path."""
    from huggingface_hub import constants

    from tests.hub.publishing import trust

    for name in (*_TOKENS, *_ELSEWHERE, *_PROXIES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", hub_server.address)
    monkeypatch.setenv("HF_TOKEN", OWNER)
    monkeypatch.setenv("ZOO_CONFIG", str(tmp_path / "config.toml"))
    trust(tmp_path, hub_server.address)
    return hub_server


@pytest.fixture
def dots(only_fake_plugins: Any) -> Any:
    """The plugin `dots` of tests.hub.plugin, installed; gives its module zoo_dots.dots."""
    return install(only_fake_plugins)


@pytest.fixture
def preset_folder(dots: Any, tmp_path: Path) -> Path:
    """The folder of a preset of `dots`."""
    return save_dot(dots, tmp_path / "dot")
