"""How word vectors are trained on a text and measured: settings, schedule, metrics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from zoo_core.errors import DataError, EvaluationError, RecipeError
from zoo_core.recipes import Recipe
from zoo_word2vec.algorithms import ALGORITHMS, OBJECTIVES
from zoo_word2vec.questions import DATA, Question

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo_word2vec.data import Rows, TextData

    Array = np.ndarray[Any, Any]

RATES = {"skip-gram": 0.025, "cbow": 0.1}

LAST_RATE = 0.004
"""The learning rate at the end, in parts of that at the beginning."""

_SHOWN = 12


@dataclass(frozen=True, kw_only=True)
class Word2VecRecipe(Recipe):
    """Stochastic gradient descent with a learning rate that falls linearly, over rows of 1024 words in random order."""

    measured_on: ClassVar[str] = DATA

    data: str = "en-text"
    epochs: int = 5
    batch_size: int = 64
    """Rows of 1024 words of the text in one step of `fit`."""
    learning_rate: float | None = None
    """At the beginning; none: 0.025 for skip-gram, 0.1 for CBOW, which moves each context by a share only."""
    algorithm: str = "skip-gram"
    """skip-gram or cbow."""
    objective: str = "negative-sampling"
    """negative-sampling or sampled-softmax."""
    dimension: int = 100
    window: int = 5
    """Contexts are at most so many words away."""
    negatives: float = 5.0
    """Words drawn against each pair."""
    power: float = 0.75
    """They are drawn by `count ** power`; 0: all words alike."""
    subsample: float = 1e-4
    """Words with a larger share of the text are dropped at random, the more often the more frequent; 0: none."""
    min_count: int = 5
    """Words that occur less often are left out."""
    shared: bool = False
    """One table of vectors for both sides."""
    drawn: int = 64
    """Words actually drawn for a block, whose scores count `negatives / drawn` each."""
    update: int = 256
    """Words in one update; fewer where some are so frequent that they would overshoot."""

    def __post_init__(self) -> None:
        """Refuse what no model could be trained with."""
        for name, known in (("algorithm", ALGORITHMS), ("objective", OBJECTIVES)):
            if getattr(self, name) not in known:
                raise RecipeError(f"setting {name}: expected one of {', '.join(known)}")
        if self.validation:
            raise RecipeError("setting validation: a text is trained on whole", "leave it out")
        least = {"dimension": 1, "window": 1, "min_count": 1, "drawn": 1, "update": 1}
        for name, value in least.items():
            if getattr(self, name) < value:
                raise RecipeError(f"setting {name}: expected at least {value}")
        for name in ("subsample", "power"):
            if getattr(self, name) < 0:
                raise RecipeError(f"setting {name}: expected at least 0")
        for name, number in (("learning_rate", self.rate), ("negatives", self.negatives)):
            if number <= 0:
                raise RecipeError(f"setting {name}: expected more than 0")

    @property
    def rate(self) -> float:
        """The learning rate at the beginning."""
        return RATES[self.algorithm] if self.learning_rate is None else self.learning_rate

    def load(self, source: str | Path) -> TextData:
        """The text, encoded; or the evaluation sets alone."""
        from zoo_word2vec.data import load_questions, load_text

        return load_questions() if str(source) == DATA else load_text(source, self.min_count)

    def arguments(self, data: Any) -> dict[str, Any]:
        """The model's constructor arguments."""
        if data.vocabulary is None:
            raise DataError(f"{data.name} is no text to train on", "name one: --data en-books, or --data ./my.txt")
        return {
            "words": len(data.vocabulary),
            "dimension": self.dimension,
            "algorithm": self.algorithm,
            "objective": self.objective,
            "negatives": self.negatives,
            "shared": self.shared,
        }

    def initialise(self, model: keras.Model, data: Any) -> None:
        """Tell the model its words."""
        if data.vocabulary is not None:
            model.vocabulary = data.vocabulary

    def inputs(self, data: Any) -> Rows:
        """The rows of the text, and how blocks are made out of them."""
        from zoo_word2vec.blocks import BlockMaker, largest_update
        from zoo_word2vec.data import Rows

        most = largest_update(data.vocabulary, self.subsample, self.power, self.rate * self._terms())
        maker = BlockMaker.of_vocabulary(
            data.vocabulary,
            subsample=self.subsample,
            power=self.power,
            window=self.window,
            negatives=self.drawn,
            update=min(self.update, most),
        )
        return Rows(data.train, maker)

    def _terms(self) -> float:
        """The pairs that a word of the text makes on average, and the negatives that come with them."""
        pairs = self.window + 1 if self.algorithm == "skip-gram" else 1
        return pairs * (1 + (self.negatives if self.objective == "negative-sampling" else 1))

    def batch(self, inputs: Any, index: Array, random: np.random.Generator) -> Any:
        """Blocks out of some rows."""
        return (inputs.blocks(index, random),)

    def compile(self, model: keras.Model, steps: int) -> None:
        """Plain SGD under a linear schedule."""
        import keras

        rate = keras.optimizers.schedules.PolynomialDecay(
            self.rate, max(1, steps), end_learning_rate=LAST_RATE * self.rate
        )
        model.compile(keras.optimizers.SGD(rate))

    def sample_words(self, model: Any) -> list[str]:
        """Some words with their neighbours, one a line."""
        vectors = model.vectors()
        words = vectors.vocabulary.words[100:1000:75] or vectors.vocabulary.words[:_SHOWN]
        return [f"{word}: {', '.join(near for near, _ in vectors.neighbours(word, 8))}" for word in words]

    def sample(self, model: keras.Model, folder: Path, epoch: int) -> None:
        """The neighbours of some words."""
        text = "\n".join(self.sample_words(model)) + "\n"
        (folder / f"epoch-{epoch:04d}.txt").write_text(text, encoding="utf-8")

    def evaluate(self, model: keras.Model, data: Any, seed: int, limit: int | None = None) -> dict[str, float]:
        """Analogies and ratings, of which those sets count of whose questions some can be asked."""
        from zoo_word2vec.examination import examine, metrics

        questions = [Question.parse(line) for line in data.test[:limit]]
        found = metrics(examine(model.vectors(), questions))
        if not found:
            raise EvaluationError(
                "no question of the evaluation sets has all its words in the vocabulary",
                f"are they at hand? ZOO_DATA=FOLDER, with the files of {DATA}",
            )
        return found

    def tolerance(self, metric: str, standard_error: float) -> float:
        """The words are the same each time, and hardly anything depends on rounding."""
        return 0.005
