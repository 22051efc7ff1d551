"""What comes of a check: passed, failed, or skipped where it cannot decide."""

from __future__ import annotations

from dataclasses import dataclass

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"


@dataclass(frozen=True, slots=True)
class Result:
    """One check's outcome for one object: a plugin, a command, a component, a model or a preset.

    `status` is passed, failed or skipped, `detail` what is wrong, or why nothing can be said.
    """

    check: str
    kind: str
    object: str
    status: str
    detail: str = ""
    seconds: float = 0.0


class CheckFailed(Exception):
    """The object is not what the check demands; the message says in one line what is wrong and what mends it."""


class Undecided(Exception):
    """The check has nothing to say about the object here; the message is the reason."""
