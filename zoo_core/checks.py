"""Checks of parsed TOML, to be combined: each takes a value and returns it checked, or raises Invalid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from zoo_core.text import clean

T = TypeVar("T")
Check = Callable[[object], T]

_LONGEST_TEXT = 1000
_LARGEST_NUMBER = 2**50


class Invalid(ValueError):
    """What is wrong with a value; tables and lists put the place before it."""


def at(place: str, check: Check[T], value: object) -> T:
    """The checked value; what is wrong with it is said to be at that place."""
    try:
        return check(value)
    except Invalid as invalid:
        raise Invalid(f"{place}: {invalid}") from None


def table(record: Callable[..., T], required: str, optional: str, checks: Mapping[str, Check[object]]) -> Check[T]:
    """A table with all of the required keys, and none but the optional ones besides, made into a record."""
    needed = frozenset(required.split())
    known = needed.union(optional.split())

    def check(value: object) -> T:
        if not isinstance(value, dict):
            raise Invalid("should be a table")
        if missing := sorted(needed - value.keys()):
            raise Invalid(f"lacks {', '.join(missing)}")
        if unknown := sorted(value.keys() - known):
            raise Invalid(f"has the unknown key '{clean(unknown[0])[:100]}'")
        return record(**{key: at(key, checks[key], item) for key, item in value.items()})

    return check


def listing(of: Check[T]) -> Check[tuple[T, ...]]:
    """A list whose every item passes a check."""

    def check(value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise Invalid("should be a list of tables")
        return tuple(at(f"number {number}", of, item) for number, item in enumerate(value, 1))

    return check


def no_doubles(names: Iterable[str]) -> None:
    """Raise Invalid if one of the names is there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Invalid(f"{name} is there twice")
        seen.add(name)


def text(value: object) -> str:
    """Text of at most 1000 characters, made safe to show."""
    if not isinstance(value, str):
        raise Invalid("should be text")
    if len(value) > _LONGEST_TEXT:
        raise Invalid(f"is longer than {_LONGEST_TEXT} characters")
    return clean(value)


def named(fits: Callable[[str], object], what: str) -> Check[str]:
    """Text that fits as it is; `what` describes the text that would."""

    def check(value: object) -> str:
        name = text(value)
        if name != value or not fits(name):
            raise Invalid(f"'{name[:100]}' is not {what}")
        return name

    return check


def or_empty(check: Check[str]) -> Check[str]:
    """Text that passes a check, or none."""
    return lambda value: "" if value == "" else check(value)


def exactly(number: int) -> Check[int]:
    """This whole number and no other: a schema's. True and 1.0, which are equal to 1, are not 1."""

    def check(value: object) -> int:
        if whole_number(value) != number:
            raise Invalid(f"is not the {number} that this zoo-core reads")
        return number

    return check


def whole_number(value: object) -> int:
    """A whole number from 0 to 2**50."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise Invalid("should be a whole number")
    if not 0 <= value <= _LARGEST_NUMBER:
        raise Invalid(f"should be between 0 and {_LARGEST_NUMBER}")
    return value


def finite_number(value: object) -> float:
    """A number that JSON can hold, as a float."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise Invalid("should be a number")
    # NaN lies between no two numbers.
    if not -_LARGEST_NUMBER <= value <= _LARGEST_NUMBER:
        raise Invalid(f"should be between -{_LARGEST_NUMBER} and {_LARGEST_NUMBER}")
    return float(value)
