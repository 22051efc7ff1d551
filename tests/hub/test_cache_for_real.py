"""The cache as pulls and the real client leave it: what is found wrong there, and the commands that mend it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.conftest import FakePlugins
from tests.hub.client import HubServer
from tests.hub.conftest import HubEnvironment
from tests.test_cache import aged
from zoo_core import cache, hub, manifest, user_config
from zoo_core.cli import main
from zoo_core.config import Config
from zoo_core.doctor import weights
from zoo_core.manifest import Manifest, Model, Preset
from zoo_core.presets import describe, write_preset
from zoo_core.user_config import Mirror, UserConfig


class Toys:
    """The plugin `tiny`, whose preset lies on the test Hub, and what the command line does with it."""

    def __init__(self, server: HubServer, plugins: FakePlugins, folder: Path, capsys: pytest.CaptureFixture[str]):
        """The first revision of its preset is published, and pinned."""
        self.server, self.plugins, self.folder, self.capsys = server, plugins, folder, capsys
        write_preset(folder, Config("tiny/tiny"), {})
        plugins.add("tiny")
        self.revision = self.release("first")

    def release(self, card: str) -> str:
        """Publish the preset with another card, and have the plugin name that revision."""
        (self.folder / "README.md").write_text(card)
        self.revision = self.server.add_folder("toys/tiny", self.folder)
        files = tuple(describe(path) for path in sorted(self.folder.iterdir()))
        preset = Preset("tiny", "far", "MIT", 3, files=files, repo="toys/tiny", revision=self.revision)
        models = (Model("tiny", "zoo_tiny.parts:Tiny", "testing"),)
        text = manifest.render(Manifest("tiny", models=models, presets=(preset,)))
        self.plugins.write("zoo_tiny/zoo-plugin.toml", text)
        return self.revision

    def zoo(self, line: str) -> tuple[int, str]:
        """The status and the output of a command."""
        status = main(shlex.split(line)[1:])
        return status, self.capsys.readouterr().out

    @property
    def snapshot(self) -> Path:
        """Where the client keeps the revision that is pinned."""
        return hub.repository_folder("toys/tiny") / "snapshots" / self.revision


@pytest.fixture
def toys(
    hub_server: HubServer,
    hub_environment: HubEnvironment,
    only_fake_plugins: FakePlugins,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Toys:
    """The plugin, in this process, with the test Hub in the place of the Hub."""
    for name in ("HF_HUB_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HF_ENDPOINT", "HF_HOME", "HF_HUB_CACHE", "NO_PROXY"):
        monkeypatch.setenv(name, hub_environment.variables[name])
    return Toys(hub_server, only_fake_plugins, tmp_path / "preset", capsys)


def truncate(path: Path) -> None:
    path.resolve().write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.resolve().write_bytes(content)


def break_link(path: Path) -> None:
    path.resolve().unlink()


def unlink(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [truncate, flip, break_link, unlink])
@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_the_command_that_verify_names_mends_every_damage(damage, name: str, toys: Toys) -> None:
    assert toys.zoo("zoo pull tiny:far")[0] == 0
    assert toys.zoo("zoo cache verify")[0] == 0
    damage(toys.snapshot / name)
    status, out = toys.zoo("zoo cache verify --json")
    (row,) = json.loads(out)
    assert (status, name in row["error"], row["fix"]) == (1, True, "zoo pull tiny/tiny:far")
    found = [finding for finding in weights.findings() if finding.check == "weights tiny:far"]
    assert [finding.fix for finding in found] == ([] if damage is flip else [row["fix"]]), "sizes tell it at a glance"
    assert toys.zoo(row["fix"])[0] == 0
    assert toys.zoo("zoo cache verify")[0] == 0
    assert [finding.status for finding in weights.findings()] == ["ok"]


def test_pruning_leaves_the_clients_cache_as_the_client_expects_it(
    toys: Toys, hub_environment: HubEnvironment, tmp_path: Path
) -> None:
    old = toys.revision
    assert toys.zoo("zoo pull tiny:far")[0] == 0
    toys.server.add("others/thing", {"config.json": b"{}", "model.safetensors": b"theirs"})
    assert hub_environment.run("hf", "download", "others/thing").returncode == 0
    toys.release("second")
    assert [finding.check for finding in weights.findings() if finding.status != "ok"] == [
        "weights tiny:far",
        "leftovers",
    ]
    assert toys.zoo("zoo pull tiny:far")[0] == 0
    (leftover,) = cache.leftovers()
    assert (leftover.name, leftover.size) == (f"toys/tiny@{old}", len("first")), "the rest is shared"
    assert toys.zoo("zoo cache prune --yes") == (0, "deleted 5 B\n")
    assert [finding.status for finding in weights.findings()] == ["ok"]
    for repository in ("toys/tiny", "others/thing"):
        options = ["--revision", toys.revision] if repository == "toys/tiny" else []
        verified = hub_environment.run("hf", "cache", "verify", repository, *options)
        assert verified.returncode == 0, verified.stdout + verified.stderr
    shown = hub_environment.run("hf", "cache", "ls", "--revisions", "--json").stdout
    assert (toys.revision in shown, old in shown, "others/thing" in shown) == (True, False, True)
    asked = len(toys.server.log())
    assert toys.zoo("zoo pull tiny:far --offline")[0] == 0
    assert len(toys.server.log()) == asked


def test_removing_is_undone_by_pulling(toys: Toys) -> None:
    toys.zoo("zoo pull tiny:far")
    assert toys.zoo("zoo remove tiny:far --yes")[0] == 0
    assert [path.name for path in hub.cache_folder().iterdir() if path.name.startswith("models--")] == []
    assert cache.entries() == ()
    assert toys.zoo("zoo pull tiny:far")[0] == 0
    assert [entry.complete for entry in cache.entries()] == [True]


def test_what_was_pulled_by_its_repositorys_name_is_listed_verified_and_removed(toys: Toys) -> None:
    revision = toys.server.add_folder("people/tiny", toys.folder)
    name = f"hf://people/tiny@{revision}"
    assert toys.zoo(f"zoo pull {name}")[0] == 0
    assert [(entry.name, entry.complete) for entry in cache.entries()] == [(name, True)]
    flip(hub.repository_folder("people/tiny") / "snapshots" / revision / "model.safetensors")
    (row,) = json.loads(toys.zoo("zoo cache verify --json")[1])
    assert row["fix"] == f"zoo pull {name}"
    assert toys.zoo(row["fix"])[0] == 0
    assert toys.zoo("zoo cache verify")[0] == 0
    assert cache.leftovers() == ()
    assert toys.zoo(f"zoo remove {name} --yes")[0] == 0
    assert cache.entries() == ()


def test_what_came_from_a_plain_mirror_is_listed_verified_mended_and_pruned(
    toys: Toys, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"toys/tiny/{toys.revision}/{path.name}": path for path in toys.folder.iterdir()}
    user_config.write(UserConfig(mirrors=(Mirror("folder", toys.server.plain("weights", files)),)))
    toys.server.fault("HEAD /toys/tiny", "status", code=404, error_code="RepoNotFound", times=None)
    assert toys.zoo("zoo pull tiny:far")[0] == 0
    (entry,) = cache.entries()
    assert (entry.name, entry.source, entry.complete) == ("tiny:far", "mirror", True)
    truncate(entry.path / "model.safetensors")
    assert [finding.fix for finding in weights.findings() if finding.status == "error"] == ["zoo pull tiny/tiny:far"]
    assert toys.zoo("zoo pull tiny/tiny:far")[0] == 0
    assert toys.zoo("zoo cache verify")[0] == 0
    old = toys.revision
    toys.server.reset()
    toys.release("second")
    assert [leftover.name for leftover in cache.leftovers()] == [f"toys/tiny@{old}"]
    assert toys.zoo("zoo cache prune --yes")[0] == 0
    assert cache.entries() == ()


def test_what_a_killed_pull_leaves_is_deleted_once_it_is_old(toys: Toys, hub_environment: HubEnvironment) -> None:
    toys.server.fault("^GET .*safetensors|^GET /lfs-store", "slow", times=None, rate=5)
    path = os.pathsep.join([str(toys.plugins.folder), hub_environment.variables["PYTHONPATH"]])
    variables = {"PYTHONPATH": path, "ZOO_REGISTRY": os.environ["ZOO_REGISTRY"], "ZOO_HOME": os.environ["ZOO_HOME"]}
    with pytest.raises(subprocess.TimeoutExpired):
        hub_environment.zoo("pull", "tiny:far", timeout=4, **variables)
    (partial,) = hub.cache_folder().rglob("*.incomplete")
    assert cache.leftovers() == ()
    aged(partial)
    assert [(leftover.kind, leftover.path) for leftover in cache.leftovers()] == [("unfinished", partial)]
    assert toys.zoo("zoo cache prune --yes")[0] == 0
    assert not partial.exists()
