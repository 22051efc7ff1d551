"""The command `zoo`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `zoo` with these arguments (default: the process') and return its exit status.

    0: done; 1: it could not be done, and one line on stderr says why; 2: the command was written wrongly;
    130: interrupted. ZOO_DEBUG=1 lets the traceback through.
    """
    _tolerate_any_encoding()
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _abandon_output()
        return 1
    return status


def _tolerate_any_encoding() -> None:
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def _run(arguments: Sequence[str] | None) -> int:
    from zoo_core.errors import TrainingInterrupted, UsageError, ZooError

    try:
        from zoo_core.cli.app import run

        return run(arguments)
    except (ZooError, OSError) as error:
        if os.environ.get("ZOO_DEBUG") or isinstance(error, BrokenPipeError):
            raise
        print(f"zoo: {error}", file=sys.stderr)
        if isinstance(error, UsageError):
            return 2
        return 130 if isinstance(error, TrainingInterrupted) else 1


def _abandon_output() -> None:
    """Whoever read the output is gone, so let what is left in the buffers vanish at exit, too."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
