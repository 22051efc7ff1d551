"""SIGINT and SIGTERM as a wish to stop, which long work looks at when it is in a state that can be saved."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator


class Signals:
    """The name of the signal that asked to stop, "" until there was one."""

    def __init__(self) -> None:
        """No signal yet."""
        self.received = ""

    def __call__(self, number: int, frame: object) -> None:
        """Remember the signal; the second one interrupts at once."""
        if self.received:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name
        # Not print: a handler may run in the middle of another print.
        os.write(2, b"\nstopping at the next batch (once more: at once, without saving)\n")


@contextlib.contextmanager
def caught_signals() -> Iterator[Signals]:
    """Inside, SIGINT and SIGTERM are remembered instead of ending the process; in the main thread only."""
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return
    previous = {number: signal.signal(number, signals) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
