"""A Hub for tests: `python -m tests.hub.server --root DIR` speaks the protocol of the Hub's client on the loopback.

Its address is the first line that it prints; it ends when its standard input does, or at SIGTERM. Large files come from
a second port, as they come from another host than the Hub's. `/_control` is for `tests.hub.client`.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.hub import access, api, faults
from tests.hub.responses import Response, document, error
from tests.hub.store import Store

_PIECE = 1 << 20
_IDLE_SECONDS = 120


@dataclass
class Hub:
    """What both ports share."""

    store: Store
    faults: faults.Faults = field(default_factory=faults.Faults)
    log: list[dict[str, Any]] = field(default_factory=list)
    address: str = ""
    storage: str = ""


class Server(ThreadingHTTPServer):
    """One of the two ports."""

    daemon_threads = True
    hub: Hub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up; everything else is a mistake here."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one connection's requests."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, *_: Any) -> None:
        """Keep quiet: tests read the log."""

    def do_GET(self) -> None:
        """Answer, unless a fault prevents it."""
        parts = urlsplit(self.path)
        self.unread = _length(self.headers)
        if parts.path.startswith("/_control"):
            return self._send(self._control(unquote(parts.path)))
        path = unquote(parts.path)
        entry = self._logged(path, parts.query)
        waiting = self.server.hub.faults.take(f"{self.command} {path}")
        for fault in waiting:
            if fault.action == "stall":
                time.sleep(fault.options["seconds"])
        if any(fault.action == "drop" for fault in waiting):
            return self._hang_up()
        response = self._response(path, parts.query, waiting)
        if response is None:
            return self._hang_up()
        entry["status"] = response.status
        for fault in waiting:
            response = faults.changed(response, fault)
            entry["status"] = response.status
        return self._send(response, waiting, entry)

    do_HEAD = do_POST = do_PUT = do_GET

    def _logged(self, path: str, query: str) -> dict[str, Any]:
        authorization = self.headers.get("Authorization")
        entry = {
            "method": self.command,
            "path": path,
            "query": query,
            "range": self.headers.get("Range"),
            "authorization": authorization,
            "user": access.user(authorization),
            "host": self.headers.get("Host", ""),
            "agent": self.headers.get("User-Agent", ""),
            "status": None,
            "sent": 0,
        }
        self.server.hub.log.append(entry)
        return entry

    def _response(self, path: str, query: str, waiting: list[faults.Fault]) -> Response | None:
        """The answer as it should be; None where the connection ends within an upload."""
        limit = min((fault.options["bytes"] for fault in waiting if fault.action == "cut"), default=None)
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        if limit is not None and (chunked or self.unread > limit):
            self.rfile.read(limit)
            return None
        replaced = any(fault.action in ("status", "redirect") for fault in waiting)
        if self.command == "PUT" and not replaced:
            return self._upload(path)
        content = b"".join(self._pieces())
        if replaced:
            return Response()
        hub = self.server.hub
        user = access.user(self.headers.get("Authorization"))
        request = api.Request(self.command, path, parse_qs(query), user, content, hub.address, hub.storage)
        return api.answer(hub.store, request)

    def _pieces(self) -> Any:
        if self.headers.get("Transfer-Encoding") == "chunked":
            yield from self._chunks()
        while self.unread:
            piece = self.rfile.read(min(self.unread, _PIECE))
            if not piece:
                raise ConnectionResetError("the client hung up")
            self.unread -= len(piece)
            yield piece

    def _chunks(self) -> Any:
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _upload(self, path: str) -> Response:
        """Keep an uploaded object under its name, if its content has that sha256."""
        objects, wanted = self.server.hub.store.objects, path.rpartition("/")[2]
        digest = hashlib.sha256()
        with tempfile.NamedTemporaryFile(dir=objects, prefix=".upload-", delete=False) as file:
            for piece in self._pieces():
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != wanted:
            os.unlink(file.name)
            return error(400, "the content has another sha256 than its name")
        os.replace(file.name, objects / wanted)
        return Response()

    def _control(self, path: str) -> Response:
        hub, content = self.server.hub, b"".join(self._pieces())
        if path == "/_control/log":
            return document(list(hub.log))
        wanted = json.loads(content or b"{}")
        if path == "/_control/faults":
            hub.faults.add(wanted)
        elif path == "/_control/reset":
            hub.faults.clear()
            hub.log.clear()
            if not wanted.get("keep_repositories"):
                hub.store.reset()
        elif path == "/_control/repos":
            return document({"revision": _add(hub.store, wanted)})
        elif path == "/_control/plain":
            for name, given in wanted["files"].items():
                target = hub.store.plain / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(_read(given))
        return document({"storage": hub.storage})

    def _send(
        self, response: Response, waiting: list[faults.Fault] | None = None, entry: dict[str, Any] | None = None
    ) -> None:
        response, start, end = response.part(self.headers.get("Range"))
        options = {fault.action: fault.options for fault in waiting or ()}
        declared = options.get("declare", {}).get("size", end - start)
        self.send_response(response.status)
        for name, value in {**response.headers, "Content-Length": str(declared)}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        stop = min(end, start + options["cut"]["bytes"]) if "cut" in options else end
        rate = options.get("slow", {}).get("rate")
        while start < stop:
            piece = response.body.read(start, min(stop, start + (max(1, rate // 10) if rate else _PIECE)))
            self.wfile.write(piece)
            start += len(piece)
            if entry is not None:
                entry["sent"] += len(piece)
            if rate:
                time.sleep(len(piece) / rate)
        if stop < end or "declare" in options:
            self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def _length(headers: Any) -> int:
    return int(headers.get("Content-Length") or 0)


def _read(given: dict[str, str]) -> bytes:
    return Path(given["path"]).read_bytes() if "path" in given else base64.b64decode(given["content"])


def _add(store: Store, wanted: dict[str, Any]) -> str:
    """Make a repository if there is none of this name, and commit these files to it."""
    repository = store.get(wanted["name"]) or store.create(wanted["name"])
    repository.private, repository.gated = wanted["private"], wanted["gated"]
    repository.accepted = tuple(wanted["accepted"])
    files = {
        name: store.keep(Path(given["path"]) if "path" in given else base64.b64decode(given["content"]), name)
        for name, given in wanted["files"].items()
    }
    return store.commit(repository, wanted["message"], files)


def serve(root: Path, port: int = 0) -> tuple[Server, Server]:
    """The Hub's port and the storage's, not yet answering."""
    hub = Hub(Store(root))
    main, storage = Server(("127.0.0.1", port), Handler), Server(("127.0.0.1", 0), Handler)
    hub.address, hub.storage = (f"http://127.0.0.1:{server.server_port}" for server in (main, storage))
    main.hub = storage.hub = hub
    return main, storage


def run() -> None:
    """Serve until standard input ends, or SIGTERM comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, required=True, help="the folder for everything")
    parser.add_argument("--port", type=int, default=0, help="the Hub's port; any free one if left out")
    arguments = parser.parse_args()
    servers = serve(arguments.root, arguments.port)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(servers[0].hub.address, flush=True)
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    run()
