"""The sets that word vectors are examined by: analogies a : b = c : d, and pairs of words with people's ratings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

DATA = "word2vec-eval"
"""The data set that holds the files."""

ANALOGIES = {
    "analogies": "en_questions-words.txt",
    "zh_ca8_semantic": "zh_ca8_semantic.txt",
    "zh_ca8_morphological": "zh_ca8_morphological.txt",
    "zh_analogies": "zh_analogy_translated.txt",
}
RATINGS = {
    "wordsim353": "en_wordsim353_all.txt",
    "simlex999": "en_simlex999.txt",
    "men": "en_men3k.txt",
    "zh_wordsim240": "zh_wordsim240.txt",
    "zh_wordsim297": "zh_wordsim297.txt",
}


@dataclass(frozen=True, slots=True)
class Question:
    """One line of a set: four words of an analogy, or two words and what people say of their likeness."""

    name: str
    words: tuple[str, ...]
    rating: float = 0.0

    def render(self) -> str:
        """As one line."""
        return "\t".join((self.name, str(self.rating), *self.words))

    @classmethod
    def parse(cls, line: str) -> Question:
        """What `render` gave."""
        name, rating, *words = line.split("\t")
        return cls(name, tuple(words), float(rating))


def read_all(files: Mapping[str, Path]) -> list[Question]:
    """The questions of every set, set by set; `files` are those of the data set, by name."""
    questions: list[Question] = []
    for name, file in ANALOGIES.items():
        questions += _analogies(name, _lines(files[file]))
    for name, file in RATINGS.items():
        questions += _ratings(name, _lines(files[file]))
    return questions


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8-sig").split("\n")


def _analogies(name: str, lines: Iterable[str]) -> Iterator[Question]:
    for line in lines:
        words = tuple(line.split())
        if len(words) == 4 and words[0] != ":":
            yield Question(name, words)


def _ratings(name: str, lines: Iterable[str]) -> Iterator[Question]:
    for line in lines:
        words = line.split()
        if len(words) == 3:
            yield Question(name, tuple(words[:2]), float(words[2]))
