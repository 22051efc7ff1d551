"""What a server refuses: told as it was meant, waited out where it passes, and never for long."""

from __future__ import annotations

import threading
import time

import pytest

from tests.hub.client import NARROW, OWNER, READER, STRANGER, UNKNOWN
from tests.hub.remote import BODIES, CONFIG_HEAD, FILES, HEADS, contents, message
from zoo_core.errors import DownloadError
from zoo_core.hub.patience import Limits, Patience
from zoo_core.hub.troubles import Broken, Refused, Trouble, Unreachable


@pytest.mark.parametrize(
    ("code", "error_code", "expected"),
    [
        (401, "RepoNotFound", "no such repository, or it is private: no token was sent (401) (hf auth login, or set"),
        (401, "", "no such repository, or it is private: no token was sent (401) (hf auth login"),
        (
            401,
            "GatedRepo",
            "asks for agreement first, and no token was sent (401) (agree at https://huggingface.co/toys",
        ),
        (403, "", "forbids it without a token (403): on purpose (hf auth login, or set HF_TOKEN)"),
        (404, "RepoNotFound", "no such repository, or it is private: no token was sent (404)"),
        (404, "RevisionNotFound", "does not have this revision (any more) (404)"),
        (404, "EntryNotFound", "lacks one of its files (404)"),
        (404, "", "does not have it (404)"),
        (410, "", "answered 410: on purpose"),
        (429, "", "allows no more requests for now (429) (try again later)"),
        (500, "", "answered 500: on purpose (try again later)"),
        (502, "", "answered 502: on purpose (try again later)"),
        (503, "", "answered 503: on purpose (try again later)"),
    ],
)
@pytest.mark.parametrize("requests", [HEADS, BODIES], ids=["head", "body"])
def test_a_refusal_is_told_as_the_server_meant_it(remote, requests, code, error_code, expected):
    remote.server.fault(requests, "status", code=code, error_code=error_code, times=None)
    text = message(remote)
    host = remote.server.address.partition("://")[2]
    assert text.startswith(f"toys/net at {remote.revision[:12]}: 127.0.0.1:")
    assert expected in text
    assert host in text or requests is BODIES


@pytest.mark.parametrize(
    ("token", "repository", "expected"),
    [
        (None, {"private": True}, "or it is private: no token was sent (401) (hf auth login, or set HF_TOKEN)"),
        (UNKNOWN, {}, "does not accept the token (401) (use a token that may read it: hf auth login)"),
        (STRANGER, {"private": True}, "no such repository, or the token may not see it (404) (use a token"),
        (NARROW, {"private": True}, "forbids it to this token (403): This token has no access"),
        (OWNER, {"private": True}, None),
        (None, {"gated": True}, "and no token was sent (401) (agree at https://huggingface.co/toys/shy, then: hf auth"),
        (
            READER,
            {"gated": True},
            "this account has not been accepted yet (403) (agree at https://huggingface.co/toys/shy)",
        ),
        (READER, {"gated": True, "accepted": ("reader",)}, None),
    ],
)
def test_private_and_gated_repositories_say_what_is_missing(remote, monkeypatch, token, repository, expected):
    remote.configure(trusted_endpoints=(remote.server.address,))
    if token:
        monkeypatch.setenv("HF_TOKEN", token)
    preset = remote.preset(repo="toys/shy", revision=remote.server.add("toys/shy", FILES, **repository))
    if expected is None:
        assert contents(remote.fetch(preset)) == FILES
        return
    with pytest.raises(DownloadError) as caught:
        remote.fetch(preset)
    assert expected in str(caught.value)
    assert token is None or token not in str(caught.value)


def test_a_token_that_was_kept_from_a_stranger_is_told(remote, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", OWNER)
    revision = remote.server.add("toys/shy", FILES, private=True)
    expected = f"your token is not sent to {remote.server.address.partition('://')[2]}: if it may see it, add it to"
    assert expected in message(remote, repo="toys/shy", revision=revision)
    assert {entry["authorization"] for entry in remote.server.log()} == {None}


@pytest.mark.parametrize(
    ("action", "options"),
    [
        ("status", {"code": 429}),
        ("status", {"code": 408}),
        ("status", {"code": 500}),
        ("status", {"code": 503, "headers": {"Retry-After": "0"}}),
        ("drop", {}),
    ],
)
@pytest.mark.parametrize("requests", [HEADS, BODIES], ids=["head", "body"])
def test_trouble_that_passes_is_waited_out(remote, requests, action, options):
    remote.server.fault(requests, action, times=2, **options)
    assert contents(remote.fetch()) == FILES


@pytest.mark.parametrize("requests", [HEADS, BODIES], ids=["head", "body"])
def test_trouble_that_stays_is_met_so_often_and_no_more(remote, requests):
    remote.server.fault(requests, "drop", times=None)
    assert "dropped the connection, 4 times in a row (try again)" in message(remote)
    met = [line for line in remote.server.requests() if line.startswith(requests[1:5])]
    assert 4 <= len(met) <= 4 * len(FILES)


def test_what_a_server_asks_to_wait_is_waited_and_told(remote):
    remote.server.fault(CONFIG_HEAD, "status", code=429, headers={"Retry-After": "1"})
    begin = time.monotonic()
    assert contents(remote.fetch()) == FILES
    assert time.monotonic() - begin >= 1
    host = remote.server.address.partition("://")[2]
    assert remote.notes == [f"{host} asks to wait 1 s: waiting"]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "300"}, "300"),
        ({"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}, r"\d{6,}"),
        ({"RateLimit": '"api";r=0;t=55', "Retry-After": "1"}, "55"),
    ],
)
def test_nobody_waits_for_longer_than_is_borne(remote, headers, seconds):
    remote.server.fault(CONFIG_HEAD, "status", code=429, headers=headers)
    with pytest.raises(DownloadError, match=rf"\(429\), and asks to wait {seconds} s \(try again in {seconds} s\)"):
        remote.fetch()


class Clock(threading.Event):
    """An event that is never set, and notes how long it was waited for."""

    def __init__(self):
        super().__init__()
        self.waits = []

    def wait(self, timeout=None):
        self.waits.append(timeout)
        return False


@pytest.mark.parametrize(
    ("trouble", "waits"),
    [
        (Unreachable("host", "reason"), [1]),
        (Broken("host", "reason"), [1, 2, 4]),
        (Refused("host", 503), [1, 2, 4]),
        (Refused("host", 429, wait=20.0), [20, 20, 20]),
        (Refused("host", 429, wait=31.0), [31]),
        (Refused("host", 429, wait=61.0), []),
        (Refused("host", 404), []),
        (Trouble("host"), []),
    ],
)
def test_the_waits_before_giving_up_are_few_and_short(trouble, waits):
    clock = Clock()
    held = Patience(Limits(), clock, lambda note: None)
    for _ in waits:
        held.wait(trouble)
    with pytest.raises(type(trouble)):
        held.wait(trouble)
    assert clock.waits == waits


def test_a_good_part_of_a_file_restores_patience():
    clock = Clock()
    held = Patience(Limits(), clock, lambda note: None)
    for _ in range(10):
        held.wait(Broken("host", "reason"))
        held.arrived(Limits().part)
    assert clock.waits == [1] * 10
