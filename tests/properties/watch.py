"""What a property is held to: its documented error and no other, bounded time, no other file, no code run."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo_core.errors import ZooError

LONGEST_MESSAGE = 4_000
LONGEST_SECONDS = 2.0
"""Of the processor's time, for one example of a few kilobytes: most take a thousandth of it."""

# What reading must not lead to. To look at a file's status is no event, and harmless.
_FORBIDDEN = (
    "builtins.input",
    "ctypes.",
    "exec",
    "ftplib.",
    "http.",
    "import",
    "marshal.",
    "open",
    "os.",
    "pickle.",
    "pty.",
    "shutil.",
    "smtplib.",
    "socket.",
    "subprocess.",
    "urllib.",
    "webbrowser.",
)
_WITHIN = ("open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.chmod", "tempfile.")


# What the zoo imports of its own accord as it goes: here already, so that an import tells of somebody else's accord.
for _module in (
    "difflib",
    "email.parser",
    "encodings.cp437",
    "huggingface_hub.utils",
    "importlib.metadata",
    "packaging.requirements",
    "packaging.specifiers",
    "packaging.version",
    "tomllib",
    "urllib.parse",
    "zipfile",
    "zoo_core.checks",
    "zoo_core.datasets",
    "zoo_core.run_schema",
    "zoo_core.schema",
):
    importlib.import_module(_module)


class Forbidden(BaseException):
    """Something was about to happen that must not; no `except Exception` hides it."""


@dataclass(slots=True)
class Count:
    """A property's examples, what became of the calls made for them, and the seconds that the slowest call took."""

    examples: int = 0
    accepted: int = 0
    refused: int = 0
    slowest: float = 0.0


counts: dict[str, Count] = {}
_current = Count()


@contextlib.contextmanager
def counting(name: str) -> Iterator[Count]:
    """Count what is attempted inside under this name."""
    global _current
    before, _current = _current, counts.setdefault(name, Count())
    try:
        yield _current
    finally:
        _current = before


def count_example() -> None:
    """One more, of the property that is being tested."""
    _current.examples += 1


def write(path: str) -> None:
    """Write all counts as JSON, with their sum."""
    table: dict[str, Any] = {name: asdict(count) for name, count in counts.items() if count.examples}
    Path(path).write_text(json.dumps({"all": sum(count.examples for count in counts.values()), **table}, indent=1))


def attempt(refusal: type[ZooError], function: Callable[..., Any], *arguments: Any, folder: Path | None = None) -> Any:
    """What a function makes of its arguments; None where it refuses them as documented, by an error that can be shown.

    Anything else that it raises goes through. It may open files inside `folder` only.
    """
    # After a hundred thousand examples, to collect Hypothesis' garbage takes seconds that would be laid to the call.
    gc.disable()
    start = time.thread_time()
    try:
        with _guarded(folder):
            result = function(*arguments)
    except refusal as error:
        _current.refused += 1
        assert_error_is_shown_safely(error)
        result = None
    else:
        _current.accepted += 1
    finally:
        seconds = time.thread_time() - start
        gc.enable()
    _current.slowest = max(_current.slowest, seconds)
    assert seconds < LONGEST_SECONDS
    return result


def assert_error_is_shown_safely(error: ZooError) -> None:
    """One line, of bounded length, without anything that a terminal would act upon."""
    message = str(error)
    assert message
    assert message.isprintable(), message
    assert len(message) < LONGEST_MESSAGE


class _Guard:
    """What one thread may do for now."""

    def __init__(self, folder: Path | None) -> None:
        self.thread = threading.get_ident()
        self.folder = os.path.realpath(folder) if folder else None

    def check(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(_FORBIDDEN) and not self._is_within(event, arguments):
            raise Forbidden(f"{event} {arguments!r:.300}")

    def _is_within(self, event: str, arguments: tuple[Any, ...]) -> bool:
        if self.folder is None or not event.startswith(_WITHIN):
            return False
        paths = [os.fsdecode(item) for item in arguments if isinstance(item, (str, bytes, os.PathLike))]
        names = [path for path in paths if os.sep in path]
        return bool(names) and all(os.path.realpath(name).startswith(self.folder) for name in names)


_guard: _Guard | None = None
_is_hooked = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    guard = _guard
    if guard is not None and guard.thread == threading.get_ident():
        guard.check(event, arguments)


@contextlib.contextmanager
def _guarded(folder: Path | None) -> Iterator[None]:
    global _guard, _is_hooked
    if not _is_hooked:
        sys.addaudithook(_hook)
        _is_hooked = True
    _guard = _Guard(folder)
    try:
        yield
    finally:
        _guard = None
