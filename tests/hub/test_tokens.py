"""A token is sent to whom the user trusts, and shown or written down nowhere: neither printed nor in any file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.hub.client import OWNER, HubServer
from tests.hub.plugin import save_dot

ECHO = {"code": 403, "times": None, "message": f"the token {OWNER} may not do this", "headers": {"X-You-Sent": OWNER}}


@pytest.fixture
def mirror(tmp_path):
    """Another Hub, which is not trusted."""
    with HubServer(tmp_path / "mirror") as server:
        yield server


@pytest.fixture
def told(hub_environment, hub_server, mirror, only_fake_plugins, dots, tmp_path):
    """Runs `zoo` with a token, the test Hub trusted and a mirror that isn't; keeps all that it prints."""
    settings = f"""\
schema = 1
trusted-endpoints = ["{hub_server.address}"]
[[mirrors]]
kind = "hub"
url = "{mirror.address}"
"""
    (hub_environment.home / "config.toml").write_text(settings, encoding="utf-8")
    paths = [hub_environment.variables["PYTHONPATH"], str(only_fake_plugins.folder)]
    more = {"PYTHONPATH": os.pathsep.join(paths), "ZOO_REGISTRY": os.environ["ZOO_REGISTRY"], "HF_DEBUG": "1"}
    hub_environment.variables.update(more, TF_CPP_MIN_LOG_LEVEL="3", ZOO_DEBUG="1")
    printed: list[str] = []

    def run(*arguments: str, status: int = 0, **variables: str) -> str:
        done = hub_environment.zoo(*arguments, **variables)
        assert done.returncode == status, done.stderr
        printed.append(done.stdout + done.stderr)
        return done.stdout

    run.printed = printed
    return run


def holding(token: str, *folders: Path) -> list[str]:
    """The files below these folders that hold the token."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files if token.encode() in path.read_bytes()]


def authorised(server: HubServer) -> set[str | None]:
    """What the server was sent as authorization."""
    return {entry["authorization"] for entry in server.log()}


def test_no_token_is_printed_or_written_by_whatever_zoo_does(
    told, hub_environment, hub_server, mirror, only_fake_plugins, tmp_path
):
    from zoo_dots import dots

    folder = save_dot(dots, tmp_path / "dot")
    published = json.loads(
        told("publish", str(folder), "--repo", "toys/dot", "--yes", "--record", "--json", HF_TOKEN=OWNER)
    )
    place = f"hf://toys/dot@{published['revision']}"
    assert f"Bearer {OWNER}" in authorised(hub_server)

    # From here on the token is where `hf auth login` puts it.
    login = Path(hub_environment.variables["HF_HOME"], "token")
    login.parent.mkdir(parents=True, exist_ok=True)
    login.write_text(OWNER)
    hub_server.reset(keep_repositories=True)
    told("pull", place)
    assert f"Bearer {OWNER}" in authorised(hub_server)
    for command in (("freeze", "--output", "zoo.lock"), ("cache", "list", "--json"), ("cache", "verify"), ("list",)):
        told(*command)
    told("registry", "add", hub_server.plain("r", {"registry.toml": "schema = 1\n"}) + "/registry.toml", "--yes")

    # A server that repeats what it was sent, to those who asked for the whole traceback.
    hub_server.fault("/toys/", "status", **ECHO)
    told("pull", "hf://toys/other@" + "0" * 40, status=1)
    hub_server.fault("/api/", "status", **ECHO)
    told("publish", str(folder), "--repo", "toys/another", "--yes", status=1)

    assert [text for text in told.printed if OWNER in text] == []
    assert "may not do this" in told.printed[-1]
    assert "Traceback" in told.printed[-1]
    plugins = only_fake_plugins.folder
    assert holding(OWNER, hub_environment.home, folder, plugins) == [str(login)]
    assert {entry["authorization"] for entry in hub_server.log() if "/plain/" in entry["path"]} == {None}
    assert authorised(mirror) == {None}


def test_a_published_file_is_no_way_to_one_elsewhere(dots, preset_folder, tmp_path):
    from zoo_core.errors import PublishError
    from zoo_core.publication import prepare

    (tmp_path / "id_ed25519").write_text("a secret key")
    (preset_folder / "sample.png").symlink_to("../id_ed25519")
    with pytest.raises(PublishError, match=r"sample\.png leads out of the folder"):
        prepare(preset_folder, "toys/dot")
