"""The bytes of one file as they arrive: counted, bounded, and gone on with where the connection broke off."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import httpx2

from zoo_core.hub import answers
from zoo_core.hub.troubles import Broken, Cancelled, Changed, Refused, TooSlow, Trouble

if TYPE_CHECKING:
    from zoo_core.hub.traffic import Line, Transfer


class Body(httpx2.SyncByteStream):
    """The body of an answer to a GET; raises a `Trouble` where it cannot be had whole.

    Broken off, it asks for the rest with the first answer's ETag, so that two versions are not put together. Where the
    server sends everything anew nevertheless, what is known already is passed over.
    """

    def __init__(self, line: Line, transfer: Transfer, request: httpx2.Request, response: httpx2.Response) -> None:
        """Of a response whose stream is untouched."""
        self._line, self._transfer, self._request = line, transfer, request
        self._stream = _stream(response)
        self._etag = response.headers.get("ETag", "")
        self._received = 0
        self._skipped = 0
        self._offset = _start(response)
        self._begin_window()

    def __iter__(self) -> Iterator[bytes]:
        """Everything, in pieces as they come."""
        while True:
            trouble: Trouble = Broken(answers.host(self._request), "dropped the connection")
            try:
                for chunk in self._stream:
                    self._check_pace(len(chunk))
                    if fresh := self._fresh(chunk):
                        self._count(len(fresh))
                        yield fresh
            except httpx2.TransportError as error:
                trouble = answers.failure(self._request, error)
                if self._is_whole(ended=False):
                    return
            else:
                if self._is_whole(ended=True):
                    return
            self._go_on(trouble)

    def close(self) -> None:
        """Give the connection back, or up."""
        self._stream.close()
        self._transfer.be_idle()

    def _fresh(self, chunk: bytes) -> bytes:
        known = min(self._skipped, len(chunk))
        self._skipped -= known
        return chunk[known:] if known else chunk

    def _count(self, count: int) -> None:
        transfer = self._transfer
        self._received += count
        transfer.arrived(count)
        if self._offset + self._received > transfer.most:
            found = self._offset + self._received
            raise answers.wrong_size(self._host, transfer.name, transfer.least, transfer.most, found)

    def _check_pace(self, count: int) -> None:
        """Raise TooSlow, or Cancelled when stopped; what is passed over counts too."""
        if self._transfer.traffic.stop.is_set():
            raise Cancelled
        limits = self._transfer.traffic.limits
        self._window_bytes += count
        seconds = time.monotonic() - self._window_start
        if seconds >= limits.rate_seconds:
            if self._window_bytes < limits.rate * seconds:
                raise TooSlow(self._host, self._window_bytes / seconds, seconds)
            self._begin_window()

    def _begin_window(self) -> None:
        self._window_start, self._window_bytes = time.monotonic(), 0

    @property
    def _host(self) -> str:
        return answers.host(self._request)

    def _is_whole(self, ended: bool) -> bool:
        """Whether everything is there; where the size is not known, the server's word that it `ended` has to do."""
        known = self._transfer.least == self._transfer.most
        return self._offset + self._received == self._transfer.most if known else ended

    def _go_on(self, trouble: Trouble) -> None:
        self._stream.close()
        self._transfer.patience.wait(trouble)
        position = self._offset + self._received
        headers = {"Range": f"bytes={position}-"}
        if self._etag.startswith('"'):
            headers["If-Range"] = self._etag
        rest = httpx2.Request(
            "GET",
            self._request.url,
            headers={**self._request.headers, **(headers if position else {})},
            extensions=self._request.extensions,
        )
        try:
            response = self._line.open(rest, self._transfer)
        except Refused as error:
            if error.tries > 1:
                raise
            # Not the same answer as before: a signed address expired, say. From the beginning it may go well.
            raise Changed(self._host, self._transfer.name) from error
        self._stream = _stream(response)
        if response.headers.get("ETag", "") != self._etag or _start(response) not in (0, position):
            self._stream.close()
            raise Changed(self._host, self._transfer.name)
        self._skipped = 0 if _start(response) == position else self._received
        self._begin_window()


class Unbuffered(httpx2.Response):
    """An answer that is given on in the pieces in which it comes; no encoding was asked for.

    The client asks for pieces of 10 MB: to put those together would copy every byte three times, and takes as long as
    the sha256 does.
    """

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """The body, in pieces of any size."""
        yield from self.iter_raw()


def _stream(response: httpx2.Response) -> httpx2.SyncByteStream:
    if not isinstance(response.stream, httpx2.SyncByteStream):
        raise TypeError("a response of a synchronous client has a synchronous stream")
    return response.stream


def _start(response: httpx2.Response) -> int:
    """The position of a body's first byte within the file."""
    if response.status_code != 206:
        return 0
    first = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
    return int(first[:18]) if first.isdecimal() else -1
