"""Publishing that fails: what comes back is not what was sent, the Hub refuses, or the way there breaks."""

from __future__ import annotations

import hashlib
import socket
import time

import pytest

from tests.hub.client import NARROW, OWNER, READER, STRANGER, UNKNOWN
from tests.hub.plugin import save_dot
from tests.hub.publishing import REPO, commits, publish, trust
from zoo_core.errors import IntegrityError, OfflineError, PresetError, PublishError, UsageError, ZooError
from zoo_core.publication import prepare

pytestmark = [pytest.mark.backend, pytest.mark.usefixtures("trusted_hub")]


@pytest.fixture
def hurried(monkeypatch):
    """The client does not wait between its tries."""
    from huggingface_hub.utils import _http

    from zoo_core.hub import uploads

    monkeypatch.setattr(_http.time, "sleep", lambda seconds: None)
    assert uploads.time.sleep is _http.time.sleep


@pytest.mark.parametrize("what", ["flip", "size"])
def test_what_comes_back_otherwise_is_noticed(preset_folder, trusted_hub, what):
    trusted_hub.fault("GET /lfs-store/", what, size=20, offset=100)
    with pytest.raises(IntegrityError, match=r"model.safetensors: sent \d+ bytes with sha256 \w{64}, the Hub gives"):
        publish(preset_folder)
    _, outcome = publish(preset_folder)
    assert not outcome.committed


