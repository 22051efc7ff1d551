"""Faults that a test asks the server for: what it does instead of answering as it should.

| action | what happens |
|---|---|
| status | answers `code`, with `headers`, `error_code`, `message` |
| cut | closes the connection after `bytes` bytes of the body; of an upload, after having read so many |
| flip | inverts the lowest bit of the byte at `offset` of the body |
| slow | sends `rate` bytes per second |
| stall | waits `seconds`, then answers as it should |
| drop | closes the connection without an answer |
| replace | serves `content` (base64) instead, in the ranges that are asked for |
| size | serves `size` bytes: the body cut off or filled up with zeros, and declared so |
| declare | declares `size` bytes, and sends what there is |
| redirect | answers `code` (302) with `location` |
| headers | answers as it should, with `headers` added |
| whole | sends everything, whatever range is asked for |
"""

from __future__ import annotations

import base64
import re
import threading
from dataclasses import dataclass, field, replace
from typing import Any

from tests.hub.responses import Body, Response, error

_CONNECTION = ("cut", "slow", "stall", "drop")
_ANSWER = ("status", "flip", "replace", "size", "declare", "redirect", "headers", "whole")
ACTIONS = (*_CONNECTION, *_ANSWER)


@dataclass(slots=True)
class Fault:
    """What happens to requests whose "METHOD path" matches; `times` counts down, None is for ever.

    `after` requests that match are answered as they should first.
    """

    match: re.Pattern[str]
    action: str
    times: int | None = 1
    after: int = 0
    options: dict[str, Any] = field(default_factory=dict)


class Faults:
    """Those that wait for a request."""

    def __init__(self) -> None:
        """None at first."""
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, options: dict[str, Any]) -> None:
        """Have one wait; raises ValueError for an unknown action."""
        action = options.pop("action")
        if action not in ACTIONS:
            raise ValueError(f"{action!r} is none of {ACTIONS}")
        match, times, after = re.compile(options.pop("match")), options.pop("times", 1), options.pop("after", 0)
        with self._lock:
            self._waiting.append(Fault(match, action, times, after, options))

    def clear(self) -> None:
        """Answer everything as it should be again."""
        with self._lock:
            self._waiting.clear()

    def take(self, request: str) -> list[Fault]:
        """Those that meet this request, "METHOD path"; each is counted."""
        with self._lock:
            return [fault for fault in list(self._waiting) if fault.match.search(request) and self._counts(fault)]

    def _counts(self, fault: Fault) -> bool:
        if fault.after > 0:
            fault.after -= 1
            return False
        if fault.times is not None:
            fault.times -= 1
            if fault.times <= 0:
                self._waiting.remove(fault)
        return True


def changed(response: Response, fault: Fault) -> Response:
    """The answer as this fault leaves it; those that are about time and connections leave it as it is."""
    options = fault.options
    if fault.action == "status":
        wrong = error(options["code"], options.get("message", "on purpose"), options.get("error_code", ""))
        return replace(wrong, headers={**wrong.headers, **options.get("headers", {})})
    if fault.action == "redirect":
        return Response(options.get("code", 302), {"Location": options["location"]})
    if fault.action == "headers":
        return replace(response, headers={**response.headers, **options["headers"]})
    if fault.action == "whole":
        return replace(response, ranges=False)
    if fault.action in ("flip", "replace", "size") and response.status == 200:
        return _resized(response, Body(_content(response.body, fault)))
    return response


def _content(body: Body, fault: Fault) -> bytes:
    options = fault.options
    if fault.action == "replace":
        return base64.b64decode(options["content"])
    content = bytearray(body.read())
    if fault.action == "flip":
        content[options.get("offset", len(content) // 2)] ^= 1
        return bytes(content)
    return bytes(content[: options["size"]].ljust(options["size"], b"\0"))


def _resized(response: Response, body: Body) -> Response:
    headers = dict(response.headers)
    if "X-Linked-Size" in headers:
        headers["X-Linked-Size"] = str(body.size)
    return replace(response, headers=headers, body=body)
