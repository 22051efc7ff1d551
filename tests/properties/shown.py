"""What may reach a terminal: found in records of any kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any


def strings(value: Any) -> Iterator[str]:
    """Every text in a record, in a table or in a list, keys included."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from strings(key)
            yield from strings(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from strings(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from strings(getattr(value, field.name))


def assert_shown_safely(value: Any) -> None:
    """No text in it has a character that a terminal acts upon or that hides another."""
    for text in strings(value):
        assert text.isprintable(), repr(text)
        assert not INVISIBLE & set(text), repr(text)


INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
"""Printable by their category, and yet nothing is to be seen of them: not the code's list, on purpose."""
