"""A web server on this machine for plain files, which answers as badly as a test wants it to."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """What is answered: `length` is what Content-Length says (None: the truth), `pause` the seconds before each byte.

    `slow_head` also drips the head; `endless` repeats the body for ever.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    pause: float = 0.0
    slow_head: bool = False
    endless: bool = False


class WebServer:
    """Pages by path, and the requests that came: path and headers."""

    def __init__(self) -> None:
        """It does not answer before `running`."""
        self.pages: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.stopped = threading.Event()
        self.address = ""

    def page(self, path: str, answer: Answer | bytes | str) -> str:
        """Answer a path so from now on; its address."""
        if isinstance(answer, str):
            answer = answer.encode()
        self.pages[path] = answer if isinstance(answer, Answer) else Answer(answer)
        return f"{self.address}{path}"

    def serve(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        self.requests.append((handler.path, dict(handler.headers)))
        answer = self.pages.get(handler.path, Answer(status=404))
        head = [f"HTTP/1.1 {answer.status} x", "Connection: close"]
        head += [f"{name}: {value}" for name, value in answer.headers.items()]
        if not answer.endless:
            head.append(f"Content-Length: {len(answer.body) if answer.length is None else answer.length}")
        text = "\r\n".join([*head, "", ""]).encode()
        self._send(handler, text, answer.pause if answer.slow_head else 0)
        self._send(handler, answer.body, answer.pause)
        while answer.endless and not self.stopped.is_set():
            self._send(handler, answer.body, answer.pause)

    def _send(self, handler: BaseHTTPRequestHandler, content: bytes, pause: float) -> None:
        if not pause:
            handler.wfile.write(content)
        for byte in content if pause else b"":
            if self.stopped.is_set():
                return
            handler.wfile.write(bytes([byte]))
            time.sleep(pause)


@contextmanager
def running() -> Iterator[WebServer]:
    """A server that answers while the block runs."""
    server = WebServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.close_connection = True
            # The client may have had enough.
            with suppress(ConnectionError):
                server.serve(self)

        def log_message(self, *arguments: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    server.address = f"http://127.0.0.1:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.stopped.set()
        listening.shutdown()
        listening.server_close()
