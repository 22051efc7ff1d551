"""What goes over the wire when something is fetched: a transport below the Hub's client that is ours.

The client decides which requests there are, and where files lie. Here each is tried again within bounds, tokens are
kept from strangers, bytes are counted, a body that broke off is gone on with, and what is too slow, too long or of no
use ends. Whatever fails raises a `troubles.Trouble`, which no layer above catches: nothing is tried again twice over.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpx2

from zoo_core.hub import answers, patience
from zoo_core.hub.body import Body, Unbuffered
from zoo_core.hub.patience import Limits, Patience
from zoo_core.hub.places import HUB
from zoo_core.hub.troubles import Broken, Trouble

_AGENTS = "/api/agent-harnesses"
_MOST_REDIRECTS = 5
_LOCKED_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Traffic:
    """What all transfers of a download share.

    `trusted` are the addresses besides the Hub's that may see a token; `count` and `note` are told what arrives and
    what is worth telling; once `stop` is set, everything ends.
    """

    count: Callable[[int], None]
    note: Callable[[str], None]
    trusted: Collection[str] = ()
    limits: Limits = field(default_factory=lambda: patience.LIMITS)
    stop: threading.Event = field(default_factory=threading.Event)
    transfers: list[Transfer] = field(default_factory=list)

    def may_see_token(self, url: httpx2.URL) -> bool:
        """Whether a token may be sent to this address."""
        return any(_origin(url) == _origin(httpx2.URL(address)) for address in (HUB, *self.trusted))

    def is_held_up(self) -> bool:
        """Whether a server is about to answer for longer than is borne."""
        asked = [transfer.asked_at for transfer in self.transfers]
        return any(at and time.monotonic() - at > self.limits.answer_seconds for at in asked)

    def tell_who_waits(self) -> None:
        """Note the files that the client does not ask for: another process has locked them."""
        for transfer in self.transfers:
            idle_since = transfer.idle_since
            if transfer.revision and idle_since and time.monotonic() - idle_since > _LOCKED_SECONDS:
                self.note(f"{transfer.name}: waiting for another process that downloads it")


class Transfer:
    """One file that a thread fetches: it should have from `least` to `most` bytes, at a `revision` ("": any)."""

    def __init__(self, traffic: Traffic, name: str, least: int, most: int, revision: str = "") -> None:
        """Nothing of it is here yet."""
        self.traffic, self.name, self.least, self.most, self.revision = traffic, name, least, most, revision
        self.patience = Patience(traffic.limits, traffic.stop, traffic.note)
        self.received = 0
        self.idle_since: float | None = None
        self.asked_at: float | None = None

    def arrived(self, count: int) -> None:
        """So many bytes of it came."""
        self.received += count
        self.patience.arrived(count)
        self.traffic.count(count)

    def begin_anew(self) -> None:
        """What came counts for nothing."""
        self.traffic.count(-self.received)
        self.received = 0

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Inside, this thread's requests are this transfer's."""
        token = _CURRENT.set(self)
        self.traffic.transfers.append(self)
        self.be_idle()
        try:
            yield
        finally:
            self.idle_since = None
            _CURRENT.reset(token)

    def be_idle(self) -> None:
        """No request of it is under way."""
        self.idle_since = time.monotonic()


_CURRENT: ContextVar[Transfer | None] = ContextVar("zoo_transfer", default=None)


class Line(httpx2.BaseTransport):
    """A transport that sends through another client, and does with the requests of transfers what this module is for.

    Requests of threads that have no transfer pass as they are: other users of the client go on undisturbed.
    """

    def __init__(self, inner: httpx2.Client) -> None:
        """Through that client, whose proxies and certificates are used."""
        self._inner = inner
        self._sockets: dict[int, socket.socket] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, with a body that is counted and bounded. Raises a Trouble; Cancelled when stopped."""
        transfer = _CURRENT.get()
        if transfer is None:
            return self._send(request)
        if request.url.path == _AGENTS:  # a statistic of the client's: a pull doesn't wait for it
            return httpx2.Response(404)
        transfer.idle_since = None
        response = self.open(request, transfer)
        if request.method == "GET" and response.status_code in (200, 206):
            body = Body(self, transfer, request, response)
            return Unbuffered(
                response.status_code, headers=response.headers, stream=body, extensions=response.extensions
            )
        transfer.be_idle()
        return response

    def open(self, request: httpx2.Request, transfer: Transfer) -> httpx2.Response:
        """An answer below 400, its body unread; tried again as often as it makes sense."""
        request.headers["Accept-Encoding"] = "identity"
        if not transfer.traffic.may_see_token(request.url):
            request.headers.pop("Authorization", None)
        while True:
            asked_at = transfer.asked_at = time.monotonic()
            try:
                response = self._send(request)
            except httpx2.TransportError as error:
                transfer.asked_at = None
                is_late = time.monotonic() - asked_at > transfer.traffic.limits.answer_seconds
                late = Broken(answers.host(request), "did not finish its headers")
                transfer.patience.wait(late if is_late else answers.failure(request, error))
                continue
            transfer.asked_at = None
            if response.status_code < 400:
                return self._checked(request, response, transfer)
            trouble = answers.refusal(request, response)
            response.close()
            transfer.patience.wait(trouble)

    def hang_up(self) -> None:
        """Wake every thread that waits for a server."""
        for connection in list(self._sockets.values()):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _checked(self, request: httpx2.Request, response: httpx2.Response, transfer: Transfer) -> httpx2.Response:
        answers.without_xet(response)
        try:
            if response.has_redirect_location:
                answers.check_redirect(request, response)
            if transfer.revision and request.method == "HEAD":
                answers.check_hub(request, response, transfer.revision)
            if transfer.most:
                answers.check_size(request, response, transfer.name, transfer.least, transfer.most)
            answers.check_encoding(request, response)
        except Trouble:
            response.close()
            raise
        return response

    def _send(self, request: httpx2.Request) -> httpx2.Response:
        request.extensions = {**request.extensions, "trace": self._remember}
        return self._inner.send(request, stream=True, follow_redirects=False, auth=None)

    def _remember(self, event: str, details: Mapping[str, Any]) -> None:
        """Note the socket of every connection that is made, which `hang_up` needs to know before anything came."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            connection = details["return_value"].get_extra_info("socket")
            self._sockets[connection.fileno()] = connection


@contextlib.contextmanager
def line_of_the_client() -> Iterator[Line]:
    """Inside, the Hub's client sends through a Line; one user at a time.

    The client that it made before is closed, and made again when it is next needed.
    """
    from huggingface_hub import constants, set_client_factory
    from huggingface_hub.utils import _http

    with _ONE_AT_A_TIME:
        factory = getattr(_http, "_GLOBAL_CLIENT_FACTORY", _http.default_client_factory)
        is_xet_disabled, constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET, True
        with factory() as inner:
            line = Line(inner)
            set_client_factory(lambda: client_on(line))
            try:
                yield line
            finally:
                set_client_factory(factory)
                constants.HF_HUB_DISABLE_XET = is_xet_disabled


def client_on(line: Line) -> httpx2.Client:
    """A client whose requests go through the line."""
    return httpx2.Client(transport=line, follow_redirects=True, max_redirects=_MOST_REDIRECTS, timeout=None)


_ONE_AT_A_TIME = threading.RLock()


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
