"""The test Hub, seen through the real client: what the tests of pulling and publishing stand on."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

import pytest

from tests.hub.client import NARROW, OWNER, READER, STRANGER, UNKNOWN, HubServer
from tests.hub.conftest import HubEnvironment

CARD = """\
---
license: apache-2.0
library_name: keras
model-index:
- name: net
  results:
  - task: {type: other}
    dataset: {name: MNIST, type: mnist}
    metrics:
    - {type: bits_per_dim, value: 1.25}
---
# A net
"""
FILES = {"config.json": b'{"schema": 1}', "model.safetensors": b"weights" * 1000, "README.md": CARD.encode()}

UPLOAD = """
import json, sys
from huggingface_hub import HfApi
api = HfApi()
api.create_repo("toys/net", private=len(sys.argv) > 2)
first = api.upload_folder(repo_id="toys/net", folder_path=sys.argv[1], commit_message="the first")
second = api.upload_folder(repo_id="toys/net", folder_path=sys.argv[1], commit_message="the second")
info = api.model_info("toys/net", files_metadata=True)
print(json.dumps({
    "first": first.oid, "second": second.oid, "sha": info.sha, "private": info.private,
    "files": {file.rfilename: file.lfs.sha256 if file.lfs else file.blob_id for file in info.siblings},
}))
"""

REFUSED = """
import sys
from huggingface_hub import CommitOperationAdd, HfApi
api, add = HfApi(), CommitOperationAdd("notes.txt", b"notes")
for ask in (
    lambda: api.create_commit("toys/net", [add], commit_message="late", parent_commit=sys.argv[1]),
    lambda: api.create_repo("toys/net"),
    lambda: api.create_repo("strangers/net"),
):
    try:
        ask()
    except Exception as error:
        print(error.response.status_code)
"""


def fetched(address: str, method: str = "GET", token: str = "", **headers: str):
    """Status, headers and body of a request, redirects followed."""
    headers = {**headers, **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        with urlopen(Request(address, method=method, headers=headers), timeout=10) as response:
            return response.status, dict(response.headers), response.read()
    except HTTPError as error:
        with error:
            return error.code, dict(error.headers), error.read()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a preset's files."""
    folder = tmp_path / "net"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    return folder


def test_what_the_client_uploads_is_what_it_and_its_command_line_download(hub_server, hub_environment, folder):
    script = hub_environment.home / "upload.py"
    script.write_text(UPLOAD)
    uploaded = hub_environment.run(str(script), str(folder), HF_TOKEN=OWNER, HF_HUB_DISABLE_XET="1")
    assert uploaded.returncode == 0, uploaded.stderr
    told = json.loads(uploaded.stdout)
    assert told["first"] == told["second"] == told["sha"]
    assert not told["private"]
    assert told["files"]["model.safetensors"] == hashlib.sha256(FILES["model.safetensors"]).hexdigest()
    blob = hashlib.sha1(b"blob %d\0" % len(FILES["config.json"]) + FILES["config.json"])
    assert told["files"]["config.json"] == blob.hexdigest()

    downloaded = hub_environment.run("hf", "download", "toys/net", "--revision", told["sha"])
    assert downloaded.returncode == 0, downloaded.stderr
    snapshot = hub_environment.cache / "models--toys--net" / "snapshots" / told["sha"]
    assert {name: (snapshot / name).read_bytes() for name in FILES} == FILES

    verified = hub_environment.run("hf", "cache", "verify", "toys/net", "--revision", told["sha"])
    assert verified.returncode == 0, verified.stderr
    damaged = bytearray(FILES["model.safetensors"])
    damaged[5] ^= 1
    (snapshot / "model.safetensors").resolve().write_bytes(damaged)
    again = hub_environment.run("hf", "cache", "verify", "toys/net", "--revision", told["sha"])
    assert again.returncode == 1
    assert "model.safetensors" in again.stdout + again.stderr


