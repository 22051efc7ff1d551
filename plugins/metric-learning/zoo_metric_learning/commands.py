"""`zoo metric-learning ask|scatter`: what the trained models are for, on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo_core.cli import complete
from zoo_core.cli.output import examples, note, show_json
from zoo_core.errors import DataError, UsageError
from zoo_core.text import clean, plural

if TYPE_CHECKING:
    from zoo_metric_learning.asking import Hit
    from zoo_metric_learning.models.faq_ranker import FaqRanker

MOST_QUESTIONS = 10_000
LONGEST_QUESTION = 10_000

Question = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="QUESTION",
        show_default=False,
        help="What to ask. Left out, every line of standard input is a question.",
    ),
]
Ranker = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        autocompletion=complete.models,
        help="A model, preset or run folder: faq-ranker, ./runs/faq.",
    ),
]
Index = Annotated[
    Path | None,
    typer.Option(
        "--index",
        "-i",
        metavar="FILE",
        show_default=False,
        help="Questions with their answers: .tsv or .csv with two columns, .jsonl with the keys question and answer. "
        "The data set qa-medical-zh if left out.",
    ),
]
Top = Annotated[int, typer.Option("--top", "-k", metavar="N", min=1, max=1000, help="How many answers to give.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Models = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="MODEL",
        show_default=False,
        autocompletion=complete.models,
        help="Models, presets or run folders, one panel each, all to one scale; center-classifier if left out.",
    ),
]
Data = Annotated[
    str, typer.Option(metavar="DATA", help="A data set's name, a FILE.npz or a FOLDER; what the first was trained on.")
]
Split = Annotated[str, typer.Option(metavar="SPLIT", help="train, validation or test.")]
Points = Annotated[int, typer.Option(metavar="N", min=1, max=100_000, help="Draw the first so many examples.")]
Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE", help="The PNG to write; an existing one is replaced.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the plugin's group."""
    commands: dict[Callable[..., None], Sequence[str]] = {
        ask: [
            "zoo metric-learning ask 高血压患者能吃什么水果",
            "zoo metric-learning ask --index ./faq.csv --top 1 怎么退货",
            "zoo metric-learning ask --json < questions.txt",
        ],
        scatter: [
            "zoo metric-learning scatter --output scatter.png",
            "zoo metric-learning scatter ./runs/softmax center-classifier",
        ],
    }
    for command, lines in commands.items():
        app.command(epilog=examples(*lines))(command)


def ask(
    question: Question = None,
    model: Ranker = "faq-ranker",
    index: Index = None,
    top: Top = 3,
    as_json: Json = False,
) -> None:
    """Answer questions out of an index of questions and answers, best answers first."""
    from zoo_core.paths import cache_dir
    from zoo_metric_learning import asking

    questions = _questions(question)
    entries = asking.load_entries(index)
    ranker, weights = load_ranker(model)
    with _working(f"Encoding {plural(len(entries), 'answer')}..."):
        faq = asking.open_faq(ranker, weights, entries, cache_dir() / "faq")
    answers = asking.answer(ranker, faq, questions, top)
    for asked, hits in zip(questions, answers, strict=True):
        if not hits:
            note(f"'{clean(asked)[:50]}': the model knows none of its words")
    if as_json:
        show_json([_document(asked, hits) for asked, hits in zip(questions, answers, strict=True)])
    else:
        _show(questions, answers)
    if not any(answers):
        raise DataError("nothing was answered", "ask in the language that the model was trained on")


def _questions(given: list[str] | None) -> list[str]:
    """What is asked: the words of the command line as one question, or the lines of standard input."""
    if given:
        questions = [" ".join(given)]
    elif sys.stdin.isatty():
        raise UsageError("nothing is asked", "zoo metric-learning ask 高血压患者能吃什么水果")
    else:
        questions = _lines()
    questions = [question.strip() for question in questions if question.strip()]
    if not questions:
        raise UsageError("the question is empty", "zoo metric-learning ask 高血压患者能吃什么水果")
    if max(map(len, questions)) > LONGEST_QUESTION:
        raise UsageError(f"a question of more than {LONGEST_QUESTION:,} characters", "ask something shorter")
    return questions


