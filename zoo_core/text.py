"""Text that comes from elsewhere, made safe to show; sizes and counts as people read them."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ESCAPE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, the cursor
    r"|\x1b[\]PX^_][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # window titles, links: up to their terminator
    r"|\x1b[ -/]*[0-~]?"  # everything shorter
)

# Printable by their category, and yet nothing is to be seen of them: fillers, blanks, joiners, variation selectors.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)

_SIZE_UNITS = ("B", "kB", "MB", "GB", "TB")


def clean(text: str) -> str:
    """The text on one line, without escape sequences, control characters, bidirectional overrides or invisible ones."""
    if text.isascii() and text.isprintable():
        return text.strip()
    visible = _UNSEEN.sub("", _ESCAPE.sub("", text))
    return "".join(_shown(character) for character in visible).strip()


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    return " " if character.isspace() else ""


def human_size(size: int) -> str:
    """A number of bytes in decimal units: 999 -> "999 B", 1_234_567 -> "1.2 MB"."""
    amount = float(size)
    for unit in _SIZE_UNITS:
        if amount < 999.95 or unit == _SIZE_UNITS[-1]:
            break
        amount /= 1000
    return f"{size} B" if unit == "B" else f"{amount:.1f} {unit}"


def plural(count: int, noun: str) -> str:
    """A count with its noun: "1 model", "2 models"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(words: Iterable[str]) -> str:
    """Words for an error message, quoted: "'a', 'b'"."""
    return ", ".join(f"'{word}'" for word in words)
