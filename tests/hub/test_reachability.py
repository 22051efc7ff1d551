"""Who `zoo doctor` can reach: the host that is blocked is named, and nobody is waited for."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FakePlugins
from tests.hub.client import HubServer
from zoo_core import doctor, manifest, user_config
from zoo_core.doctor import Finding
from zoo_core.doctor.reachability import Reachability
from zoo_core.manifest import Manifest, Model, Preset
from zoo_core.presets import describe
from zoo_core.user_config import Mirror, RegistryLocation, UserConfig

NOWHERE = "https://mirror.invalid"


@pytest.fixture
def surroundings(
    hub_server: HubServer, only_fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> HubServer:
    """The test Hub in the place of the Hub, and no proxy, token or cache."""
    for name in ("HF_HUB_OFFLINE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_ENDPOINT", hub_server.address)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    return hub_server


@pytest.fixture
def closed_port() -> Iterator[str]:
    """An address of this machine at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def add_preset(plugins: FakePlugins, server: HubServer, tmp_path: Path) -> None:
    """A plugin with a preset on the test Hub, whose weights it redirects for to another host."""
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    revision = server.add("toys/tiny", {weights.name: b"weights"})
    preset = Preset("tiny", "far", "MIT", 3, files=(describe(weights),), repo="toys/tiny", revision=revision)
    models = (Model("tiny", "zoo_tiny.parts:Tiny", "testing"),)
    plugins.add("tiny", manifest=manifest.render(Manifest("tiny", models=models, presets=(preset,))))


def found(check: str = "hub", seconds: float = 3.0) -> Finding:
    (finding,) = (each for each in Reachability(seconds).findings() if each.check == check)
    return finding


def host_of(address: str) -> str:
    return address.partition("://")[2]


def test_a_hub_that_answers_is_ok_and_sees_no_token(surroundings: HubServer) -> None:
    finding = found()
    assert (finding.status, finding.fix) == ("ok", "")
    assert finding.detail.startswith(f"{host_of(surroundings.address)} answers in 0.")
    assert [(entry["method"], entry["authorization"]) for entry in surroundings.log()] == [("HEAD", None)]


def test_where_large_files_come_from_is_tried_too(
    surroundings: HubServer, only_fake_plugins: FakePlugins, tmp_path: Path
) -> None:
    add_preset(only_fake_plugins, surroundings, tmp_path)
    storage = host_of(surroundings.storage)
    assert found().detail.endswith(f", large files come from {storage}")
    assert not any(entry["authorization"] for entry in surroundings.log())


def test_the_host_that_is_blocked_is_named(
    surroundings: HubServer, only_fake_plugins: FakePlugins, tmp_path: Path, closed_port: str
) -> None:
    add_preset(only_fake_plugins, surroundings, tmp_path)
    surroundings.fault("HEAD /toys", "redirect", location=f"{closed_port}/file")
    finding = found()
    expected = f"it answers, but sends on to {host_of(closed_port)}, and there: it refuses the connection"
    assert finding.detail == f"{host_of(surroundings.address)} cannot be reached: {expected}"
    assert finding.status == "error", "the plugin's weights can come from nowhere"


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"action": "drop"}, "it ends the connection without an answer"),
        ({"action": "status", "code": 503}, "it answers 503"),
        ({"action": "status", "code": 407}, "the proxy wants a name and a password (407)"),
    ],
)
def test_what_is_wrong_is_said(fault: dict, reason: str, surroundings: HubServer) -> None:
    surroundings.fault("HEAD", times=None, **fault)
    finding = found()
    assert (finding.status, finding.detail) == (
        "warning",
        f"{host_of(surroundings.address)} cannot be reached: {reason}",
    )
    assert "unset HF_ENDPOINT" in finding.fix
    assert str(user_config.path()) in finding.fix


@pytest.mark.parametrize("code", [200, 401, 403, 404, 405])
def test_any_answer_of_the_host_itself_is_one(code: int, surroundings: HubServer) -> None:
    surroundings.fault("HEAD", "status", times=None, code=code)
    assert found().status == "ok"


def test_nobody_is_waited_for(surroundings: HubServer) -> None:
    user_config.write(UserConfig(mirrors=(Mirror("folder", surroundings.plain("weights", {"index": "here"})),)))
    surroundings.fault("HEAD /$", "stall", times=None, seconds=20)
    start = time.monotonic()
    findings = {finding.check: finding for finding in Reachability(seconds=0.7).findings()}
    assert time.monotonic() - start < 2
    assert findings["hub"].detail.endswith(" cannot be reached: no answer within 0.7 s")
    assert findings["mirror (folder)"].status == "ok"


def test_every_mirror_and_registry_is_tried(surroundings: HubServer, closed_port: str, tmp_path: Path) -> None:
    registries = (RegistryLocation("acme", f"{closed_port}/registry.toml"), RegistryLocation("here", str(tmp_path)))
    user_config.write(UserConfig(registries, (Mirror("hub", NOWHERE), Mirror("folder", surroundings.address))))
    findings = {finding.check: finding for finding in Reachability().findings()}
    assert sorted(findings) == ["hub", "mirror (folder)", "mirror (hub)", "registry acme"]
    assert findings["mirror (hub)"].detail == "mirror.invalid cannot be reached: its name is not known here (DNS)"
    assert findings["registry acme"].fix.startswith("zoo registry remove acme")
    assert {check: finding.status for check, finding in findings.items()} == {
        "hub": "ok",
        "mirror (folder)": "ok",
        "mirror (hub)": "warning",
        "registry acme": "warning",
    }


def test_a_mirror_that_answers_makes_a_blocked_hub_a_warning(
    surroundings: HubServer,
    only_fake_plugins: FakePlugins,
    tmp_path: Path,
    closed_port: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    add_preset(only_fake_plugins, surroundings, tmp_path)
    monkeypatch.setenv("HF_ENDPOINT", closed_port)
    assert found().status == "error"
    user_config.write(UserConfig(mirrors=(Mirror("hub", surroundings.address),)))
    assert found().status == "warning"


def test_without_network_nothing_is_asked(surroundings: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_NO_PROBE", "1")
    list(doctor.diagnose(network=False))
    assert surroundings.log() == []
    assert [each.check for each in doctor.diagnose() if each.section == "network"] == ["hub"]
    assert len(surroundings.log()) == 1
