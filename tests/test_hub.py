"""Presets on the Hub: the real client against a small server on the loopback interface."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from zoo_core import hub
from zoo_core.errors import DownloadError, IntegrityError, OfflineError
from zoo_core.records import File, Preset

REVISION = "0123456789abcdef0123456789abcdef01234567"
FILES = {"config.json": b'{"schema": 1}', "model.safetensors": b"weights" * 1000}


@dataclass
class Hub:
    """What the server has, what it answers instead (`status` with an error code), and what it was asked."""

    files: dict[str, bytes] = field(default_factory=lambda: dict(FILES))
    status: int = 0
    error_code: str = ""
    requests: list[str] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    address: str = ""

    def handler(hub):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self):
                self.answer(body=False)

            def do_GET(self):
                self.answer(body=True)

            def answer(self, body):
                hub.requests.append(f"{self.command} {self.path}")
                if "/toys/net/" in self.path:
                    hub.tokens.add(self.headers.get("authorization"))
                tree, name = f"/api/models/toys/net/tree/{REVISION}", self.path.rpartition("/")[2]
                if hub.status:
                    self.send(hub.status, b"", body, **{"X-Error-Code": hub.error_code})
                elif self.path.startswith(tree):
                    self.send(200, json.dumps(hub.tree()).encode(), body)
                elif self.path.startswith(f"/toys/net/resolve/{REVISION}/") and name in hub.files:
                    digest = hashlib.sha256(name.encode()).hexdigest()
                    self.send(200, hub.files[name], body, **{"X-Repo-Commit": REVISION, "ETag": f'"{digest}"'})
                else:
                    self.send(404, b"", body, **{"X-Error-Code": "EntryNotFound"})

            def send(self, status, content, body, **headers):
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if body:
                    self.wfile.write(content)

            def log_message(self, *_):
                pass

        return Handler

    def tree(self):
        return [
            {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(name.encode()).hexdigest()}
            for name, content in self.files.items()
        ]


@contextmanager
def served(hub):
    server = ThreadingHTTPServer(("127.0.0.1", 0), hub.handler())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def remote(tmp_path, monkeypatch):
    """A Hub that serves the preset, and a client that has an empty cache and talks to it alone."""
    from huggingface_hub import constants

    remote = Hub()
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf" / "hub"))
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "hf" / "token"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(time, "sleep", lambda _: None)  # the client waits 23 s between its attempts
    with served(remote) as address:
        remote.address = address
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        yield remote


def preset(files=FILES, revision=REVISION):
    recorded = tuple(File(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items())
    return Preset("net", "far", "MIT", 7, files=recorded, repo="toys/net", revision=revision)


def test_a_preset_is_downloaded_checked_and_then_left_alone(remote):
    folder = hub.fetch_verified(preset())
    assert folder == hub.snapshot_folder(preset())
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    asked = len(remote.requests)
    assert hub.fetch_verified(preset()) == folder
    assert hub.fetch_verified(preset(), offline=True) == folder
    assert len(remote.requests) == asked


def test_only_the_files_of_the_manifest_are_downloaded(remote):
    remote.files["evil.py"] = b"print('hello')"
    assert sorted(os.listdir(hub.fetch_verified(preset()))) == sorted(FILES)


def test_a_file_that_was_damaged_on_the_disk_is_downloaded_again(remote):
    folder = hub.fetch_verified(preset())
    for damage in (b"WEIGHTS" * 1000, b"weights"):
        (folder / "model.safetensors").resolve().write_bytes(damage)
        hub.fetch_verified(preset())
        assert (folder / "model.safetensors").read_bytes() == FILES["model.safetensors"]


def test_a_file_that_is_not_the_recorded_one_is_refused(remote):
    remote.files["model.safetensors"] = b"WEIGHTS" * 1000
    with pytest.raises(IntegrityError, match=r"model\.safetensors: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}"):
        hub.fetch_verified(preset())


def test_damage_is_found_offline_too(remote):
    folder = hub.fetch_verified(preset())
    (folder / "model.safetensors").resolve().write_bytes(b"WEIGHTS" * 1000)
    with pytest.raises(IntegrityError, match="sha256"):
        hub.fetch_verified(preset(), offline=True)


def test_offline_and_not_in_the_cache_is_an_error_without_a_request(remote, monkeypatch):
    with pytest.raises(OfflineError, match="toys/net at 0123456789ab: not wholly in .*, and the network is off"):
        hub.fetch(preset(), offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError, match="unset HF_HUB_OFFLINE"):
        hub.fetch(preset())
    assert remote.requests == []


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (404, "RepoNotFound", "the Hub has no such repository, or not for you .*hf auth login"),
        (404, "RevisionNotFound", "the Hub does not have this revision"),
        (401, "", "the Hub has no such repository, or not for you"),
        (403, "", "the Hub has no such repository, or not for you"),
        (403, "GatedRepo", "its owner asks for agreement first .*/toys/net, then: hf auth login"),
        (429, "", "the Hub answered 429"),
        (500, "", "the Hub answered 500"),
        (503, "", "the Hub answered 503"),
    ],
)
def test_what_the_hub_refuses_is_said_in_one_true_line(remote, status, code, message):
    remote.status, remote.error_code = status, code
    with pytest.raises(DownloadError, match=message) as caught:
        hub.fetch(preset())
    assert str(caught.value).startswith("toys/net at 0123456789ab: ")
    assert "\n" not in str(caught.value)


def test_a_hub_that_is_not_there_is_said(remote, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(DownloadError, match=r"http://127\.0\.0\.1:9 cannot be reached: .*refused"):
        hub.fetch(preset())


def test_a_file_that_the_hub_lacks_is_said(remote):
    del remote.files["model.safetensors"]
    with pytest.raises(DownloadError, match="the Hub lacks one of its files"):
        hub.fetch_verified(preset())


def test_a_cache_that_cannot_be_written_is_said(remote, tmp_path):
    error = OSError(28, "No space left on device")
    assert "cannot write to the cache" in str(hub.explain(error, preset()))
    assert "No space left on device (set HF_HOME)" in str(hub.explain(error, preset()))


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, "{home}/.cache/huggingface/hub"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/huggingface/hub"),
        ({"HF_HOME": "~/hf", "XDG_CACHE_HOME": "/x"}, "{home}/hf/hub"),
        ({"HUGGINGFACE_HUB_CACHE": "/old", "HF_HOME": "/hf"}, "/old"),
        ({"HF_HUB_CACHE": "$HOME/new", "HUGGINGFACE_HUB_CACHE": "/old"}, "{home}/new"),
    ],
)
def test_the_cache_is_found_as_the_client_finds_it(monkeypatch, tmp_path, variables, expected):
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": str(tmp_path), **variables}.items():
        monkeypatch.setenv(name, value)
    assert str(hub.cache_folder()) == expected.format(home=tmp_path)


FETCH = f"""
import sys
from huggingface_hub import constants
from zoo_core import hub
from zoo_core.errors import ZooError
from zoo_core.records import File, Preset
assert str(hub.cache_folder()) == constants.HF_HUB_CACHE
files = ({", ".join(repr(file) for file in preset().files)},)
try:
    print(hub.fetch_verified(Preset("net", "far", "MIT", 7, files=files, repo="toys/net", revision="{REVISION}")))
except ZooError as error:
    sys.exit(type(error).__name__)
"""


def test_the_clients_variables_mean_what_they_mean_everywhere(remote, tmp_path, fake_plugins):
    variables = {"HF_ENDPOINT": remote.address, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "hf_secret"}
    offline = fake_plugins.python("-c", FETCH, **variables, HF_HUB_OFFLINE="1")
    assert (offline.returncode, offline.stderr.splitlines()[-1], remote.requests) == (1, "OfflineError", [])
    online = fake_plugins.python("-c", FETCH, **variables)
    assert online.returncode == 0, online.stderr
    assert online.stdout.startswith(str(tmp_path / "home" / "hub"))
    assert remote.tokens == {"Bearer hf_secret"}
    assert fake_plugins.python("-c", FETCH, **variables, HF_HUB_OFFLINE="1").stdout == online.stdout
