"""`zoo word2vec neighbours|analogy|similarity`: what word vectors know, on the command line."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo_core.cli import complete
from zoo_core.cli.output import examples, show_json
from zoo_core.errors import UsageError
from zoo_core.text import clean

if TYPE_CHECKING:
    from zoo_word2vec.vectors import Neighbours, WordVectors

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        autocompletion=complete.models,
        help="A model, preset or run folder: word2vec, ./runs/word2vec-en-books.",
    ),
]
Words = Annotated[list[str], typer.Argument(metavar="WORD", help="Words, as they stand in the text.")]
Word = Annotated[str, typer.Argument(help="A word, as it stands in the text.")]
Count = Annotated[int, typer.Option("--count", "-n", metavar="N", min=1, max=10_000, help="How many words to show.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the plugin's group."""
    commands: dict[Callable[..., None], str] = {
        neighbours: "zoo word2vec neighbours whale london --count 5",
        analogy: "zoo word2vec analogy man woman king",
        similarity: "zoo word2vec similarity ship boat",
    }
    for command, example in commands.items():
        app.command(epilog=examples(example))(command)


def neighbours(words: Words, model: Model = "word2vec", count: Count = 10, as_json: Json = False) -> None:
    """The words nearest to a word, by the cosine of their vectors."""
    vectors = load_vectors(model)
    found = {vectors.spelled(word): vectors.neighbours(word, count) for word in words}
    if as_json:
        show_json([{"word": word, "neighbours": _plain(near)} for word, near in found.items()])
        return
    for word, near in found.items():
        if len(found) > 1:
            typer.echo(clean(word))
        _show(near)


def analogy(a: Word, b: Word, c: Word, model: Model = "word2vec", count: Count = 5, as_json: Json = False) -> None:
    """What is to C as B is to A: the words nearest to B - A + C."""
    vectors = load_vectors(model)
    answers = vectors.analogy(a, b, c, count)
    if as_json:
        show_json({"words": [vectors.spelled(word) for word in (a, b, c)], "answers": _plain(answers)})
    else:
        _show(answers)


def similarity(a: Word, b: Word, model: Model = "word2vec", as_json: Json = False) -> None:
    """How alike two words are: the cosine of their vectors."""
    vectors = load_vectors(model)
    cosine = vectors.similarity(a, b)
    if as_json:
        show_json({"words": [vectors.spelled(word) for word in (a, b)], "similarity": cosine})
    else:
        typer.echo(f"{cosine:.4f}")


def load_vectors(reference: str) -> WordVectors:
    """The vectors of a trained model, after the notice that importing Keras takes a moment.

    Raises UsageError for a model without word vectors, and whatever `zoo_core.load` raises.
    """
    import zoo_core
    from zoo_core.backend import loading_notice

    loading_notice()
    model = zoo_core.load(reference)
    from zoo_word2vec.model import Word2Vec

    if not isinstance(model, Word2Vec):
        raise UsageError(f"'{clean(reference)}' has no word vectors", "see `zoo list word2vec` for those that have")
    try:
        return model.vectors()
    except ValueError as error:
        raise UsageError(f"'{clean(reference)}' came without its words", "its folder should hold vocab.txt") from error


def _plain(words: Neighbours) -> list[dict[str, Any]]:
    return [{"word": word, "similarity": cosine} for word, cosine in words]


def _show(words: Neighbours) -> None:
    for word, cosine in words:
        typer.echo(f"{cosine:7.4f}  {clean(word)}")
