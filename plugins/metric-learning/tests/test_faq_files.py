"""Somebody's own questions and answers: three formats, and what is wrong with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo_core.errors import DataError
from zoo_metric_learning.faq_files import Entry, read_faq

ENTRIES = [Entry("怎么退货？", "七天之内, 联系客服"), Entry("How long?", 'A "week"')]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("faq.tsv", '怎么退货？\t七天之内, 联系客服\r\nHow long?\tA "week"\n'),
        ("faq.TSV", 'answer\tid\tquestion\n七天之内, 联系客服\t1\t怎么退货？\n\nA "week"\t2\tHow long?'),
        ("faq.tsv", '编号\t回答\t问题\n1\t七天之内, 联系客服\t怎么退货？\n2\tA "week"\tHow long?'),
        ("faq.csv", '\ufeffquestion,answer\n怎么退货？,"七天之内, 联系客服"\nHow long?,"A ""week"""\n'),
        (
            "faq.jsonl",
            '{"question": "怎么退货？", "answer": "七天之内, 联系客服"}\n\n'
            '{"answer": "A \\"week\\"", "question": "How long?", "id": 2}',
        ),
    ],
)
def test_each_format_gives_the_entries(tmp_path, name, content):
    assert read_faq(write(tmp_path, name, content)) == ENTRIES


def test_answers_of_several_lines_stay_whole_in_csv(tmp_path):
    assert read_faq(write(tmp_path, "faq.csv", 'q,"first\nsecond"\n')) == [Entry("q", "first\nsecond")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("faq.txt", "q\ta", "should end in .tsv, .csv, .jsonl"),
        ("faq.tsv", "", "no questions and answers in it"),
        ("faq.tsv", "question\tanswer\n", "no questions and answers in it"),
        ("faq.tsv", "q\ta\nonly one", "line 2: expected a question and an answer, with tabs between"),
        ("faq.csv", "q\ta", "line 1: expected a question and an answer, with commas between"),
        ("faq.tsv", "q\ta\n\t b", "line 2: no question"),
        ("faq.tsv", "q\t  \n", "line 1: no answer"),
        ("faq.csv", 'q,a\nq,"open', "line 2: unexpected end of data"),
        ("faq.csv", 'q,"a\nb\nc"\nq, \n', "line 4: no answer"),
        ("faq.jsonl", '{"question": "q"}', 'line 1: expected {"question"'),
        ("faq.jsonl", '{"question": 1, "answer": "a"}', 'line 1: expected {"question"'),
        ("faq.jsonl", "[]\n", 'line 1: expected {"question"'),
        ("faq.jsonl", "q\n", "line 1: no JSON object"),
        ("faq.tsv", "高血压\t药".encode("gb18030"), "not UTF-8"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, name, content, message):
    with pytest.raises(DataError) as caught:
        read_faq(write(tmp_path, name, content))
    assert message in str(caught.value)


def test_a_file_that_is_not_there_and_a_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="No such file"):
        read_faq(tmp_path / "faq.tsv")
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_faq(tmp_path / "folder.tsv")
