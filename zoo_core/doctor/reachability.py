"""Who can be reached: the Hub or what stands in its place, where it sends for large files, mirrors, registries.

All are asked at once, without a token, by daemon threads that nobody waits for any longer than a few seconds: looking
up a name knows no time limit. One request each, and one more to where the Hub keeps large files.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from zoo_core import index, user_config
from zoo_core.cache.entries import presets
from zoo_core.doctor import weights
from zoo_core.doctor.finding import ERROR, OK, WARNING, Finding
from zoo_core.hub.places import HUB, endpoint
from zoo_core.names import shown_path
from zoo_core.presets import WEIGHTS_FILE
from zoo_core.text import clean
from zoo_core.user_config import UserConfig

if TYPE_CHECKING:
    import httpx2

SECONDS = 3.0

_MODELSCOPE = "https://www.modelscope.cn"


@dataclass(frozen=True, slots=True)
class _Host:
    """Somebody to ask: `role` is "hub", "mirror" or "registry"; `check` is how the finding is called."""

    role: str
    check: str
    address: str

    @property
    def name(self) -> str:
        """The host as people know it."""
        return clean(urlsplit(self.address).netloc)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of asking: seconds, or the problem; `onward` is the address that large files come from, if another."""

    seconds: float = 0.0
    problem: str = ""
    onward: str = ""


class Reachability:
    """Questions that are under way while other checks are made."""

    def __init__(self, seconds: float = SECONDS) -> None:
        """Ask all."""
        config = user_config.read_or_empty()
        self._hosts = list(_hosts(config))
        self._deadline = time.monotonic() + seconds
        self._seconds = seconds
        self._answers: queue.SimpleQueue[tuple[_Host, _Answer]] = queue.SimpleQueue()
        for host in self._hosts:
            threading.Thread(target=self._ask, args=(host,), daemon=True).start()

    def findings(self) -> Iterator[Finding]:
        """A finding for each host, once it has answered or the time is over."""
        answers = self._collected()
        sources = [host for host in self._hosts if host.role in ("hub", "mirror")]
        usable = any(host in answers and not answers[host].problem for host in sources)
        for host in self._hosts:
            answer = answers.get(host) or _Answer(problem=f"no answer within {self._seconds:g} s")
            yield _finding(host, answer, usable)

    def _collected(self) -> dict[_Host, _Answer]:
        found: dict[_Host, _Answer] = {}
        while len(found) < len(self._hosts):
            try:
                host, answer = self._answers.get(timeout=max(0.0, self._deadline - time.monotonic()))
            except queue.Empty:
                break
            found[host] = answer
        return found

    def _ask(self, host: _Host) -> None:
        self._answers.put((host, _ask(host, self._seconds)))


def _hosts(config: UserConfig) -> Iterator[_Host]:
    yield _Host("hub", "hub", endpoint())
    for mirror in config.mirrors:
        yield _Host("mirror", f"mirror ({mirror.kind})", mirror.url or _MODELSCOPE)
    for registry in config.registries:
        if not registry.is_path:
            yield _Host("registry", f"registry {registry.name}", registry.location)


def _ask(host: _Host, seconds: float) -> _Answer:
    """Ask a host for its page's head; the Hub for that of a large file, if one is known, to learn where those lie."""
    import httpx2

    start = time.perf_counter()
    large = _large_file() if host.role == "hub" else ""
    address = f"{host.address}/{large}" if large else host.address
    try:
        with httpx2.Client(timeout=seconds, follow_redirects=False) as client:
            answer = client.head(address)
            if problem := _refusal(answer.status_code):
                return _Answer(problem=problem)
            onward = urljoin(address, answer.headers.get("Location", "")) if answer.has_redirect_location else ""
            if urlsplit(onward).netloc in ("", urlsplit(address).netloc):
                return _Answer(time.perf_counter() - start)
            return _onward(client, onward, time.perf_counter() - start)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
        return _Answer(problem=_reason(error, seconds))


def _onward(client: httpx2.Client, address: str, seconds: float) -> _Answer:
    """Whether the host that one is sent on to answers."""
    import httpx2

    name = clean(urlsplit(address).netloc)
    try:
        status = client.head(address).status_code
    except (httpx2.HTTPError, OSError, ValueError) as error:
        return _Answer(problem=f"it answers, but sends on to {name}, and there: {_reason(error, SECONDS)}")
    if problem := _refusal(status):
        return _Answer(problem=f"it answers, but sends on to {name}, and there: {problem}")
    return _Answer(seconds, onward=name)


def _refusal(status: int) -> str:
    """What is wrong with a status; a 401 or a 404 is an answer like any other."""
    if status == 407:
        return "the proxy wants a name and a password (407)"
    return f"it answers {status}" if status >= 500 else ""


def _large_file() -> str:
    """The path of some preset's weights at the Hub, "" where no plugin names any."""
    for _, preset in presets(index.plugins()):
        if preset.repo and any(file.name == WEIGHTS_FILE for file in preset.files):
            return f"{preset.repo}/resolve/{preset.revision}/{WEIGHTS_FILE}"
    return ""


def _reason(error: BaseException, seconds: float) -> str:
    """Why there is no answer, by what lies at the bottom of it."""
    import httpx2

    causes = list(_chain(error))
    for cause in causes:
        if isinstance(cause, socket.gaierror):
            return "its name is not known here (DNS)"
        if isinstance(cause, ConnectionRefusedError):
            return "it refuses the connection"
        if isinstance(cause, ssl.SSLError):
            return f"no trusted connection: {clean(str(cause.reason or cause))[:100]}"
        if isinstance(cause, (httpx2.TimeoutException, TimeoutError)):
            return f"no answer within {seconds:g} s"
        if isinstance(cause, httpx2.ProxyError):
            return f"the proxy does not let through: {clean(str(cause))[:100]}"
    if isinstance(error, (httpx2.RemoteProtocolError, httpx2.ReadError)):
        return "it ends the connection without an answer"
    return clean(str(causes[-1]))[:200] or type(error).__name__


def _chain(error: BaseException) -> Sequence[BaseException]:
    found: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in found:
        found.append(current)
        current = current.__cause__ or current.__context__
    return found


def _finding(host: _Host, answer: _Answer, usable: bool) -> Finding:
    if not answer.problem:
        onward = f", large files come from {answer.onward}" if answer.onward else ""
        return Finding(host.check, OK, f"{host.name} answers in {answer.seconds:.2f} s{onward}")
    detail = f"{host.name} cannot be reached: {answer.problem}"
    config = shown_path(user_config.path())
    if host.role == "registry":
        name = host.check.partition(" ")[2]
        return Finding(host.check, WARNING, f"{detail}; the last copy is used", f"zoo registry remove {name}, or wait")
    if host.role == "mirror":
        return Finding(host.check, WARNING, detail, f"wait, or take it out of {config}")
    needed = not usable and bool(weights.pullable())
    other = (
        "export HF_ENDPOINT=https://MIRROR" if host.address == HUB else "unset HF_ENDPOINT, or set it to another one"
    )
    return Finding(host.check, ERROR if needed else WARNING, detail, f"{other}, or add a mirror to {config}")