def test_large_files_come_from_another_host_that_sees_no_token(hub_server, hub_environment):
    hub_server.add("toys/net", FILES, private=True)
    run = hub_environment.run("hf", "download", "toys/net", "model.safetensors", HF_TOKEN=READER)
    assert run.returncode == 0, run.stderr
    stored = [entry for entry in hub_server.log() if entry["path"].startswith("/lfs-store/")]
    assert [entry["user"] for entry in stored] == [""]
    assert f"http://{stored[0]['host']}" == hub_server.storage != hub_server.address
    resolved = [entry for entry in hub_server.log() if "/resolve/" in entry["path"]]
    assert {entry["user"] for entry in resolved} == {"reader"}


def test_a_card_is_validated(hub_environment, folder):
    script = hub_environment.home / "validate.py"
    script.write_text("import sys, huggingface_hub as h\nh.ModelCard.load(sys.argv[1]).validate()\nprint('valid')")
    card = folder / "README.md"
    assert hub_environment.run(str(script), str(card)).stdout == "valid\n"
    for wrong, told in {
        "license: apache-2.0": "license: of-my-own",
        "type: bits_per_dim, value: 1.25": "type: bits_per_dim",
        "library_name: keras": "pipeline_tag: dreaming",
    }.items():
        card.write_text(CARD.replace(wrong, told))
        run = hub_environment.run(str(script), str(card))
        assert run.returncode == 1, wrong
        assert "ValueError" in run.stderr


@pytest.mark.parametrize(
    ("token", "status", "code"),
    [
        ("", 401, "RepoNotFound"),
        (UNKNOWN, 401, None),
        (STRANGER, 404, "RepoNotFound"),
        (NARROW, 403, None),
        (READER, 200, None),
        (OWNER, 200, None),
    ],
)
def test_a_private_repository_is_for_those_who_may(hub_server, token, status, code):
    revision = hub_server.add("toys/secret", FILES, private=True)
    for path in ("api/models/toys/secret", f"toys/secret/resolve/{revision}/config.json"):
        answered, headers, _ = fetched(f"{hub_server.address}/{path}", token=token)
        assert (answered, headers.get("X-Error-Code")) == (status, code)


def test_a_gated_repository_shows_its_files_to_those_let_in(hub_server):
    revision = hub_server.add("toys/gated", FILES, gated=True, accepted=("reader",))
    address = f"{hub_server.address}/toys/gated/resolve/{revision}/config.json"
    assert fetched(f"{hub_server.address}/api/models/toys/gated")[0] == 200
    assert fetched(address, token=READER)[2] == FILES["config.json"]
    for token, status in {"": 401, STRANGER: 403}.items():
        answered, headers, _ = fetched(address, token=token)
        assert (answered, headers["X-Error-Code"]) == (status, "GatedRepo")


def test_what_is_not_there_is_named(hub_server):
    revision = hub_server.add("toys/net", FILES)
    for path, code in {
        f"toys/net/resolve/{revision}/missing.txt": "EntryNotFound",
        f"toys/net/resolve/{'0' * 40}/config.json": "RevisionNotFound",
    }.items():
        status, headers, _ = fetched(f"{hub_server.address}/{path}")
        assert (status, headers["X-Error-Code"]) == (404, code)
    assert fetched(f"{hub_server.address}/api/models/toys/none", token=OWNER)[1]["X-Error-Code"] == "RepoNotFound"


def test_ranges_are_served(hub_server):
    revision = hub_server.add("toys/net", FILES)
    for name in ("config.json", "model.safetensors"):
        status, headers, body = fetched(f"{hub_server.address}/toys/net/resolve/{revision}/{name}", Range="bytes=3-7")
        assert (status, body) == (206, FILES[name][3:8])
        assert headers["Content-Range"] == f"bytes 3-7/{len(FILES[name])}"


def test_plain_files_are_served_as_they_are_and_nothing_outside_their_folder(hub_server):
    address = hub_server.plain("mirror", {"a/config.json": "text"})
    assert fetched(f"{address}/a/config.json")[2] == b"text"
    assert fetched(f"{address}/../../../../etc/passwd")[0] == 404
    assert fetched(f"{address}/a")[0] == 404


