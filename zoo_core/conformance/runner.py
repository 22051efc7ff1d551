"""Which checks there are to do of a plugin, and the doing of one."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module

from zoo_core import backend, host
from zoo_core.conformance.results import FAILED, PASSED, SKIPPED, CheckFailed, Result, Undecided
from zoo_core.conformance.subjects import Item, Subject
from zoo_core.conformance.table import CHECKS, COMPUTING, NAMES, Check
from zoo_core.errors import UsageError, ZooError
from zoo_core.names import suggest
from zoo_core.text import clean


@dataclass(frozen=True, slots=True)
class Task:
    """One check of one object."""

    check: Check
    item: Item


def plan(subject: Subject, only: Iterable[str] = ()) -> list[Task]:
    """Every check of every object, object by object; `only` the checks of these names, if any are given.

    Runs the plugin's hooks, and imports nothing that they name. Raises UsageError for a check that there is not.
    """
    check_names(only)
    chosen = set(only)
    return [
        Task(check, item)
        for item in subject.items()
        for check in CHECKS
        if item.kind in check.kinds and (not chosen or check.name in chosen)
    ]


def check_names(names: Iterable[str]) -> None:
    """Raise UsageError for a check that there is not."""
    for name in sorted(set(names) - set(NAMES)):
        raise UsageError(f"no check '{clean(name)[:100]}'{suggest(name, NAMES)}", "zoo check --list")


def perform(subject: Subject, task: Task) -> Result:
    """The result of one check; whatever the plugin raises is a failure, and `$ZOO_DEBUG` shows its traceback."""
    start = time.perf_counter()
    status, detail = PASSED, ""
    try:
        # What a plugin prints would spoil the one JSON document on stdout.
        with contextlib.redirect_stdout(sys.stderr):
            decide(subject, task)
    except Undecided as reason:
        status, detail = SKIPPED, str(reason)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        status, detail = FAILED, explain(error)
        if os.environ.get("ZOO_DEBUG"):
            import traceback

            traceback.print_exception(error)
    seconds = round(time.perf_counter() - start, 3)
    return Result(task.check.name, task.item.kind, task.item.name, status, clean(detail), seconds)


def decide(subject: Subject, task: Task) -> None:
    """Do one check, in an empty folder that is removed afterwards; raises CheckFailed, Undecided, or what went wrong.

    Warnings are not shown: whether they are errors is for the author's own tests to say.
    """
    module, _, function = task.check.function.partition(":")
    with warnings.catch_warnings(), contextlib.ExitStack() as stack:
        warnings.simplefilter("ignore")
        if task.item.kind in COMPUTING:
            backend.ensure()
            stack.enter_context(contextlib.chdir(stack.enter_context(tempfile.TemporaryDirectory(prefix="zoo-check-"))))
        getattr(import_module(module), function)(subject, task.item)


def explain(error: BaseException) -> str:
    """What went wrong, on one line."""
    if isinstance(error, CheckFailed):
        return str(error)
    return str(error) if isinstance(error, ZooError) else host.explain(error)
