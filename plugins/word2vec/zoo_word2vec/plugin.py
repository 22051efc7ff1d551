"""What the word2vec plugin provides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo_core import hookimpl

if TYPE_CHECKING:
    import typer


@hookimpl
def register_models(register: Any) -> None:
    """Word vectors."""
    register(
        "word2vec",
        "zoo_word2vec.model:Word2Vec",
        recipe="zoo_word2vec.recipes:Word2VecRecipe",
        task="feature-extraction",
        summary="Word vectors by skip-gram or CBOW, with gradients derived by hand",
        paper="arXiv:1310.4546",
        default="en-text",
        example="zoo_word2vec.examples:word2vec",
    )


@hookimpl
def register_commands(app: typer.Typer) -> None:
    """`zoo word2vec neighbours|analogy|similarity`."""
    from zoo_word2vec.commands import register

    register(app)
