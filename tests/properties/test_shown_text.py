"""Text by strangers as it is shown: one line, nothing that a terminal acts upon, nothing that cannot be seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.properties import hostile
from tests.properties.profiles import examples
from tests.properties.shown import INVISIBLE
from tests.properties.watch import attempt
from zoo_core.errors import UsageError
from zoo_core.manifest import toml_value
from zoo_core.names import shown_path, suggest
from zoo_core.text import clean
from zoo_core.toml_files import parse

LETTERS = st.text(alphabet="\x1b\x9b[]()P^_\\;:0123456789mJ \x07\x9c\u202e\u3164aé中\U000e0041\ud800", max_size=30)
PASTED = st.lists(st.one_of(hostile.texts, st.text(max_size=6), LETTERS), max_size=4).map("".join)


@examples(deep=50_000)
@given(PASTED)
def test_clean_text_is_safe_and_stays_as_it_is(text):
    shown = attempt(UsageError, clean, text)
    assert shown.isprintable()
    assert not INVISIBLE & set(shown)
    assert clean(shown) == shown
    assert len(shown) <= len(text)
    assert parse(f"text = {toml_value(text)}", "here") == {"text": shown}


@examples(deep=30_000)
@given(st.text(alphabet=st.characters(min_codepoint=0x20, exclude_categories=("C", "Z", "M", "So")), max_size=20))
def test_text_that_is_safe_is_left_alone(text):
    assert attempt(UsageError, clean, text) == "".join(letter for letter in text if letter not in INVISIBLE)


@examples(deep=20_000)
@given(PASTED, st.lists(hostile.texts, max_size=3))
def test_a_suggestion_and_a_path_are_shown_safely(text, candidates):
    known = [clean(candidate) for candidate in candidates]
    assert attempt(UsageError, suggest, text, known).isprintable()
    assert attempt(UsageError, shown_path, text).isprintable()
