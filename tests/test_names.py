"""The grammar of names."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo_core.cli.app import COMMANDS
from zoo_core.errors import UsageError
from zoo_core.names import RESERVED, Reference, is_import_path, is_path, is_plugin_name, parse_reference, suggest

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("glow", Reference(None, "glow")),
        ("glow/realnvp", Reference("glow", "realnvp")),
        ("realnvp:fashion-mnist", Reference(None, "realnvp", "fashion-mnist")),
        ("glow/ActNorm", Reference("glow", "ActNorm")),
        (f"glow@{REVISION}", Reference(None, "glow", None, REVISION)),
        (f"glow/realnvp:mnist@{REVISION}", Reference("glow", "realnvp", "mnist", REVISION)),
    ],
)
def test_a_reference_is_read_into_its_parts_and_written_as_it_was(text: str, reference: Reference) -> None:
    assert parse_reference(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        ":",
        "a/b/c",
        "a:b:c",
        "glow:",
        "/glow",
        "glow/",
        "@",
        "../glow",
        "a b",
        "glow:..",
        "-x",
        "Glow/x",
        "x" * 65,
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a name"):
        parse_reference(text)


@pytest.mark.parametrize("revision", ["main", "0123abc", REVISION.upper(), REVISION + "0"])
def test_a_revision_that_could_change_is_refused(revision: str) -> None:
    with pytest.raises(UsageError, match="40 hexadecimal digits"):
        parse_reference(f"glow:mnist@{revision}")


def test_the_error_about_a_hostile_name_shows_no_control_characters() -> None:
    with pytest.raises(UsageError) as caught:
        parse_reference("\x1b[31mred\x07 name")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["./glow", "../glow", "/glow", "~/glow", "~user/glow", Path("glow")])
def test_paths_are_told_from_names(value: str | Path) -> None:
    assert is_path(value)


@pytest.mark.parametrize("value", ["glow", "glow/realnvp", ".glow", "runs/glow"])
def test_names_are_told_from_paths(value: str) -> None:
    assert not is_path(value)


def test_the_nearest_name_is_suggested_whatever_its_case() -> None:
    assert suggest("actnorn", ["ActNorm", "Permute"]) == ", did you mean 'ActNorm'?"
    assert suggest("zebra", ["ActNorm", "Permute"]) == ""
    assert suggest("anything", []) == ""


def test_no_plugin_may_hide_a_command() -> None:
    assert set(COMMANDS) <= RESERVED


@pytest.mark.parametrize("name", ["Glow", "gl ow", "", "-glow", "glow\n", "glöw", "a" * 65, "a/b"])
def test_plugin_names_are_plain(name: str) -> None:
    assert not is_plugin_name(name)
    assert is_plugin_name("word2vec-2_x")


def test_import_paths_have_a_module_and_an_attribute() -> None:
    assert is_import_path("package.module:Class.attribute")
    assert not any(map(is_import_path, ["package.module", ":Class", "package:", "a b:c", "os:system()", "a..b:c"]))
