"""How far a download is: bytes counted as they arrive, and the rate at which they do."""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

_WINDOW_SECONDS = 5.0
_FIRST_SECONDS = 1.0
"""What arrives in less says nothing about the rate."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Of `total` bytes `received` are there, at `rate` bytes a second; `note` is something to tell, "" for nothing."""

    name: str
    received: int
    total: int
    rate: float = 0.0
    note: str = ""

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at this rate; None where nothing arrives."""
        return (self.total - self.received) / self.rate if self.rate > 0 else None


Report = Callable[[Progress], None]


def tell_notes(progress: Progress) -> None:
    """Show no progress, but what there is to tell, on stderr: what a caller gets who asked for nothing else."""
    if progress.note:
        print(progress.note, file=sys.stderr, flush=True)


class Meter:
    """Counts what all threads receive; `tick`, called by one thread now and then, reports it."""

    def __init__(self, name: str, total: int, report: Report) -> None:
        """For a download of so many bytes; nothing is reported before the first tick."""
        self._name, self._total, self._report = name, total, report
        self._lock = threading.Lock()
        self._notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._told: set[str] = set()
        self._samples: deque[tuple[float, int]] = deque()
        self.received = 0

    def add(self, count: int) -> None:
        """So many bytes arrived; fewer than none where some are thrown away."""
        with self._lock:
            self.received += count

    def note(self, text: str) -> None:
        """Have something told at the next tick, once."""
        with self._lock:
            if text not in self._told:
                self._told.add(text)
                self._notes.put(text)

    def tick(self) -> None:
        """Report how far it is, after everything there is to tell."""
        now = time.monotonic()
        if not self.received:
            self._samples.clear()
        self._samples.append((now, self.received))
        while len(self._samples) > 2 and now - self._samples[1][0] > _WINDOW_SECONDS:
            self._samples.popleft()
        while not self._notes.empty():
            self._report(self._progress(self._notes.get()))
        self._report(self._progress())

    def _progress(self, note: str = "") -> Progress:
        (begin, before), (end, after) = self._samples[0], self._samples[-1]
        rate = max(0.0, (after - before) / (end - begin)) if end - begin >= _FIRST_SECONDS else 0.0
        return Progress(self._name, self.received, self._total, rate, note)
