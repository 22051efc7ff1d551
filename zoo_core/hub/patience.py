"""How long trouble is borne: tried again a few times, waiting longer each time, and never without end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from zoo_core.hub.troubles import Cancelled, Refused, Trouble


@dataclass(frozen=True, slots=True)
class Limits:
    """What is borne.

    `pause`: seconds before the second try, twice as many before each further one; `waiting`: seconds that are waited in
    a row, also where a server asks for more; `answer_seconds`: until an answer begins, however busily a server sends
    headers; `rate`: bytes a second below which, over `rate_seconds`, a server is too slow; `part`: bytes after which
    what went wrong before is forgotten.
    """

    pause: float = 1.0
    waiting: float = 60.0
    answer_seconds: float = 60.0
    rate: float = 1000.0
    rate_seconds: float = 30.0
    part: int = 1 << 16


LIMITS = Limits()


class Patience:
    """How often one file was tried since the last good part of it, and how long was waited."""

    def __init__(self, limits: Limits, stop: threading.Event, note: Callable[[str], None]) -> None:
        """Full; waits end when `stop` is set."""
        self._limits, self._stop, self._note = limits, stop, note
        self._restore()

    def arrived(self, count: int) -> None:
        """So many bytes came."""
        self._received += count
        if self._received >= self._limits.part:
            self._restore()

    def wait(self, trouble: Trouble) -> None:
        """Wait before the next try; raises the trouble itself where there should be none, Cancelled when stopped."""
        self._failures += 1
        asked = trouble.wait if isinstance(trouble, Refused) else None
        seconds = self._limits.pause * 2.0 ** (self._failures - 1) if asked is None else asked
        if self._failures >= trouble.tries or self._waited + seconds > self._limits.waiting:
            raise trouble
        self._waited += seconds
        self._received = 0
        if asked:
            self._note(f"{trouble.host} asks to wait {seconds:.0f} s: waiting")
        if self._stop.wait(seconds):
            raise Cancelled

    def _restore(self) -> None:
        self._failures = 0
        self._waited = 0.0
        self._received = 0
