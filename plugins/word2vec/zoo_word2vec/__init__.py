"""Word vectors by skip-gram and CBOW, with gradients derived by hand. Importing this imports nothing else."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo_word2vec.blocks import BlockMaker
    from zoo_word2vec.corpus import Corpus, encode
    from zoo_word2vec.examination import examine
    from zoo_word2vec.model import Word2Vec
    from zoo_word2vec.vectors import WordVectors
    from zoo_word2vec.vocabulary import Vocabulary

_HOMES = {
    "BlockMaker": "blocks",
    "Corpus": "corpus",
    "Vocabulary": "vocabulary",
    "Word2Vec": "model",
    "WordVectors": "vectors",
    "encode": "corpus",
    "examine": "examination",
}

__all__ = ["BlockMaker", "Corpus", "Vocabulary", "Word2Vec", "WordVectors", "encode", "examine"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
