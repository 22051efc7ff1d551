"""Asks a subprocess, the prober, about plugins one by one, and starts another after each that brings it down."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

TIMEOUT = 60.0

_LONGEST_LINE = 4_000_000


def answers(names: Sequence[str], timeout: float = TIMEOUT) -> Iterator[dict[str, Any]]:
    """What the prober says of each plugin; of one that ends it, or hangs for `timeout` seconds, that it did."""
    waiting = list(names)
    while waiting:
        told = list(_ask(waiting, timeout))
        if not told:
            return
        yield from told
        waiting = waiting[len(told) :]


def _ask(names: Sequence[str], timeout: float) -> Iterator[dict[str, Any]]:
    """The answers of one prober, at least one unless it does not even start."""
    with suppress(OSError), _Prober(names) as prober:
        if prober.line(TIMEOUT) is None:
            return
        for name in names:
            start = time.perf_counter()
            line = prober.line(timeout)
            answer = (
                json.loads(line) if line else _failure(name, prober.why_silent(timeout), time.perf_counter() - start)
            )
            yield answer
            if not line or answer["heavy"]:
                return


def _failure(name: str, error: str, seconds: float) -> dict[str, Any]:
    return {
        "plugin": name,
        "seconds": round(seconds, 3),
        "error": error,
        "heavy": [],
        "stale": False,
        "registered": None,
        "counts": {},
    }


class _Prober:
    """The subprocess, its lines read under a time limit; killed at the end, with whatever a plugin started."""

    def __init__(self, names: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "zoo_core.prober", *names],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        assert self._process.stdout is not None
        self._output = self._process.stdout
        self._read = b""

    def __enter__(self) -> _Prober:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGKILL)
        # Not communicate(): a process that a plugin forked off may keep the pipe open for ever.
        self._output.close()
        self._process.wait()

    def line(self, timeout: float) -> str | None:
        """The next line; None when the process has ended or the time, in seconds, is over."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self._read:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not select.select([self._output], [], [], remaining)[0]:
                return None
            block = os.read(self._output.fileno(), 65_536)
            if not block or len(self._read) > _LONGEST_LINE:
                return None
            self._read += block
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def why_silent(self, timeout: float) -> str:
        """Why there was no line within so many seconds."""
        try:
            status = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return f"it was still being loaded after {timeout:g} seconds"
        how = f"exit status {status}" if status >= 0 else f"signal {-status}"
        return f"it ends the process that loads it ({how})"


def _environment() -> dict[str, str]:
    """The same import path as here; a plugin that looks at the zoo as it is loaded must start no prober."""
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    return os.environ | {"PYTHONPATH": path, "ZOO_NO_PROBE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
