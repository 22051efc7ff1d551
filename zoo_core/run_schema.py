"""What a run.json may hold where its content is used: strangers write it, and what it says is shown and acted upon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from zoo_core.checks import Check, Invalid, at, finite_number, named, table, text, whole_number
from zoo_core.errors import PresetError
from zoo_core.names import is_sha256
from zoo_core.text import clean

_MOST_ENTRIES = 1000


def check(record: Mapping[str, Any], where: str, complete: bool = True) -> None:
    """Raise PresetError unless this is the record of a training run: nothing of another type, nothing missing.

    All texts have to be one line, safe to show. Keys that are not known here are left unread. A record that somebody
    wrote by hand need not be `complete`.
    """
    known = {key: value for key, value in record.items() if key in _KNOWN}
    try:
        (_WHOLE if complete else _PART)(known)
    except Invalid as invalid:
        raise PresetError(f"{where}: {invalid}") from None


def _line(value: object) -> str:
    line = text(value)
    if line != value:
        raise Invalid("has characters that are not to be shown, or spaces around it")
    return line


def _plain(value: object) -> object:
    """A number, a line, a truth value, None, or a list of them."""
    if isinstance(value, str):
        return _line(value)
    if isinstance(value, list):
        if len(value) > _MOST_ENTRIES:
            raise Invalid(f"has more than {_MOST_ENTRIES} values")
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    return finite_number(value)


def _named(of: Check[object]) -> Check[dict[str, object]]:
    """A table with any names, whose every value passes a check."""

    def check_all(value: object) -> dict[str, object]:
        if not isinstance(value, dict):
            raise Invalid("should be a table")
        if len(value) > _MOST_ENTRIES:
            raise Invalid(f"has more than {_MOST_ENTRIES} entries")
        return {at("a name", _line, name): at(clean(name)[:100], of, item) for name, item in value.items()}

    return check_all


def _or_none(check_it: Callable[[object], object]) -> Check[object]:
    return lambda value: None if value is None else check_it(value)


def _run(complete: bool) -> Check[dict[str, object]]:
    """The check of a record, in which nothing may be missing if it has to be complete."""

    def of(required: str, optional: str, checks: Mapping[str, Check[object]]) -> Check[dict[str, object]]:
        return table(dict, required if complete else "", f"{required} {optional}", checks)

    identity = {"name": _line, "sha256": _line}
    evaluation = {
        "split": _line,
        "examples": whole_number,
        "seed": whole_number,
        "metrics": _named(finite_number),
        "baselines": _named(finite_number),
        "data": of("name sha256", "", identity),
    }
    return of(
        _REQUIRED,
        _OPTIONAL,
        {
            "schema": whole_number,
            "model": _line,
            "variant": _line,
            "recipe": _line,
            "settings": _named(_plain),
            "data": of("name sha256", "license splits", {**identity, "license": _line, "splits": _named(whole_number)}),
            "seed": whole_number,
            "epochs": whole_number,
            "steps": whole_number,
            "seconds": finite_number,
            "parameters": whole_number,
            "evaluation": _or_none(of("split examples seed metrics baselines data", "", evaluation)),
            "license": _line,
            "hardware": _named(_plain),
            "versions": _named(_line),
            "initial": _or_none(of("name sha256", "", identity)),
            "files": _named(table(dict, "size sha256", "", {"size": whole_number, "sha256": _SHA256})),
        },
    )


_SHA256 = named(is_sha256, "64 hexadecimal digits")
_REQUIRED = "schema model variant recipe settings data seed epochs steps seconds parameters evaluation license files"
_OPTIONAL = "hardware versions initial"
_KNOWN = frozenset((*_REQUIRED.split(), *_OPTIONAL.split()))
_WHOLE, _PART = _run(complete=True), _run(complete=False)
