"""What a check finds, and the commands that mend it."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from importlib.util import find_spec

OK, WARNING, ERROR = "ok", "warning", "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check's outcome: `status` is ok, warning or error; `fix` is what to do about it."""

    check: str
    status: str
    detail: str
    fix: str = ""
    section: str = ""


def pip(*words: str) -> str:
    """A command of pip's, or of uv's where pip is not, for the environment of this interpreter."""
    action, *arguments = words
    if find_spec("pip"):
        return shlex.join([sys.executable, "-m", "pip", action, *arguments])
    return shlex.join(["uv", "pip", action, "--python", sys.executable, *arguments])
