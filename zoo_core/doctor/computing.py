"""Whether the backend computes: tried in a process of its own, and remembered until what is installed changes.

`python -m zoo_core.doctor.computing` is that process.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo_core import backend, memory
from zoo_core.doctor.finding import ERROR, OK, Finding
from zoo_core.errors import BackendError
from zoo_core.text import clean

TIMEOUT = 120.0

_FILE_NAME = "backend.json"


class Computing:
    """A try that runs while other checks are made, and ends with the block; none where $ZOO_NO_PROBE is set."""

    def __init__(self, refresh: bool = False, timeout: float = TIMEOUT) -> None:
        """Begin it, unless its outcome is remembered and it is not to be done again."""
        remembered = None if refresh else memory.load(_FILE_NAME).get(_place())
        self._timeout = timeout
        self._known = remembered if _is_outcome(remembered) else None
        self._process = None if self._known or os.environ.get("ZOO_NO_PROBE") else _start()

    def __enter__(self) -> Computing:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def findings(self) -> Iterator[Finding]:
        """Whether it computed, and how long it took to load and to compute; nothing where nothing was tried."""
        outcome = self._known or self._outcome()
        if outcome is None:
            return
        name, seconds, error = outcome["backend"], outcome["seconds"], outcome["error"]
        if error:
            yield Finding("computing", ERROR, f"{name} does not compute: {error}", backend.install_command(name))
        else:
            yield Finding("computing", OK, f"{name} loads and computes in {seconds:.1f} s")

    def _outcome(self) -> dict[str, Any] | None:
        if self._process is None:
            return None
        try:
            answer, _ = self._process.communicate(timeout=self._timeout)
        except subprocess.TimeoutExpired:
            self._end()
            return _failure(f"it was still being loaded after {self._timeout:g} seconds")
        outcome = _parsed(answer) or _failure(f"it ends its process ({_ending(self._process.returncode)})")
        if not outcome["error"]:
            memory.save(_FILE_NAME, memory.load(_FILE_NAME) | {_place(): outcome})
        return outcome

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            with suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()


def main() -> None:
    """Compute a sum, and print as JSON which backend did, after how many seconds, or why not."""
    start = time.perf_counter()
    name, error = os.environ.get("KERAS_BACKEND", ""), None
    try:
        name = backend.choose()
        backend.ensure()
        from keras import ops

        total = float(ops.convert_to_numpy(ops.sum(ops.arange(4, dtype="float32"))))
        if total != 6.0:
            error = f"0 + 1 + 2 + 3 is {total}"
    except BackendError as refused:
        error = refused.message
    except Exception as raised:
        error = clean(f"{type(raised).__name__}: {raised}")[:300]
    outcome = {"backend": name, "seconds": round(time.perf_counter() - start, 1), "error": error}
    print(json.dumps(outcome), flush=True)


def _start() -> subprocess.Popen[bytes] | None:
    path = os.pathsep.join(folder or os.getcwd() for folder in sys.path)
    environment = os.environ | {"PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "zoo_core.doctor.computing"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
    except OSError:
        return None


def _place() -> str:
    """One place in the memory for each backend in each environment as it is now."""
    chosen = os.environ.get("KERAS_BACKEND", backend.in_keras_json() or "")
    return f"{sys.prefix} {chosen} {memory.stamp(Path(sysconfig.get_path('purelib')))}"


def _parsed(answer: bytes) -> dict[str, Any] | None:
    """The outcome on the last line; None where there is none."""
    try:
        outcome = json.loads(answer.decode().splitlines()[-1])
    except (ValueError, IndexError, RecursionError):
        return None
    return outcome if _is_outcome(outcome) else None


def _is_outcome(value: object) -> bool:
    if not isinstance(value, dict) or value.keys() != {"backend", "seconds", "error"}:
        return False
    is_text = isinstance(value["backend"], str) and isinstance(value["error"], str | None)
    return is_text and isinstance(value["seconds"], float | int)


def _failure(error: str) -> dict[str, Any]:
    name = os.environ.get("KERAS_BACKEND") or backend.in_keras_json() or backend.BACKENDS[0]
    return {"backend": name, "seconds": 0.0, "error": error}


def _ending(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"signal {-status}"


if __name__ == "__main__":
    main()
