"""Names by strangers: what passes for a name can neither be a path nor be mistaken for another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.properties import hostile
from tests.properties.bases import REVISION
from tests.properties.profiles import examples
from tests.properties.watch import attempt
from zoo_core.errors import UsageError
from zoo_core.names import (
    Reference,
    is_file_name,
    is_import_path,
    is_item_name,
    is_path,
    is_plugin_name,
    is_repository,
    is_revision,
    parse_hub_reference,
    parse_reference,
)
from zoo_core.schema import is_relative_folder

WORDS = ("glow", "realnvp", "fashion-mnist", "a", "A.b_c-1", REVISION, REVISION.upper(), "main")
PARTS = st.one_of(hostile.one_of(WORDS), st.sampled_from(("/", ":", "@", "/", ":", "@", ".", "..", "~")), hostile.texts)
WRITTEN = st.lists(PARTS, max_size=8).map("".join)
DEVICES = {"con", "prn", "aux", "nul", *(f"{kind}{number}" for kind in ("com", "lpt") for number in range(1, 10))}


@examples(deep=60_000)
@given(WRITTEN)
def test_a_reference_is_refused_or_written_as_it_was_read(text):
    reference = attempt(UsageError, parse_reference, text)
    if reference is not None:
        assert isinstance(reference, Reference)
        assert str(reference) == text
        assert text.isascii()
        assert not is_path(text)
        assert not {"\\", "~", "\0", " "} & set(text)


@examples(deep=30_000)
@given(st.lists(PARTS, max_size=5).map("".join), st.booleans())
def test_a_place_on_the_hub_is_refused_or_written_as_it_was_read(text, unpinned):
    written = f"hf://some-one/{text}"
    place = attempt(UsageError, parse_hub_reference, written, unpinned)
    if place is not None:
        assert str(place) == written
        assert is_repository(place.repo)
        assert is_revision(place.revision) or unpinned
        assert "/" not in place.revision
        assert not place.revision.startswith(("-", "."))


@examples(deep=30_000)
@given(st.one_of(PARTS, WRITTEN))
def test_no_name_leads_out_of_a_folder(text):
    attempt(UsageError, is_plugin_name, text)
    if is_plugin_name(text):
        assert is_item_name(text)
    if is_file_name(text):
        assert is_item_name(text)
        assert text.lower().partition(".")[0] not in DEVICES
        assert not text.endswith(".")
    if is_item_name(text):
        assert text.isascii()
        assert text.strip(".")
        assert not set("/\\:~\0 ") & set(text)
    if is_relative_folder(text):
        assert all(map(is_file_name, text.split("/")))
    if is_repository(text):
        assert text.count("/") == 1
        assert ".." not in text
        assert "--" not in text
        assert text.isascii()
    if is_import_path(text):
        assert text.isascii()
        assert all(part.isidentifier() for part in text.replace(":", ".").split("."))
