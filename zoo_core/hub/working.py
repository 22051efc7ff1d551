"""Several downloads at once, in threads that end when one fails or when somebody interrupts."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable

from zoo_core.hub.troubles import Cancelled

Job = Callable[[], None]

_THREADS = 4
_TICK_SECONDS = 0.1
_FAREWELL_SECONDS = 2.0


def work(jobs: Iterable[Job], stop: threading.Event, tick: Job, wake: Job) -> None:
    """Do all jobs, `tick` being called meanwhile by this thread; raises what the first one that fails raises.

    Then, or at Ctrl-C, `stop` is set and `wake` called, and the others have a moment to end: none is waited for longer,
    so the threads are daemons.
    """
    workers = _Workers(jobs, stop)
    try:
        workers.start()
        while not stop.is_set() and not workers.have_ended(_TICK_SECONDS):
            tick()
        tick()
    finally:
        stop.set()
        wake()
        workers.have_ended(_FAREWELL_SECONDS)
    if workers.failure:
        raise workers.failure


class _Workers:
    """Threads that take jobs until none is left, one fails or `stop` is set."""

    def __init__(self, jobs: Iterable[Job], stop: threading.Event) -> None:
        self._jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
        for job in jobs:
            self._jobs.put(job)
        self._stop = stop
        # Not Thread.join: interrupted, it takes a thread that runs for one that has ended (Python 3.11).
        self._ended = threading.Semaphore(0)
        self._running = min(_THREADS, self._jobs.qsize())
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin."""
        for _ in range(self._running):
            threading.Thread(target=self._work, daemon=True).start()

    def have_ended(self, seconds: float) -> bool:
        """Whether all threads end within so many seconds."""
        deadline = time.monotonic() + seconds
        while self._running and self._ended.acquire(timeout=max(0.0, deadline - time.monotonic())):
            self._running -= 1
        return not self._running

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                self._jobs.get_nowait()()
        except (queue.Empty, Cancelled):
            pass
        except BaseException as error:
            self.failure = self.failure or error
            self._stop.set()
        finally:
            self._ended.release()
