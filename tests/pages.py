"""Pages of the documentation as data: fenced blocks, the files that they show, and the commands that are typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w./-]+\.(?:py|toml))`.*[:：]$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, and the file that it shows, named in the line above; "" for none."""

    language: str
    text: str
    file: str

    @property
    def lines(self) -> list[str]:
        """What is typed, in a block of commands."""
        return [line for line in self.text.splitlines() if words_of(line)]


def blocks(text: str, *languages: str) -> Iterator[Block]:
    """The blocks of a page in these languages, or in any."""
    for match in _FENCE.finditer(text):
        if match[1] in languages or not languages:
            above = text[: match.start()].rstrip().rpartition("\n")[2]
            file = _FILE.search(above)
            yield Block(match[1], match[2], file[1] if file and match[1] != "console" else "")


def section(text: str, heading: str) -> str:
    """The part of a page below a heading of the second level."""
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def without_blocks(text: str) -> str:
    """A page without its fenced blocks."""
    return _FENCE.sub("", text)


def words_of(line: str) -> list[str]:
    """The words of a command, comments aside."""
    return shlex.split(line, comments=True)
