"""`zoo metric-learning ask`: what it prints, what it keeps, what it refuses."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from zoo_core.errors import DataError, UsageError
from zoo_metric_learning import asking, commands
from zoo_metric_learning.faq_files import Entry

FAQ = "question,answer\n怎么退货,七天之内联系客服\n运费多少,满一百元免运费\n怎么付款,可以用银行卡\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a FAQ; every model is a small ranker as it is before training."""
    from zoo_metric_learning.models.faq_ranker import FaqRanker
    from zoo_metric_learning.models.vocabulary import build_vocabulary

    texts = FAQ.splitlines()[1:]
    vocabulary = build_vocabulary(texts, 1, 1)
    model = FaqRanker(len(vocabulary), units=4)
    model.set_vocabulary(vocabulary)
    model.initialise(texts, scale=1e-3)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(commands, "load_ranker", lambda reference: (model, "0" * 64))
    (tmp_path / "faq.csv").write_text(FAQ, encoding="utf-8")
    return tmp_path


def ask(*arguments: object, typed: str | bytes | None = None) -> Result:
    app = typer.Typer()
    commands.register(app)
    return CliRunner().invoke(app, ["ask", *map(str, arguments)], input=typed)


def succeed(*arguments: object, typed: str | bytes | None = None) -> Result:
    result = ask(*arguments, typed=typed)
    assert result.exit_code == 0, (result.output, result.exception)
    return result


def refuse(kind: type[Exception], message: str, *arguments: object, typed: str | bytes | None = None) -> None:
    result = ask(*arguments, typed=typed)
    assert isinstance(result.exception, kind), (result.output, result.exception)
    assert message in str(result.exception)


def test_lines_have_rank_score_question_and_answer(folder: Path) -> None:
    lines = succeed("退货要多少运费", "--index", "faq.csv", "--top", 2).stdout.splitlines()
    assert len(lines) == 2
    ranks, scores, questions, answers = zip(*(line.split("\t") for line in lines), strict=True)
    assert ranks == ("1", "2")
    assert float(scores[0]) > float(scores[1])
    assert (questions[0], answers[0]) == ("运费多少", "满一百元免运费")
    assert questions[1] == "怎么退货"


def test_several_words_are_one_question(folder: Path) -> None:
    assert succeed("怎么", "付款", "-i", "faq.csv", "-k", 1).stdout.startswith("1\t")


def test_json_has_every_question_with_its_answers(folder: Path) -> None:
    result = succeed("--json", "-k", 1, "-i", "faq.csv", typed="怎么退货？\n\n  银行卡可以吗\n")
    first, second = json.loads(result.stdout)
    assert first["question"] == "怎么退货？"
    (best,) = first["answers"]
    assert (best["rank"], best["question"], best["answer"]) == (1, "怎么退货", "七天之内联系客服")
    assert second["answers"][0]["question"] == "怎么付款"


def test_lines_of_standard_input_are_questions(folder: Path) -> None:
    output = succeed("-i", "faq.csv", "-k", 1, typed="\ufeff怎么退货\n运费\n").stdout.splitlines()
    assert [line[:4] for line in output] == ["> 怎么", "1\t" + output[1][2:4], "> 运费", "1\t" + output[3][2:4]]


def test_many_questions_are_answered_a_few_at_a_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = "怎么退货\n怎么付款\n运费多少\n"
    at_once = json.loads(succeed("--index", "faq.csv", "--json", typed=typed).stdout)
    monkeypatch.setattr(asking, "_SCORES", 6)
    parted = json.loads(succeed("--index", "faq.csv", "--json", typed=typed).stdout)
    assert [each["question"] for each in parted] == typed.split()
    for one, other in zip(at_once, parted, strict=True):
        assert [hit["answer"] for hit in one["answers"]] == [hit["answer"] for hit in other["answers"]]


