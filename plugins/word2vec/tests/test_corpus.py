"""A text as ids on disk: the right ones, whatever the file's size, in little memory."""

from __future__ import annotations

import gzip
import itertools
import lzma
import os
import subprocess
import sys
import textwrap
from collections import Counter

import numpy as np
import pytest

from zoo_core.errors import DataError
from zoo_core.texts import lines
from zoo_word2vec import corpus
from zoo_word2vec.corpus import END, ROW, encode

LINES = ["the whale  the sea", "", "\t", "the whale swam", "o whale"]


def decoded(found: corpus.Corpus) -> list[list[str]]:
    """The lines of a corpus as words."""
    ends = [-1, *np.flatnonzero(found.rows.reshape(-1) == END)]
    ids = found.rows.reshape(-1).tolist()
    pieces = [ids[start + 1 : end] for start, end in itertools.pairwise(ends)]
    return [[found.vocabulary.words[index] for index in piece] for piece in pieces if piece]


def test_a_text_comes_back_line_by_line_without_its_rare_words():
    found = encode(LINES, min_count=2)
    assert found.vocabulary.words == ("the", "whale")
    assert decoded(found) == [["the", "whale", "the"], ["the", "whale"], ["whale"]]
    assert found.words == 9
    assert found.rows.shape == (1, ROW)
    assert found.rows.dtype == np.int32


def test_ids_agree_with_a_plain_count(rng, monkeypatch):
    monkeypatch.setattr(corpus, "_BUFFER", 700)
    text = [[f"w{index}" for index in rng.geometric(0.02, size)] for size in rng.integers(0, 40, 400)]
    counts = Counter(word for line in text for word in line)
    found = encode((" ".join(line) for line in text), min_count=3)
    kept = sorted((word for word in counts if counts[word] >= 3), key=lambda word: (-counts[word], word))
    assert list(found.vocabulary) == kept
    assert found.vocabulary.counts.tolist() == [counts[word] for word in kept]
    expected = [[word for word in line if counts[word] >= 3] for line in text]
    assert decoded(found) == [line for line in expected if line]
    assert found.words == counts.total()


def test_the_rarest_words_are_forgotten_where_there_are_too_many():
    text = [f"often often once{number}" for number in range(1000)]
    found = encode(text, min_count=2, most_words=50)
    assert found.vocabulary.words == ("often",)
    assert found.vocabulary.counts.tolist() == [2000]


@pytest.mark.parametrize(("text", "message"), [([], "has no words"), (["a b", "c"], "no word of the text occurs 2")])
def test_a_text_without_frequent_words_is_refused(text, message):
    with pytest.raises(DataError, match=message):
        encode(text, min_count=2)


def test_a_full_disk_is_told(monkeypatch):
    def full() -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(corpus.tempfile, "TemporaryFile", full)
    with pytest.raises(DataError, match=r"No space left on device \(name a folder with more room: TMPDIR=FOLDER\)"):
        encode(["a"], min_count=1)


def test_nothing_stays_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(corpus.tempfile, "tempdir", str(tmp_path))
    found = encode(["a a"], min_count=1)
    assert found.rows[0, 0] == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["txt", "txt.gz", "txt.xz"])
def test_plain_and_compressed_files_are_read_alike(tmp_path, suffix):
    path = tmp_path / f"text.{suffix}"
    content = "\n".join(LINES).encode()
    path.write_bytes({"txt": bytes, "txt.gz": gzip.compress, "txt.xz": lzma.compress}[suffix](content))
    assert decoded(encode(lines(path), min_count=2)) == decoded(encode(LINES, min_count=2))


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by Linux' rules")
def test_a_file_larger_than_the_memory_is_read(tmp_path):
    """96 MB of text, as one line without an end, with 40 MB of memory more than Python and NumPy have taken already."""
    path = tmp_path / "large.txt"
    piece = " ".join(f"w{index % 997}" for index in range(200_000)) + " "
    with path.open("w") as stream:
        for _ in range(96_000_000 // len(piece)):
            stream.write(piece)
    program = """
        import resource, sys
        from pathlib import Path
        from zoo_core.texts import lines
        from zoo_word2vec.corpus import encode

        encode(["warm up"], min_count=1)
        used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (used + 40_000_000,) * 2)
        found = encode(lines(Path(sys.argv[1])))
        assert len(found.vocabulary) == 997, len(found.vocabulary)
        assert int(found.rows[::50].max()) == 996
        print(found.words)
    """
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert int(result.stdout) == 96_000_000 // len(piece) * 200_000
