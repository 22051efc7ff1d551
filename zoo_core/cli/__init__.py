"""The command `zoo`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from types import TracebackType

from zoo_core.errors import TrainingInterrupted, UsageError, ZooError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `zoo` with these arguments (default: the process') and return its exit status.

    0: done; 1: it could not be done, and one line on stderr says why; 2: the command was written wrongly;
    130: interrupted. ZOO_DEBUG=1 lets the traceback through, with no token in it.
    """
    _tolerate_any_encoding()
    try:
        from zoo_core.cli.app import run

        status = run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except (ZooError, OSError) as error:
        if os.environ.get("ZOO_DEBUG"):
            sys.excepthook = _show_traceback
            raise
        return _reported(error)
    except Exception:
        sys.excepthook = _show_traceback
        raise
    return status


def _reported(error: ZooError | OSError) -> int:
    # Where the reader of a pipe has gone away there is nothing to say.
    if not isinstance(error, BrokenPipeError):
        from zoo_core.text import clean
        from zoo_core.tokens import hidden

        print(f"zoo: {clean(hidden(str(error)))}", file=sys.stderr)
    try:
        sys.stdout.flush()
    except OSError:
        # What is left in the buffer would be an error once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, UsageError):
        return 2
    return 130 if isinstance(error, TrainingInterrupted) else 1


def _show_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from traceback import format_exception

    from zoo_core.tokens import hidden

    print(hidden("".join(format_exception(kind, error, trace))), end="", file=sys.stderr)


def _tolerate_any_encoding() -> None:
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