REFUSALS = {
    "unknown token": (UNKNOWN, REPO, {}, r"127.0.0.1:\d+ does not accept the token \(401\) \(hf auth login"),
    "token that reads": (READER, REPO, {}, r"the token may only read, creating it \(403\) \(make one that may write"),
    "another's namespace": (
        OWNER,
        "strangers/dot",
        {},
        r"forbids it to this token, creating it \(403\): You don't have",
    ),
    "commit forbidden": (
        OWNER,
        REPO,
        {"code": 403, "message": "no"},
        r"uploading to it \(403\): no; toys/dot was created",
    ),
    "conflict": (
        OWNER,
        REPO,
        {"code": 409, "message": "busy"},
        r"taken, or being changed, uploading to it \(409\): busy",
    ),
    "stale parent": (
        OWNER,
        REPO,
        {"code": 412},
        r"somebody else committed to it meanwhile \(412\).*look at what is there",
    ),
    "server error": (
        OWNER,
        REPO,
        {"code": 500, "message": "oops"},
        r"answered 500, uploading to it: oops; toys/dot was",
    ),
    "too large": (
        OWNER,
        REPO,
        {"code": 413, "message": "50 GB"},
        r"finds it too large, uploading to it \(413\): 50 GB",
    ),
    "too many": (OWNER, REPO, {"code": 429}, r"allows no more requests for now \(429\)"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_refusal_is_told_in_one_true_line(case, preset_folder, trusted_hub, monkeypatch):
    token, repo, fault, told = REFUSALS[case]
    monkeypatch.setenv("HF_TOKEN", token)
    if fault:
        trusted_hub.fault("POST .*/commit/", "status", **fault)
    with pytest.raises(PublishError, match=told) as caught:
        publish(preset_folder, repo)
    assert "\n" not in str(caught.value)
    assert token not in str(caught.value)
    assert "connection" not in str(caught.value)


@pytest.mark.parametrize(
    ("token", "told"),
    [
        (STRANGER, r"forbids it to this token, creating it \(403\): You don't have the rights"),
        (NARROW, r"forbids it to this token, looking it up \(403\): This token has no access"),
        (READER, r"the token may only read, uploading to it \(403\)"),
    ],
)
def test_a_private_repository_of_somebody_else_is_not_written_to(preset_folder, trusted_hub, monkeypatch, token, told):
    trusted_hub.add(REPO, {"run.json": "{}"}, private=True)
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(PublishError, match=told):
        publish(preset_folder)


def test_without_a_token_nothing_is_asked(preset_folder, trusted_hub, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(
        PublishError, match=r"a token that may write, and there is none \(hf auth login, or set HF_TOKEN"
    ):
        publish(preset_folder)
    assert trusted_hub.requests() == []


def test_offline_nothing_is_asked(preset_folder, trusted_hub, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError, match=r"the network, which is off \(unset HF_HUB_OFFLINE"):
        publish(preset_folder)
    assert trusted_hub.requests() == []


def test_an_endpoint_that_is_not_trusted_never_sees_the_token(preset_folder, trusted_hub, tmp_path):
    trust(tmp_path)
    with pytest.raises(PublishError, match="which is not trusted with your token .*trusted-endpoints"):
        publish(preset_folder)
    assert trusted_hub.requests() == []


def test_an_endpoint_that_is_down_is_named(preset_folder, trusted_hub, tmp_path, monkeypatch):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    trust(tmp_path, address)
    monkeypatch.setenv("HF_ENDPOINT", address)
    with pytest.raises(PublishError, match=r"127.0.0.1:\d+ cannot be reached: (?!\[)"):
        publish(preset_folder)


def test_an_upload_that_breaks_off_once_is_repeated(preset_folder, trusted_hub, hurried):
    weights = f"PUT /lfs-store/{hashlib.sha256((preset_folder / 'model.safetensors').read_bytes()).hexdigest()}"
    trusted_hub.fault(weights, "cut", bytes=50)
    _, outcome = publish(preset_folder)
    assert outcome.committed
    assert trusted_hub.requests().count(weights) == 2


def test_an_upload_that_always_breaks_off_is_told(preset_folder, trusted_hub, hurried):
    trusted_hub.fault("PUT /lfs-store/", "cut", bytes=50, times=None)
    with pytest.raises(
        PublishError, match=r"dropped the connection, uploading to it; toys/dot was created and is empty"
    ):
        publish(preset_folder)
    assert commits(trusted_hub) == []
    uploads = [line for line in trusted_hub.requests() if line.startswith("PUT")]
    assert 1 < len(uploads) < 10


def test_a_server_that_asks_to_wait_for_an_hour_is_not_waited_for(preset_folder, trusted_hub):
    trusted_hub.fault("POST .*/preupload/", "status", code=429, headers={"Retry-After": "3600"}, times=None)
    with pytest.raises(PublishError, match=r"no more requests for now \(429\) \(try again in 3600 s\)"):
        publish(preset_folder)


def test_a_creation_that_is_always_in_the_way_of_another_ends(preset_folder, trusted_hub, hurried):
    words = "Cannot create repo: another conflicting operation is in progress"
    trusted_hub.fault("POST /api/repos/create", "status", code=409, message=words, times=None)
    with pytest.raises(PublishError, match="is busy with another change to this account"):
        publish(preset_folder)
    assert sum(line.endswith("/create") for line in trusted_hub.requests()) <= 10


def test_after_a_busy_creation_the_rest_goes_at_full_speed(preset_folder, trusted_hub, monkeypatch):
    from zoo_core.hub import uploads

    waits = []
    monkeypatch.setattr(uploads.time, "sleep", waits.append)
    words = "Cannot create repo: another conflicting operation is in progress"
    trusted_hub.fault("POST /api/repos/create", "status", code=409, message=words)
    _, outcome = publish(preset_folder)
    assert outcome.created
    assert [seconds for seconds in waits if seconds] == [1.0]


def test_why_a_token_may_not_write_is_not_asked_without_end(preset_folder, trusted_hub, monkeypatch):
    from zoo_core.hub import uploads

    monkeypatch.setattr(uploads, "_SILENT_SECONDS", 0.3)
    trusted_hub.fault("POST /api/repos/create", "status", code=403, times=None)
    trusted_hub.fault("GET /api/whoami", "stall", seconds=5, times=None)
    begin = time.monotonic()
    with pytest.raises(PublishError, match=r"forbids it to this token, creating it \(403\)"):
        publish(preset_folder)
    assert time.monotonic() - begin < 4


def test_a_password_in_the_endpoint_is_not_shown(preset_folder, trusted_hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", trusted_hub.address.replace("://", "://me:secret@"))
    with pytest.raises(PublishError, match="which is not trusted with your token") as caught:
        publish(preset_folder)
    assert "secret" not in str(caught.value)


def test_a_repository_of_something_else_is_left_alone(preset_folder, trusted_hub):
    trusted_hub.add(REPO, {"pytorch_model.bin": b"\0something", "README.md": "# Mine"})
    with pytest.raises(PublishError, match=r"is taken: it holds pytorch_model.bin, and no preset \(choose another"):
        publish(preset_folder)
    assert commits(trusted_hub) == []


@pytest.mark.parametrize("repo", ["dot", "a/b/c", "../dot", "toys/", "toys/d ot", "hf://toys/dot"])
def test_what_names_no_repository_is_refused(preset_folder, repo):
    with pytest.raises(UsageError, match="names no repository"):
        prepare(preset_folder, repo)


def test_what_is_no_sound_preset_is_refused(dots, tmp_path, trusted_hub, monkeypatch):
    folder = save_dot(dots, tmp_path / "unlicensed", license="")
    with pytest.raises(PublishError, match="no licence is recorded"):
        prepare(folder, REPO)
    folder = save_dot(dots, tmp_path / "malformed", evaluation={"metrics": {"loss": "low"}})
    with pytest.raises(PresetError, match="run.json: evaluation: metrics: loss: should be a number"):
        prepare(folder, REPO)
    folder = save_dot(dots, tmp_path / "damaged")
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(IntegrityError, match="model.safetensors: expected sha256"):
        prepare(folder, REPO)
    with pytest.raises(ZooError, match="nothing"):
        prepare("nothing", REPO)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"'damaged' is a folder, and its path starts with ./ \(./damaged\)"):
        prepare("damaged", REPO)
    with pytest.raises(PublishError, match="has no weights to publish"):
        prepare("dots/dot", REPO)
