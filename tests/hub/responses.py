"""What the test Hub answers: a status, headers, and a body that is served whole or in ranges."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of an answer, in memory or in a file."""

    source: bytes | Path = b""

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.source) if isinstance(self.source, bytes) else self.source.stat().st_size

    def read(self, start: int = 0, end: int | None = None) -> bytes:
        """The bytes from `start` to before `end`."""
        end = self.size if end is None else end
        if isinstance(self.source, bytes):
            return self.source[start:end]
        with self.source.open("rb") as file:
            file.seek(start)
            return file.read(max(0, end - start))


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; `ranges` says that the client may ask for a part of the body."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: Body = Body()
    ranges: bool = False

    def part(self, wanted: str | None) -> tuple[Response, int, int]:
        """The answer to a Range header (or to none), and which bytes of the body it has."""
        size = self.body.size
        match = _RANGE.fullmatch(wanted or "") if self.ranges and self.status == 200 else None
        if match is None:
            return self, 0, size
        start, end = int(match[1]), min(int(match[2]) + 1 if match[2] else size, size)
        if start >= size:
            return replace(self, status=416, body=Body(), headers={"Content-Range": f"bytes */{size}"}), 0, 0
        headers = {**self.headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
        return replace(self, status=206, headers=headers), start, end


def document(value: Any, status: int = 200, **headers: str) -> Response:
    """A JSON document."""
    return Response(status, {"Content-Type": "application/json", **headers}, Body(json.dumps(value).encode()))


def error(status: int, message: str, code: str = "") -> Response:
    """What the Hub answers where something is wrong: its code and message come in headers too."""
    headers = {"X-Error-Message": message}
    if code:
        headers["X-Error-Code"] = code
    return document({"error": message}, status, **headers)
