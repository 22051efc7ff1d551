"""Small files from the web: within a time and a size, from no other place than was named, and without any token."""

from __future__ import annotations

import threading
import time
from email.message import Message
from http.client import HTTPException
from typing import IO, TYPE_CHECKING
from urllib import request
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from zoo_core.addresses import is_loopback, is_web_address
from zoo_core.errors import DownloadError
from zoo_core.text import clean
from zoo_core.version import __version__

if TYPE_CHECKING:
    from http.client import HTTPResponse

SECONDS = 10.0
_LARGEST = 1_000_000
_PIECE = 65_536


def fetch(address: str, largest: int = _LARGEST, seconds: float | None = None) -> bytes:
    """The content at an address that `is_web_address` accepts; raises DownloadError.

    It takes at most `seconds` in all (default: SECONDS), however slowly it is answered, and reads at most `largest`
    bytes.
    """
    seconds = SECONDS if seconds is None else seconds
    reading = _Reading(address, largest, seconds)
    # Looking up a host's name and reading an answer's head know no time limit in all: whoever waits here does.
    worker = threading.Thread(target=reading.run, daemon=True)
    worker.start()
    worker.join(seconds)
    if worker.is_alive():
        raise _failure(address, f"no whole answer within {seconds:g} s")
    if reading.problem:
        raise _failure(address, reading.problem)
    return bytes(reading.content)


class _Reading:
    """One answer being read by a thread; in the end there is either its content or a problem."""

    def __init__(self, address: str, largest: int, seconds: float) -> None:
        self._address = address
        self._largest = largest
        self._end = time.monotonic() + seconds
        self._seconds = seconds
        self.content = bytearray()
        self.problem = ""

    def run(self) -> None:
        """Read the answer; what goes wrong is only noted."""
        try:
            with _opener().open(_request(self._address), timeout=self._seconds) as answer:
                self._read(answer)
        except HTTPError as error:
            error.close()
            self.problem = _answered(error)
        except TimeoutError:
            self.problem = f"no whole answer within {self._seconds:g} s"
        except (OSError, HTTPException, ValueError) as error:
            self.problem = _reason(error)

    def _read(self, answer: HTTPResponse) -> None:
        expected = answer.length
        while piece := answer.read1(_PIECE):
            self.content += piece
            if len(self.content) > self._largest:
                raise ValueError(f"larger than {self._largest} bytes")
            if time.monotonic() > self._end:
                raise TimeoutError
        if expected is not None and len(self.content) < expected:
            raise ValueError(f"cut off after {len(self.content)} of {expected} bytes")


class _RefusedError(HTTPError):
    """A redirection that is not followed."""


class _Redirections(request.HTTPRedirectHandler):
    """Follows a few redirections, none of which may lead to where the first address could not have been."""

    max_redirections = 5

    def redirect_request(
        self, req: request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> request.Request:
        """The next request, with nothing of the last one's but its time limit; raises _RefusedError."""
        if not is_web_address(newurl) or (is_loopback(newurl) and not is_loopback(req.full_url)):
            # No more of it: there may be a password in it.
            target = urlsplit(newurl)
            refused = f"it is redirected to {target.scheme}://{target.hostname or ''}, where it may not lead"
            raise _RefusedError(req.full_url, code, refused, headers, fp)
        return _request(newurl)


def _request(address: str) -> request.Request:
    return request.Request(address, headers={"User-Agent": f"zoo-core/{__version__}", "Accept": "*/*"})


def _answered(error: HTTPError) -> str:
    if isinstance(error, _RefusedError):
        return error.reason
    too_far = 300 <= error.code < 400
    return "it is redirected too often, or nowhere" if too_far else f"the server answered {error.code}"


def _opener() -> request.OpenerDirector:
    """What opens web addresses and nothing else: no files, no FTP, no passwords; a proxy as the environment says."""
    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler(),
        request.HTTPHandler(),
        request.HTTPSHandler(),
        request.HTTPDefaultErrorHandler(),
        request.HTTPErrorProcessor(),
        _Redirections(),
    ):
        opener.add_handler(handler)
    return opener


def _failure(address: str, problem: str) -> DownloadError:
    return DownloadError(f"{clean(address)}: {clean(problem)}")


def _reason(error: BaseException) -> str:
    """What went wrong, where the error is one of reaching the server, of its certificate, or of what it sent."""
    reason = error.reason if isinstance(error, URLError) else error
    said = clean(str(getattr(reason, "strerror", "") or reason))[:200] or type(reason).__name__
    return f"cannot be reached: {said}" if isinstance(error, OSError) else said
