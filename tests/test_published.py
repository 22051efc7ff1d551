"""hub.json: what it says is read strictly, and comes back as it was written."""

from __future__ import annotations

import json

import pytest

from zoo_core import published
from zoo_core.errors import PresetError
from zoo_core.published import Published
from zoo_core.records import File

PIN = Published("me/dot", "0123456789" * 4, (File("config.json", 60, "a" * 64), File("vocab.txt", 0, "b" * 64)))


def test_what_is_written_is_read(tmp_path):
    assert published.read(tmp_path) is None
    assert published.write(tmp_path, PIN) == tmp_path / "hub.json"
    assert published.read(tmp_path) == PIN


def test_the_order_of_files_does_not_matter_and_everything_else_does():
    first, second = PIN.files
    assert published.same_files([first, second], [second, first])
    assert not published.same_files([first], [first, second])
    assert not published.same_files([first], [File("config.json", 61, "a" * 64)])


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"schema": 2}, "schema: is not the 1"),
        ({"repo": "../dot"}, "'../dot' is not owner/name"),
        ({"revision": "main"}, "'main' is not 40 hexadecimal digits"),
        ({"files": {}}, "names files"),
        ({"files": {"../config.json": {"size": 1, "sha256": "a" * 64}}}, "is not a name of a file"),
        ({"files": {"a": {"size": -1, "sha256": "a" * 64}}}, "should be between 0"),
        ({"files": {"a": {"size": 1, "sha256": "A" * 64}}}, "is not 64 hexadecimal digits"),
        ({"files": {"a": {"size": 1}}}, "lacks sha256"),
        ({"files": {"a": [1]}}, "should be an object"),
        ({"token": "hf_secret"}, "unknown key 'token'"),
    ],
)
def test_what_is_malformed_is_refused(tmp_path, values, told):
    published.write(tmp_path, PIN)
    path = tmp_path / "hub.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))
    with pytest.raises(PresetError, match=told) as caught:
        published.read(tmp_path)
    assert "hub.json" in str(caught.value)


def test_what_is_no_json_or_too_large_is_refused(tmp_path):
    path = tmp_path / "hub.json"
    path.write_text("{")
    with pytest.raises(PresetError, match="no valid JSON"):
        published.read(tmp_path)
    path.write_bytes(b" " * 1_000_001)
    with pytest.raises(PresetError, match="larger than 1000000 bytes"):
        published.read(tmp_path)