def _lines() -> list[str]:
    content = sys.stdin.buffer.read()
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"standard input is not UTF-8 (byte {error.start})") from None
    if len(lines) > MOST_QUESTIONS:
        raise UsageError(f"{len(lines):,} questions at once", f"ask at most {MOST_QUESTIONS:,}")
    return lines


def load_ranker(reference: str) -> tuple[FaqRanker, str]:
    """The trained model and the sha256 of its weights, after the notice that importing Keras takes a moment.

    Raises UsageError for a model of another kind, and whatever `zoo_core.load` raises.
    """
    from zoo_core.backend import loading_notice
    from zoo_core.loading import load
    from zoo_core.presets import WEIGHTS_FILE
    from zoo_core.pulling import pull

    loading_notice()
    model = load(reference)
    if not hasattr(model, "scores"):
        raise UsageError(
            f"'{clean(reference)}' is no ranker of answers", "see `zoo list metric-learning` for those that are"
        )
    if not model.vocabulary:
        raise UsageError(f"'{clean(reference)}' came without its words", "its folder should hold vocab.txt")
    weights = next((file.sha256 for file in pull(reference).files if file.name == WEIGHTS_FILE), "")
    return model, weights


def _document(asked: str, hits: Sequence[Hit]) -> dict[str, Any]:
    answers = [
        {"rank": rank, "score": hit.score, "question": hit.entry.question, "answer": hit.entry.answer}
        for rank, hit in enumerate(hits, 1)
    ]
    return {"question": asked, "answers": answers}


def _show(questions: Sequence[str], answers: Sequence[Sequence[Hit]]) -> None:
    """Blocks of text on a terminal; lines of rank, score, question and answer, with tabs between, elsewhere."""
    show = _show_block if sys.stdout.isatty() else _show_lines
    for asked, hits in zip(questions, answers, strict=True):
        if len(questions) > 1:
            typer.echo(f"> {clean(asked)}")
        show(hits)


def _show_lines(hits: Sequence[Hit]) -> None:
    for rank, hit in enumerate(hits, 1):
        typer.echo(f"{rank}\t{hit.score:.4f}\t{clean(hit.entry.question)}\t{clean(hit.entry.answer)}")


def _show_block(hits: Sequence[Hit]) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    console = Console(highlight=False, markup=False)
    for rank, hit in enumerate(hits, 1):
        head = Text.assemble((f"{rank}. ", "bold cyan"), (clean(hit.entry.question), "bold"), f"  {hit.score:.2f}")
        console.print(head, overflow="fold")
        console.print(Padding(Text(clean(hit.entry.answer), overflow="fold"), (0, 0, 1, 3)))


def scatter(
    models: Models = None,
    data: Data = "",
    split: Split = "test",
    limit: Points = 2000,
    output: Output = Path("scatter.png"),
) -> None:
    """Draw the two features that a classifier makes of each example, in a colour for each class."""
    from zoo_core.data import check_split
    from zoo_metric_learning import pictures

    check_split(split)
    pictures.check_output(output)
    references = models or ["center-classifier"]
    with _working(f"Drawing {plural(len(references), 'panel')}..."):
        panels = [pictures.panel(reference, data, split, limit) for reference in references]
    pictures.write_scatter(output, panels)
    drawn = plural(len(panels[0].features), "example")
    typer.echo(f"{clean(str(output))}: {drawn} of {clean(panels[0].data)}, {plural(len(panels), 'panel')}")


def _working(what: str) -> AbstractContextManager[object]:
    from rich.console import Console

    return Console(stderr=True).status(what)  # shows nothing where stderr is no terminal
