"""What strangers might write: values and texts to put into places where something else is expected."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

PATHS = (
    "",
    ".",
    "..",
    "../../etc/passwd",
    "a/../../b",
    "a//b",
    "a/./b",
    "/etc/passwd",
    "//host/share",
    "~",
    "~root/x",
    "./x",
    "x/",
    ".hidden",
    "-rf",
    "C:\\Windows",
    "C:x",
    "..\\..\\x",
    "\\\\host\\share",
    "con",
    "NUL",
    "aux.txt",
    "COM1.safetensors",
    "trailing.",
    "trailing ",
    "a\0b",
    "a:stream",
    "file:///etc/passwd",
    "/dev/zero",
    "/proc/self/environ",
    "/dev/stdin",
)

LOOK_ALIKES = (
    "gl\u043ew",  # a Cyrillic o
    "\u0261low",  # a script g
    "glow\u0337",  # a stroke laid over it
    "\uff47\uff4c\uff4f\uff57",  # full width
    "\U0001d420low",  # mathematical bold
    "glo\u200bw",
    "glo\u00adw",
    "glow\u3164",  # printable by its category, and yet nothing to see
    "\u2800glow",
    "\u115f\u1160",
    "\u202ewolg",
    "\u2066glow",
    "glow\U000e0041",
    "\u0130stanbul",  # its lower case has two characters
    "\u0661\u0662",  # digits of another script
    "a\u0301\u0301\u0301\u0301\u0301\u0301\u0301\u0301",
)

TERMINAL = (
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "\x1b]8;;https://example.org\x1b\\link",
    "\x1b]52;c;aGk=\x07",
    "\x1bP+q544e\x1b\\",
    "\x9b2J",
    "\x1b",
    "\x1bc",
    "\r\x1b[K$ ",
    "\x08\x08\x08",
    "\x7f",
    "\0",
    "two\nlines",
    "\u2028line",
    "\x85next",
    "[bold red]markup[/]",
    "\ud800",
    "\udcff",
)

CODE = (
    "os:system",
    "builtins:eval",
    "builtins:__import__",
    "keras.src.saving.serialization_lib:enable_unsafe_deserialization",
    "__import__('os').system('true')",
    "$(touch x)",
    "`id`",
    "${HOME}",
    "{0.__class__}",
    "%s%n%(x)s",
    "; rm -rf x",
    "--index-url=https://example.org",
    "-e .",
    "x @ git+https://example.org/x",
    "https://zoo-models.org@example.org/x.whl",
    "https://example.org/x.whl#sha256=0",
    "http://example.org",
    "https://",
    "https://[::1",
    "javascript:1",
    "__proto__",
    "__class__",
    "__metadata__",
)

SYNTAX = ('"', "'", "\\", '"""', "'''", "]]", "}", "#", "= 1\n", "\\u0000", "\\ud800", "\u201d", "null", "nan", "main")
LONG = ("a" * 64, "a" * 65, "x" * 1000, "x" * 1001, "é" * 1001, "x" * 10_001, "0" * 40, "f" * 64, "F" * 64, "0" * 5000)
TEXTS = (*PATHS, *LOOK_ALIKES, *TERMINAL, *CODE, *SYNTAX, *LONG)

NUMBERS = (
    *(0, 1, -1, 2, 3, 8, 9, 10**9, 2**31, 2**31 + 1, 2**48, 2**48 + 1, 2**50, 2**50 + 1, 2**63, 2**64, -(2**63)),
    *(10**400, -(10**400), 16**6000),  # no float holds these, and the last is not written out in decimal either
    *(0.0, -0.0, 0.1, 1.0, 1e22, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan")),
)


def nested(depth: int, kind: type[Any] = list) -> Any:
    """Lists in lists, or tables in tables."""
    value: Any = kind()
    for _ in range(depth):
        value = [value] if kind is list else {"a": value}
    return value


OTHERS: tuple[Any, ...] = (
    *(None, True, False, [], {}, [[]], [None], {"": 1}, {"a": {}}, [1, "a", 2.0, {}], ["x"] * 200),
    *(nested(9), nested(60), nested(60, dict), nested(100)),
    *(datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), datetime.time(1)),
)


_place = st.integers(0, 2**16 - 1)


def one_of(pool: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """One of these, by its place: Hypothesis would write out the whole pool, and one number in ours cannot be."""
    return _place.map(lambda place: pool[place % len(pool)])


texts = st.one_of(one_of(TEXTS), st.text(max_size=12))
values = st.one_of(texts, one_of(NUMBERS), st.integers(), st.floats(), one_of(OTHERS))


def containers(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every table and list in a value, itself included."""
    if isinstance(value, (dict, list)):
        yield path
        for key, child in value.items() if isinstance(value, dict) else enumerate(value):
            yield from containers(child, (*path, key))


def mutated(bases: tuple[Any, ...], most: int = 3, replacing: Any = values) -> st.SearchStrategy[Any]:
    """One of the values, with a few things in it replaced, added, left out or doubled; now and then as it is."""
    ways = [tuple(containers(base)) for base in bases]
    # Strategies are made here, once: to make them for each example would take most of its time.
    changes = st.lists(st.tuples(_place, _place, _place, texts, replacing), max_size=most)

    def change_all(which: int, wanted: list[tuple[int, int, int, str, Any]]) -> Any:
        value = _copied(bases[which % len(bases)])
        for way, action, key, name, item in wanted:
            _change(_follow(value, ways[which % len(bases)], way), action % 6, key, name, _copied(item))
        return value

    return st.builds(change_all, _place, changes)


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(item) for key, item in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list) else value


def _follow(value: Any, ways: tuple[tuple[Any, ...], ...], way: int) -> Any:
    """The table or list at the end of a way, or the last one before it ends early."""
    for key in ways[way % len(ways)]:
        try:
            there = value[key]
        except (LookupError, TypeError):  # an earlier change has been here
            break
        if not isinstance(there, (dict, list)):
            break
        value = there
    return value


def _change(place: Any, action: int, key: int, name: str, item: Any) -> None:
    keys = tuple(place) if isinstance(place, dict) else tuple(range(len(place)))
    chosen = keys[key % len(keys)] if keys else None
    if action >= 2 and keys:
        place[chosen] = item
    elif action == 1 and keys:
        del place[chosen]
    elif isinstance(place, dict):
        place[name] = item
    else:
        place.append(_copied(place[chosen]) if keys else item)


def spliced(bases: tuple[bytes, ...], pieces: tuple[bytes, ...], most: int = 3) -> st.SearchStrategy[bytes]:
    """One of the contents, with a few stretches cut out and others put in: pieces, or any bytes."""
    cuts = st.sampled_from((0, 0, 1, 2, 5, 20, 100))
    changes = st.lists(st.tuples(_place, cuts, st.one_of(one_of(pieces), st.binary(max_size=6))), max_size=most)

    def change_all(which: int, wanted: list[tuple[int, int, bytes]]) -> bytes:
        content = bases[which % len(bases)]
        for place, cut, piece in wanted:
            start = place % (len(content) + 1)
            content = content[:start] + piece + content[start + cut :]
        return content

    return st.builds(change_all, _place, changes)


def encoded(texts_: tuple[str, ...]) -> tuple[bytes, ...]:
    """Texts as bytes, lone surrogates too."""
    return tuple(text.encode("utf-8", "surrogatepass") for text in texts_)
