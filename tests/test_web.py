"""Small files from the web: whatever a server does, the answer is whole, within its bounds, or one true line."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from email.message import Message
from io import BytesIO
from pathlib import Path
from urllib.request import Request

import pytest

from tests.web_server import Answer, WebServer, running
from zoo_core import addresses, web
from zoo_core.errors import DownloadError


@pytest.fixture
def server() -> Iterator[WebServer]:
    with running() as started:
        yield started


def refused(address: str, seconds: float = 5.0) -> str:
    """Why an address cannot be read; no test waits for longer than it said it would."""
    start = time.monotonic()
    with pytest.raises(DownloadError) as caught:
        web.fetch(address, 1000, seconds)
    assert time.monotonic() - start < seconds + 0.5
    assert "\n" not in str(caught.value)
    assert caught.value.message.startswith(f"{address}: ")
    return caught.value.message.removeprefix(f"{address}: ")


def test_the_content_is_what_lies_there(server: WebServer) -> None:
    assert web.fetch(server.page("/a", b"1" * 1000), 1000) == b"1" * 1000
    assert web.fetch(server.page("/empty", b"")) == b""


def test_nothing_that_is_secret_is_sent(server: WebServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    server.page("/here", b"content")
    web.fetch(server.page("/a", Answer(status=302, headers={"Location": "/here"})))
    assert [path for path, _ in server.requests] == ["/a", "/here"]
    for _, headers in server.requests:
        assert sorted(headers) == ["Accept", "Accept-Encoding", "Connection", "Host", "User-Agent"]
        assert "secret" not in str(headers)


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_a_refusal_is_told_with_its_number(server: WebServer, status: int) -> None:
    assert refused(server.page("/a", Answer(status=status))) == f"the server answered {status}"


def test_nobody_there_is_told(server: WebServer) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/a"
        assert refused(address) == "cannot be reached: Connection refused"


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"x" * 400, pause=0.01),
        Answer(b"x" * 400, pause=0.01, slow_head=True),
        Answer(b"x", pause=0.01, endless=True),
    ],
    ids=["slow", "slow from the first byte of the head", "slow without end"],
)
def test_one_who_drips_is_given_up_on(server: WebServer, answer: Answer) -> None:
    assert refused(server.page("/a", answer), 0.4) == "no whole answer within 0.4 s"


def test_silence_is_given_up_on() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/a"
        assert refused(address, 0.3) == "no whole answer within 0.3 s"


def test_what_is_too_large_is_not_read_to_its_end(server: WebServer) -> None:
    assert refused(server.page("/a", b"1" * 1001)) == "larger than 1000 bytes"
    assert refused(server.page("/b", Answer(b"1" * 100, endless=True))) == "larger than 1000 bytes"


def test_what_is_cut_off_is_noticed(server: WebServer) -> None:
    assert refused(server.page("/a", Answer(b"1" * 100, length=200))) == "cut off after 100 of 200 bytes"


def test_what_is_no_http_is_noticed() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/a"

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(b"220 mail.example.org ESMTP\r\n")

        threading.Thread(target=answer, daemon=True).start()
        assert refused(address).startswith("220 mail")


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "ftp://example.org/a", "http://example.org/a", "https://me:secret@example.org/a"]
)
def test_a_redirection_leads_only_where_one_could_have_gone(server: WebServer, target: str) -> None:
    reason = refused(server.page("/a", Answer(status=302, headers={"Location": target})))
    assert reason.startswith(("it is redirected", "the server answered"))
    assert "secret" not in reason


def test_a_circle_of_redirections_is_left(server: WebServer) -> None:
    server.page("/b", Answer(status=302, headers={"Location": "/a"}))
    assert refused(server.page("/a", Answer(status=302, headers={"Location": "/b"}))).startswith("it is redirected")
    assert len(server.requests) <= 12


def test_the_web_cannot_lead_to_this_machine() -> None:
    asked = Request("https://example.org/a")
    with pytest.raises(OSError, match="redirected to http://127.0.0.1"):
        web._Redirections().redirect_request(asked, BytesIO(), 302, "", Message(), "http://127.0.0.1:8000/b")


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("https://example.org/a?b=c", True),
        ("http://localhost:8000/a", True),
        ("http://[::1]/a", True),
        ("http://example.org/a", False),
        ("http://127.0.0.1.example.org/a", False),
        ("https://me@example.org/", False),
        ("https:///a", False),
        ("https://example.org:99999/", False),
        ("https://example.org/#sha256=0", False),
        ("https://example.org/$HOME", False),
        ("https://example.org/${HF_TOKEN}", False),
        ("https://example.org/a b", False),
        ("https://example.org/\n", False),
        ("file:///etc/passwd", False),
    ],
)
def test_what_an_address_may_be(address: str, fits: bool) -> None:
    assert addresses.is_web_address(address) is fits
