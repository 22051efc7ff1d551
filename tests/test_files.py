"""Files that appear whole or not at all, and strict JSON."""

from __future__ import annotations

import os

import pytest

from zoo_core.files import parse_json, render_json, replace_text, replacing, sha256, sha256_of_file


def test_a_file_is_replaced_when_the_block_ends(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_nothing_changes_when_the_block_raises(tmp_path, error):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as file:
        raise error(file.write(b"half"))
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_failed_rename_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk gone")))
    with pytest.raises(OSError, match="disk gone"):
        replace_text(tmp_path / "file", "new")
    assert os.listdir(tmp_path) == []


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        replace_text(tmp_path / "file", "text")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_sha256_of_the_standard_example(tmp_path):
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, "abc"
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(b"abc") == sha256_of_file(tmp_path / "file") == expected


def test_json_comes_back_as_written():
    value = {"name": "Glück 图", "values": [1, 2.5, None, True]}
    assert parse_json(render_json(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', "'a' comes twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": "\xff"}', "utf-8"),
        (b'{"a": 1} x', "Extra data"),
        (b"9" * 10_000, "digits"),
    ],
)
def test_json_that_is_not_plain_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_json(text)


def test_numbers_that_json_does_not_have_are_not_written():
    with pytest.raises(ValueError):
        render_json({"a": float("nan")})
