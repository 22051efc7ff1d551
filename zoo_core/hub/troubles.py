"""What can go wrong between here and a server, as it was seen; `failures` says it to people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

_PASSING = (408, 425, 429, 500, 502, 503, 504)


@dataclass(eq=False)
class Trouble(Exception):
    """Something that a server did."""

    host: str

    @property
    def tries(self) -> int:
        """How often the request is worth a try, the first included."""
        return 1


@dataclass(eq=False)
class Refused(Trouble):
    """It answered with a status from 400 on; `code` and `message` are its own, `wait` the seconds it asks to wait.

    `token` says that one was sent.
    """

    status: int
    code: str = ""
    message: str = ""
    wait: float | None = None
    token: bool = False

    @property
    def tries(self) -> int:
        """Several for a status that comes and goes."""
        return 4 if self.status in _PASSING else 1


@dataclass(eq=False)
class Unreachable(Trouble):
    """No connection to it could be made."""

    reason: str

    @property
    def tries(self) -> int:
        """Two: mostly it stays so, and there may be a mirror."""
        return 2


@dataclass(eq=False)
class Broken(Trouble):
    """The connection ended, or went silent, before everything was there."""

    reason: str

    @property
    def tries(self) -> int:
        """Several."""
        return 4


@dataclass(eq=False)
class TooSlow(Trouble):
    """It sent less than is borne, `rate` bytes a second over so many seconds."""

    rate: float
    seconds: float


@dataclass(eq=False)
class WrongSize(Trouble):
    """What it has is not of the size that was recorded; `expected` and `found` are in words."""

    file: str
    expected: str
    found: str


@dataclass(eq=False)
class Foreign(Trouble):
    """It answered in a way that is of no use or not safe; `reason` goes on where its name ends."""

    reason: str


@dataclass(eq=False)
class Changed(Trouble):
    """The rest of a file cannot be had any more: it was replaced, or its address expired."""

    file: str


@dataclass(eq=False)
class Failed(Trouble):
    """Another client than ours failed; `reason` is what it says."""

    reason: str


class Cancelled(Exception):
    """Another file failed, or somebody wants to stop."""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, what caused it, what caused that, and so on."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
