"""Texts: found by name or path, streamed line by line whatever their size, and readable errors for what is none."""

from __future__ import annotations

import gzip
import lzma
import tracemalloc

import numpy as np
import pytest

from zoo_core import texts
from zoo_core.data import load_data
from zoo_core.errors import DataError


@pytest.fixture
def data_at_hand(data_folder, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(data_folder))


@pytest.mark.parametrize(("suffix", "opened"), [("", open), (".gz", gzip.open), (".xz", lzma.open)])
def test_lines_of_plain_and_compressed_files(tmp_path, suffix, opened):
    path = tmp_path / f"My Text.txt{suffix}"
    with opened(path, "wb") as stream:
        stream.write("\ufeff水 火\r\n\nlast".encode())
    text = texts.find_text(path)
    assert (text.name, text.license, text.paths) == ("my-text", "unknown", (path,))
    assert list(text.lines()) == ["水 火", "", "last"]


def test_a_long_line_comes_in_pieces_parted_at_white_space(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one two three four\nfive\nno-space-in-here\n")
    assert list(texts.lines(path, longest=8)) == [
        *("one two", "three", "four", "five"),
        *("no-space", "-in-here", ""),
    ]


def test_white_space_of_any_kind_parts_a_long_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("one\ttwo\u3000three\tfour \t five", encoding="utf-8")
    pieces = list(texts.lines(path, longest=9))
    assert " ".join(pieces).split() == ["one", "two", "three", "four", "five"]
    assert len(pieces) > 2


@pytest.mark.parametrize(("suffix", "opened"), [(".GZ", gzip.open), (".Xz", lzma.open)])
def test_case_of_the_suffix_does_not_matter(tmp_path, suffix, opened):
    path = tmp_path / f"A.TXT{suffix}"
    with opened(path, "wb") as stream:
        stream.write(b"one two")
    assert list(texts.find_text(path).lines()) == ["one two"]


def test_a_file_cut_short_is_told_from_another_encoding(tmp_path):
    path = tmp_path / "a.txt.gz"
    path.write_bytes(gzip.compress(b"one two\n" * 100)[:-12])
    with pytest.raises(DataError) as caught:
        list(texts.lines(path))
    assert caught.value.fix == "is the file whole?"


def test_memory_does_not_grow_with_the_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("word " * 2_000_000)
    tracemalloc.start()
    try:
        count = sum(len(piece.split()) for piece in texts.lines(path, longest=1 << 16))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 2_000_000
    assert peak < 2_500_000 < path.stat().st_size


@pytest.mark.parametrize("content", [b"fine\nbroken \xff\n", b"\xfd7zXZ\x00 broken"])
def test_what_cannot_be_read_is_an_error_that_names_the_file(tmp_path, content):
    path = tmp_path / ("a.txt.xz" if content.startswith(b"\xfd") else "a.txt")
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.txt.*cannot be read after line"):
        list(texts.lines(path))


def test_what_is_no_text_is_refused_with_what_would_do(tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"")
    with pytest.raises(DataError, match=r"a\.pdf is no text"):
        texts.find_text(tmp_path / "a.pdf")
    with pytest.raises(DataError, match="does not exist"):
        texts.find_text("./absent.txt")
    with pytest.raises(DataError, match="mnist is no text"):
        texts.find_text("mnist")
    with pytest.raises(DataError, match="en-books is a text, no set of examples|en-books is not at hand"):
        load_data("en-books")


@pytest.mark.usefixtures("data_at_hand")
def test_texts_by_name_and_a_known_file_by_its_path():
    both, books = texts.find_text("en-text"), texts.find_text("en-books")
    assert len(both.paths) == 2
    assert both.sha256 != books.sha256
    assert texts.find_text(books.paths[0]) == books
    assert next(books.lines()).split()
    assert "zh_wordsim240.txt" in texts.find_files("word2vec-eval")


@pytest.mark.usefixtures("data_at_hand")
def test_questions_have_the_splits_of_their_file():
    data = load_data("qa-medical-zh")
    assert data.sizes == {"train": 6243, "validation": 356, "test": 329}
    assert data.shape == (3,)
    assert data.train.dtype.kind == "U"
    assert len(np.unique(data.train_labels)) == 11
    assert not set(data.train[:, 0]) & set(data.test[:, 0])
    with pytest.raises(DataError, match="validation split of its own"):
        load_data("qa-medical-zh", validation=10)
