"""Text that comes from elsewhere."""

from __future__ import annotations

import pytest

from zoo_core.text import clean, human_size, listed, plural


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, 中文, émigré 🙂", "plain, 中文, émigré 🙂"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b(Btext\x1bM", "text"),
        ("\x1b", ""),
        ("two\nlines\tand\r\na tab", "two lines and  a tab"),
        ("bell\x07 del\x7f null\x00", "bell del null"),
        ("user\u202egnp.exe", "usergnp.exe"),
        ("zero\u200bwidth\ufeff \u2066isolated\u2069", "zerowidth isolated"),
        ("line\u2028separator", "line separator"),
        ("lone \ud800 surrogate", "lone  surrogate"),
        ("tag\U000e0041", "tag"),
        ("  space around  ", "space around"),
    ],
)
def test_what_could_act_on_a_terminal_is_taken_out(text: str, shown: str) -> None:
    assert clean(text) == shown
    assert clean(text).isprintable()


def test_cleaning_twice_changes_nothing_more() -> None:
    nested = "\x1b\x1b[31m[31mred"
    assert clean(clean(nested)) == clean(nested)


@pytest.mark.parametrize(
    ("size", "shown"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (42_000_000, "42.0 MB")],
)
def test_sizes_are_shown_in_decimal_units(size: int, shown: str) -> None:
    assert human_size(size) == shown


def test_the_largest_unit_is_terabytes() -> None:
    assert human_size(12_345 * 10**12) == "12345.0 TB"


def test_a_count_agrees_with_its_noun() -> None:
    assert [plural(count, "model") for count in (0, 1, 2)] == ["0 models", "1 model", "2 models"]


def test_words_are_listed_in_quotes() -> None:
    assert listed(["a", "b"]) == "'a', 'b'"