def test_a_stale_parent_is_refused_and_a_second_creation_too(hub_server, hub_environment):
    first = hub_server.add("toys/net", FILES)
    hub_server.add("toys/net", {"config.json": "{}"})
    script = hub_environment.home / "commit.py"
    script.write_text(REFUSED)
    run = hub_environment.run(str(script), first, HF_TOKEN=OWNER)
    assert run.stdout.split() == ["412", "409", "403"], run.stderr


def test_faults_happen_as_often_as_asked_and_then_no_more(hub_server):
    address = f"{hub_server.plain('files', {'a': b'0123456789' * 10})}/a"
    hub_server.fault("GET /plain/files/a", "status", code=429, headers={"Retry-After": "3"}, times=2, after=1)
    answers = [fetched(address)[:2] for _ in range(4)]
    assert [status for status, _ in answers] == [200, 429, 429, 200]
    assert answers[1][1]["Retry-After"] == "3"
    hub_server.fault("GET", "flip", offset=7)
    assert fetched(address)[2] == b"0123456" + bytes([ord("7") ^ 1]) + b"89" + b"0123456789" * 9
    hub_server.fault("GET", "size", size=20)
    assert fetched(address)[2] == b"0123456789" * 2
    hub_server.fault("GET", "replace", content=b"other content")
    assert fetched(address, Range="bytes=6-")[2] == b"content"
    hub_server.fault("GET", "redirect", location=f"{hub_server.address}/elsewhere")
    assert fetched(address)[0] == 404
    hub_server.fault("GET", "headers", headers={"X-More": "yes"})
    assert fetched(address)[1]["X-More"] == "yes"
    assert fetched(address)[0] == 200


def test_connections_break_and_lag_when_asked(hub_server):
    content = b"0123456789" * 100
    address = f"{hub_server.plain('files', {'a': content})}/a"
    hub_server.fault("GET", "cut", bytes=300)
    with pytest.raises(IncompleteRead, match="300 bytes"):
        fetched(address)
    hub_server.fault("GET", "drop")
    with pytest.raises((URLError, ConnectionError)):
        fetched(address)
    hub_server.fault("GET", "declare", size=2000)
    with pytest.raises(IncompleteRead, match="1000 bytes"):
        fetched(address)
    for fault, options in {"slow": {"rate": 4000}, "stall": {"seconds": 0.25}}.items():
        hub_server.fault("GET", fault, **options)
        started = time.monotonic()
        assert fetched(address)[2] == content
        assert 0.2 < time.monotonic() - started < 5


def test_the_server_ends_with_its_standard_input(tmp_path):
    with HubServer(tmp_path) as server:
        assert fetched(f"{server.address}/api/agent-harnesses")[0] == 404
    assert server._process.returncode == 0
    with pytest.raises(URLError):
        fetched(server.address)


def test_repositories_outlive_the_process(tmp_path):
    with HubServer(tmp_path) as server:
        revision = server.add("toys/net", FILES)
    with HubServer(tmp_path) as server:
        assert (
            fetched(f"{server.address}/toys/net/resolve/{revision}/model.safetensors")[2] == FILES["model.safetensors"]
        )


def test_it_is_a_command(tmp_path):
    command = [sys.executable, "-m", "tests.hub.server", "--root", str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        process.terminate()
        assert process.wait(10) == 0


def test_the_environment_has_no_token_of_the_person_who_runs_the_tests(hub_environment: HubEnvironment):
    assert not [name for name in hub_environment.variables if name in ("HF_TOKEN", "HF_TOKEN_PATH")]
    told = hub_environment.run("-c", "import huggingface_hub as h; print(h.get_token(), h.constants.ENDPOINT)")
    assert told.stdout.split() == ["None", hub_environment.variables["HF_ENDPOINT"]]