def test_a_question_without_a_known_word_is_told_apart(folder: Path) -> None:
    result = succeed("-i", "faq.csv", "--json", typed="xyz\n运费\n")
    assert "'xyz': the model knows none of its words" in result.stderr
    assert [len(document["answers"]) for document in json.loads(result.stdout)] == [0, 3]
    refuse(DataError, "nothing was answered", "xyz", "-i", "faq.csv")


def test_what_is_wrong_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse(UsageError, "the question is empty", "  ")
    refuse(UsageError, "the question is empty", typed="")
    refuse(UsageError, "is not UTF-8", typed="高".encode("gb18030"))
    refuse(UsageError, "more than 10,000 characters", "长" * 10_001)
    refuse(UsageError, "questions at once", typed="a\n" * 10_001)
    refuse(DataError, "No such file", "a", "-i", "none.csv")
    refuse(DataError, "should end in .tsv", "a", "-i", "faq.txt")
    monkeypatch.setenv("ZOO_DATA", str(folder))
    refuse(DataError, "--index ./faq.tsv", "a")


def test_a_ranker_without_its_words_is_told_from_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo_core import loading
    from zoo_metric_learning.models.faq_ranker import FaqRanker

    monkeypatch.setattr(loading, "load", lambda reference: FaqRanker(5, units=2))
    with pytest.raises(UsageError, match="came without its words"):
        commands.load_ranker("mine")


def test_at_a_terminal_nothing_typed_is_wrong_usage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", terminal)
    with pytest.raises(UsageError, match="nothing is asked"):
        commands._questions(None)


def test_an_index_is_kept_and_used_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = succeed("运费", "-i", "faq.csv").stdout
    (kept,) = (folder / "home" / "faq").glob("*.npz")
    model, _ = commands.load_ranker("")
    monkeypatch.setattr(type(model), "index", lambda self, texts: pytest.fail("it was kept"))
    assert succeed("运费", "-i", "faq.csv").stdout == first
    monkeypatch.undo()
    assert kept.stat().st_size > 0


@pytest.mark.parametrize("damage", [b"", b"PK nonsense", None])
def test_a_damaged_index_is_made_anew(folder: Path, damage: bytes | None) -> None:
    first = succeed("运费", "-i", "faq.csv").stdout
    (kept,) = (folder / "home" / "faq").glob("*.npz")
    if damage is None:
        with np.load(kept) as arrays:
            np.savez(kept, **{**arrays, "rows": arrays["rows"] + 99})
    else:
        kept.write_bytes(damage)
    assert succeed("运费", "-i", "faq.csv").stdout == first
    assert kept.stat().st_size > 1000


def test_another_file_or_model_has_another_index_and_few_are_kept(folder: Path) -> None:
    model, _ = commands.load_ranker("")
    for number in range(asking.MOST_KEPT + 2):
        faq = asking.open_faq(model, str(number), [Entry("运费", "免")], folder / "kept")
        assert faq.index.vectors.shape == (1, 4)
    assert len(list((folder / "kept").glob("*.npz"))) == asking.MOST_KEPT


def test_a_folder_that_cannot_be_written_does_not_matter(folder: Path) -> None:
    (folder / "home").write_text("a file")
    assert succeed("运费", "-i", "faq.csv", "-k", 1).stdout


def test_control_characters_of_a_file_do_not_reach_the_screen(folder: Path) -> None:
    (folder / "evil.tsv").write_text("运费\x1b[31m\t免\x07费\n", encoding="utf-8")
    output = succeed("运费", "-i", "evil.tsv").stdout
    assert "\x1b" not in output
    assert "\x07" not in output


@pytest.mark.parametrize("columns", [20, 31, 80])
def test_on_a_narrow_terminal_no_line_is_too_wide(folder: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(commands, "_show_lines", commands._show_block)
    lines = succeed("运费多少", "-i", "faq.csv").stdout.splitlines()
    assert max(map(cell_len, lines)) <= columns
    assert "满一百元免运费" in "".join(line.strip() for line in lines)
