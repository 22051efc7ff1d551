"""What goes wrong on the way and on the disk: told in one true line, in bounded time, or mended."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import signal
import socketserver
import subprocess
import sys
import threading
import time
from dataclasses import asdict

import pytest

from tests.hub.client import OWNER
from tests.hub.remote import CONFIG_HEAD, FETCH, FILES, WEIGHTS, WEIGHTS_BODY, contents, message
from zoo_core.errors import DiskError, DownloadError, IntegrityError
from zoo_core.hub import patience
from zoo_core.hub.patience import Limits
from zoo_core.user_config import Mirror


def every_file(remote):
    """Every file below the home."""
    return [path for path in remote.environment.home.rglob("*") if path.is_file()]


def test_a_file_that_breaks_off_is_gone_on_with(remote):
    remote.server.fault(WEIGHTS_BODY, "cut", bytes=300_000, times=3)
    assert contents(remote.fetch()) == FILES
    sent = [entry for entry in remote.server.log() if entry["path"].startswith("/lfs-store")]
    assert [entry["range"] for entry in sent] == [None, *(f"bytes={so_far}-" for so_far in (300_000, 600_000, 900_000))]
    assert sum(entry["sent"] for entry in sent) == len(FILES[WEIGHTS])
    assert max(progress.received for progress in remote.told) == sum(map(len, FILES.values()))


def test_a_file_of_a_plain_server_is_gone_on_with(remote):
    address = remote.server.plain(f"mirror/toys/net/{remote.revision}", FILES)
    remote.configure(mirrors=(Mirror("folder", address.rpartition("/toys/")[0]),))
    remote.server.fault("^HEAD ", "status", code=404, times=None)
    remote.server.fault("^GET /plain/.*safetensors", "cut", bytes=300_000)
    assert contents(remote.fetch()) == FILES


@pytest.mark.parametrize("rate", [None, 600_000], ids=["fast", "slow"])
def test_a_server_that_sends_everything_anew_is_understood(remote, monkeypatch, rate):
    """What is passed over is no reason to find it slow."""
    monkeypatch.setattr(patience, "LIMITS", Limits(pause=0.01, rate=300_000, rate_seconds=0.4))
    remote.server.fault(WEIGHTS_BODY, "cut", bytes=900_000)
    remote.server.fault(WEIGHTS_BODY, "whole", after=1)
    if rate:
        remote.server.fault(WEIGHTS_BODY, "slow", rate=rate, after=1)
    assert contents(remote.fetch()) == FILES
    assert max(progress.received for progress in remote.told) == sum(map(len, FILES.values()))


def test_a_server_that_sends_slowly_what_was_there_before_is_left(remote, monkeypatch):
    monkeypatch.setattr(patience, "LIMITS", Limits(pause=0.01, rate=300_000, rate_seconds=0.4))
    remote.server.fault(WEIGHTS_BODY, "cut", bytes=900_000)
    remote.server.fault(WEIGHTS_BODY, "whole", after=1)
    remote.server.fault(WEIGHTS_BODY, "slow", rate=100_000, after=1)
    begin = time.monotonic()
    assert "bytes a second" in message(remote)
    assert time.monotonic() - begin < 5


def test_two_versions_of_a_file_are_not_put_together(remote):
    remote.server.fault(WEIGHTS_BODY, "cut", bytes=300_000)
    remote.server.fault(WEIGHTS_BODY, "replace", content=bytes(len(FILES[WEIGHTS])), after=1)
    assert contents(remote.fetch()) == FILES
    assert [note.partition(":")[0] for note in remote.notes] == [WEIGHTS]


def test_a_file_that_is_replaced_while_it_is_sent_is_begun_anew(remote):
    remote.server.fault(WEIGHTS_BODY, "cut", bytes=300_000)
    remote.server.fault(WEIGHTS_BODY, "headers", headers={"ETag": '"another"'}, after=1)
    assert contents(remote.fetch()) == FILES
    ranges = [entry["range"] for entry in remote.server.log() if entry["path"].startswith("/lfs-store")]
    assert ranges == [None, "bytes=300000-", None]
    assert max(progress.received for progress in remote.told) == sum(map(len, FILES.values()))


def test_a_file_that_never_stays_the_same_is_told(remote):
    remote.server.fault(WEIGHTS_BODY, "cut", bytes=300_000, times=None)
    remote.server.fault(WEIGHTS_BODY, "headers", headers={"ETag": '"another"'}, after=1)
    remote.server.fault(WEIGHTS_BODY, "headers", headers={"ETag": '"yet another"'}, after=2)
    assert f"{WEIGHTS} changed at 127.0.0.1" in message(remote)


def test_an_address_that_expires_on_the_way_is_asked_for_again(remote):
    remote.server.fault(WEIGHTS_BODY, "cut", bytes=300_000)
    remote.server.fault(WEIGHTS_BODY, "status", code=403, after=1)
    assert contents(remote.fetch()) == FILES


def test_a_server_that_is_down_is_told(remote, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "127.0.0.1:9 cannot be reached: Connection refused (check the network, or HF_ENDPOINT)" in message(remote)


def test_a_proxy_that_may_be_the_reason_is_told_without_its_password(remote, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("NO_PROXY", "")
    text = message(remote)
    assert text.endswith("(check the network, the proxy in http_proxy, or HF_ENDPOINT)")
    assert "secret" not in text


def test_an_endpoint_that_is_no_address_is_told(remote, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "mirror")
    assert "mirror/toys/net/resolve/" in message(remote)


def test_a_server_that_goes_silent_is_left(remote, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 0.2)
    remote.server.fault(WEIGHTS_BODY, "stall", seconds=3, times=4)
    begin = time.monotonic()
    assert "went silent, 4 times in a row" in message(remote)
    assert time.monotonic() - begin < 3


class Dribbler(socketserver.BaseRequestHandler):
    """Sends one header for ever, a letter at a time."""

    def handle(self):
        self.request.recv(65536)
        self.request.sendall(b"HTTP/1.1 200 OK\r\nX-A: ")
        with contextlib.suppress(OSError):
            while True:
                self.request.sendall(b"a")
                time.sleep(0.05)


def test_a_server_that_never_finishes_its_headers_is_left(remote, monkeypatch):
    monkeypatch.setattr(patience, "LIMITS", Limits(pause=0.01, answer_seconds=0.3))
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dribbler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_address[1]}")
        begin = time.monotonic()
        assert "did not finish its headers, 4 times in a row" in message(remote)
        assert time.monotonic() - begin < 10
        server.shutdown()


def test_a_server_that_is_too_slow_is_left(remote, monkeypatch):
    monkeypatch.setattr(patience, "LIMITS", Limits(rate=1e6, rate_seconds=0.5))
    remote.server.fault(WEIGHTS_BODY, "slow", rate=100_000, times=None)
    with pytest.raises(DownloadError, match=r"sent only \d{5,6} bytes a second for [01] s"):
        remote.fetch()


@pytest.mark.parametrize("size", [10, len(FILES[WEIGHTS]) + 1])
def test_a_file_of_another_size_is_refused_before_it_is_sent(remote, size):
    remote.server.fault("^HEAD .*safetensors", "headers", headers={"X-Linked-Size": str(size)}, times=None)
    text = message(remote, IntegrityError)
    assert f"{WEIGHTS}: expected {len(FILES[WEIGHTS])} bytes, found {size} at 127.0.0.1:" in text
    assert not any("lfs-store" in path for path in remote.downloads())


@pytest.mark.parametrize("size", [10, len(FILES[WEIGHTS]) + 1])
def test_a_body_of_another_size_is_refused(remote, size):
    remote.server.fault(WEIGHTS_BODY, "size", size=size, times=None)
    text = message(remote, IntegrityError)
    assert f"{WEIGHTS}: expected {len(FILES[WEIGHTS])} bytes, found {size} at 127.0.0.1:" in text


def test_more_than_was_announced_is_not_taken(remote):
    files = {**FILES, "config.json": FILES["config.json"][:10]}
    remote.server.fault("^(GET|HEAD) .*config", "declare", size=10, times=None)
    with pytest.raises(IntegrityError, match="config.json: expected sha256 .* found"):
        remote.fetch(remote.preset({**files, "config.json": b"0123456789"}))


def test_less_than_was_announced_is_asked_for_again(remote):
    remote.server.fault(WEIGHTS_BODY, "cut", bytes=0, times=2)
    assert contents(remote.fetch()) == FILES


def test_a_bit_that_flipped_on_the_way_is_mended(remote):
    remote.server.fault(WEIGHTS_BODY, "flip", offset=100_000)
    assert contents(remote.fetch()) == FILES
    assert [note.partition(" from")[0] for note in remote.notes] == [f"{WEIGHTS}: damaged on the way"]
    assert len([path for path in remote.downloads() if "lfs-store" in path]) == 2


def test_a_file_that_is_not_the_recorded_one_is_refused_and_does_not_stay(remote):
    remote.server.fault(WEIGHTS_BODY, "flip", offset=100_000, times=None)
    found = hashlib.sha256(FILES[WEIGHTS][:100_000] + b"\xa1" + FILES[WEIGHTS][100_001:]).hexdigest()
    expected = f"{WEIGHTS}: expected sha256 {hashlib.sha256(FILES[WEIGHTS]).hexdigest()}, found {found} at 127.0.0.1"
    assert expected in message(remote, IntegrityError)
    assert found not in {hashlib.sha256(path.read_bytes()).hexdigest() for path in every_file(remote)}
    remote.server.reset(keep_repositories=True)
    assert contents(remote.fetch()) == FILES
    assert len(remote.downloads()) == 1


def test_a_redirect_to_another_host_is_followed_without_the_token(remote, monkeypatch):
    remote.configure(trusted_endpoints=(remote.server.address,))
    monkeypatch.setenv("HF_TOKEN", OWNER)
    remote.fetch()
    by_host = {}
    for entry in remote.server.log():
        by_host.setdefault(entry["host"], set()).add(entry["user"])
    storage = remote.server.storage.partition("://")[2]
    assert by_host == {remote.server.address.partition("://")[2]: {"owner"}, storage: {""}}


def test_a_circle_of_redirects_ends(remote):
    address = f"/toys/net/resolve/{remote.revision}/config.json"
    remote.server.fault("^HEAD .*config", "redirect", location=address, times=None)
    assert "redirects in circles" in message(remote)
    assert len(remote.server.log()) < 50


def test_a_redirect_never_leads_out_of_https():
    import httpx2

    from zoo_core.hub.answers import check_redirect
    from zoo_core.hub.troubles import Foreign

    request = httpx2.Request("GET", "https://example.org/a")
    check_redirect(request, httpx2.Response(302, headers={"Location": "/b"}))
    check_redirect(request, httpx2.Response(302, headers={"Location": "https://example.com/b"}))
    with pytest.raises(Foreign):
        check_redirect(request, httpx2.Response(302, headers={"Location": "http://example.com/b"}))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"ETag": '"../../../../evil"'}, 'sends an ETag that no Hub would: "../../../../evil"'),
        ({"X-Linked-Etag": "/etc/passwd"}, "sends an X-Linked-Etag that no Hub would: /etc/passwd"),
        ({"X-Repo-Commit": "f" * 40}, f"answers with another revision, {'f' * 40}"),
        ({"X-Repo-Commit": "../../.."}, "answers with another revision, ../../.."),
        ({"Content-Encoding": "gzip"}, "sends files compressed"),
    ],
)
def test_an_answer_that_is_not_safe_to_use_is_not_used(remote, headers, expected):
    remote.server.fault(CONFIG_HEAD, "headers", headers=headers, times=None)
    assert expected in message(remote)
    assert not [path for path in every_file(remote) if path.name in ("evil", "passwd")]


def test_what_does_not_answer_like_a_hub_is_told(remote, monkeypatch):
    address = remote.server.plain(f"web/toys/net/resolve/{remote.revision}", FILES)
    monkeypatch.setenv("HF_ENDPOINT", address.partition("/toys/")[0])
    assert "does not answer like a Hub (check HF_ENDPOINT)" in message(remote)


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [("folder", "/plain/mirror", "redirects in circles"), ("hub", "/plain/web", "does not answer like a Hub")],
)
def test_it_is_the_mirror_that_is_named_where_a_mirror_is_of_no_use(remote, kind, path, expected):
    remote.server.plain(f"web/toys/net/resolve/{remote.revision}", FILES)
    remote.configure(mirrors=(Mirror(kind, remote.server.storage + path),))
    remote.server.fault("^(HEAD|GET) /toys/", "status", code=503, times=None)
    remote.server.fault("^GET /plain/mirror", "redirect", location="/plain/mirror", times=None)
    assert f"{remote.server.storage.partition('://')[2]}{path if kind == 'hub' else ''} {expected}" in message(remote)


def test_a_password_in_the_endpoint_is_not_shown(remote, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", remote.server.address.replace("://", "://me:secret@"))
    remote.server.fault("^HEAD ", "status", code=401, times=None)
    assert "no token was sent (401)" in message(remote)
    remote.server.reset(keep_repositories=True)
    circle = f"/toys/net/resolve/{remote.revision}/config.json"
    remote.server.fault("^HEAD ", "redirect", location=circle, times=None)
    text = message(remote)
    assert "redirects in circles" in text
    assert "secret" not in text + "".join(remote.notes)


def test_a_disk_without_room_is_told_before_the_first_byte(remote, monkeypatch):
    usage = type("usage", (), {"free": 1_000_000})
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage)
    with pytest.raises(DiskError, match=r"hub/models--toys--net/.*: 17\.0 MB are needed, 1\.0 MB are free \(make room"):
        remote.fetch()
    assert remote.server.log() == []


FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))"


def test_a_disk_that_takes_no_more_is_told(remote):
    done = remote.environment.run("-c", f"{FULL}\n{FETCH}", json.dumps(asdict(remote.preset())))
    assert done.stderr.startswith("DiskError: toys/net at ")
    assert "cannot be written: File too large (set HF_HOME to a folder" in done.stderr
    assert not list(remote.environment.cache.rglob("*.incomplete"))


@pytest.mark.parametrize(
    ("number", "fix"), [(errno.ENOSPC, "make room, or set HF_HOME"), (errno.EROFS, "set HF_HOME to a folder that can")]
)
def test_a_cache_that_cannot_be_written_is_told(remote, monkeypatch, number, fix):
    def fail(*_, **__):
        raise OSError(number, "on purpose", "/some/cache")

    monkeypatch.setattr("os.makedirs", fail)
    with pytest.raises(DiskError, match=rf"/some/cache cannot be written: on purpose \({fix}"):
        remote.fetch()


def test_an_interrupt_ends_it_at_once_even_where_a_server_is_silent(remote):
    remote.server.fault(WEIGHTS_BODY, "stall", seconds=60)
    command = [sys.executable, "-c", FETCH, json.dumps(asdict(remote.preset()))]
    process = subprocess.Popen(
        command, env=remote.environment.variables, cwd=remote.environment.home, stderr=subprocess.PIPE
    )
    while not any("lfs-store" in line for line in remote.server.requests()):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    begin = time.monotonic()
    assert b"KeyboardInterrupt" in process.communicate()[1]
    assert time.monotonic() - begin < 8
    assert not list(remote.environment.cache.rglob("*.incomplete"))
