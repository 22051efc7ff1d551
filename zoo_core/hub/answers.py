"""What a server answered, judged before anybody uses it."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import httpx2

from zoo_core.hub.troubles import Broken, Foreign, Refused, Trouble, Unreachable, WrongSize
from zoo_core.text import clean
from zoo_core.tokens import hidden

# The client makes a path of an ETag.
_SAFE_ETAG = re.compile(r'(?:W/)?"?[A-Za-z0-9][A-Za-z0-9_-]{0,127}"?')
_NUMBER = re.compile(r"^\[Errno -?\d+\] ")
_LEADING_TO_XET = ("X-Xet-Hash", "X-Xet-Refresh-Route", "Link")


def refusal(request: httpx2.Request, response: httpx2.Response) -> Refused:
    """A status from 400 on, with what the server says about it."""
    return Refused(
        host(request),
        response.status_code,
        clean(response.headers.get("X-Error-Code", ""))[:40],
        clean(hidden(response.headers.get("X-Error-Message", "")))[:200],
        _asked_wait(response.headers),
        request.headers.get("Authorization", "").startswith("Bearer "),
    )


def failure(request: httpx2.Request, error: httpx2.TransportError) -> Trouble:
    """What became of a request that was not answered, or not wholly."""
    reason = without_number(clean(str(error)))[:200] or type(error).__name__
    if isinstance(error, httpx2.ConnectTimeout):
        return Unreachable(host(request), "it does not answer")
    if isinstance(error, httpx2.TimeoutException):
        return Broken(host(request), "went silent")
    if isinstance(error, httpx2.ReadError | httpx2.WriteError | httpx2.RemoteProtocolError):
        return Broken(host(request), "dropped the connection")
    return Unreachable(host(request), reason)


def without_number(words: str) -> str:
    """What the system said, without the number of the error that it begins with."""
    return _NUMBER.sub("", words)


def check_redirect(request: httpx2.Request, response: httpx2.Response) -> None:
    """Raise Foreign for a redirect from https to anything else."""
    target = urljoin(str(request.url), response.headers.get("Location", ""))
    if request.url.scheme == "https" and urlsplit(target).scheme != "https":
        raise Foreign(host(request), "redirects to an address without https")


def check_hub(request: httpx2.Request, response: httpx2.Response, revision: str) -> None:
    """Raise Foreign unless this may be the answer of a Hub about that revision ("": any), and safe to make paths of."""
    commit = response.headers.get("X-Repo-Commit")
    if revision and commit not in (None, revision):
        raise Foreign(host(request), f"answers with another revision, {clean(commit or '')[:40]}")
    for name in ("ETag", "X-Linked-Etag"):
        etag = response.headers.get(name)
        if etag is not None and not _SAFE_ETAG.fullmatch(etag):
            raise Foreign(host(request), f"sends an {name} that no Hub would: {clean(etag)[:80]}")


def check_size(request: httpx2.Request, response: httpx2.Response, file: str, least: int, most: int) -> None:
    """Raise WrongSize unless what is announced lies within these bounds; nothing announced is no reason."""
    announced = response.headers.get("X-Linked-Size")
    if announced is None and response.status_code == 206:
        announced = response.headers.get("Content-Range", "").rpartition("/")[2]
    if announced is None and response.status_code == 200:
        announced = response.headers.get("Content-Length")
    if announced is not None and announced.isdecimal() and not least <= int(announced[:18]) <= most:
        raise wrong_size(host(request), file, least, most, int(announced[:18]))


def wrong_size(server: str, file: str, least: int, most: int, found: int) -> WrongSize:
    """The trouble that a file of so many bytes is."""
    expected = f"{most} bytes" if least == most else f"at most {most} bytes"
    return WrongSize(server, file, expected, f"{found}")


def check_encoding(request: httpx2.Request, response: httpx2.Response) -> None:
    """Raise Foreign for a compressed body: none was asked for, and its bytes are not those of the file."""
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Foreign(host(request), "sends files compressed")


def without_xet(response: httpx2.Response) -> None:
    """Take away what would lead the client to another protocol, past what is counted and bounded here."""
    for name in _LEADING_TO_XET:
        response.headers.pop(name, None)


def host(request: httpx2.Request) -> str:
    """A server as messages name it: `huggingface.co`, `127.0.0.1:8080`."""
    return clean(request.url.netloc.decode("ascii", "replace") or str(request.url))[:100]


def _asked_wait(headers: httpx2.Headers) -> float | None:
    """The seconds that a server asks to wait, in any of the three ways that there are."""
    from huggingface_hub.utils._http import parse_ratelimit_headers

    limit = parse_ratelimit_headers(headers)
    if limit is not None and limit.remaining == 0:
        return float(limit.reset_in_seconds)
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value[:9])
    return _seconds_until(value) if value else None


def _seconds_until(date: str) -> float | None:
    from datetime import UTC, datetime
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
