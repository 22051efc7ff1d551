"""How the ranker of answers is trained and measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.errors import DataError, RecipeError
from zoo_core.recipes import Recipe

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo_core.data import Splits
    from zoo_metric_learning.models.vocabulary import Vocabulary

    Array = np.ndarray[Any, Any]

OF_ALL = "_of_all"
"""What the name of a metric ends in whose candidates are all answers of the data set."""
OBJECTIVES = ("softmax", "triplet")


@dataclass(frozen=True, kw_only=True)
class FaqRecipe(Recipe):
    """Questions learn to pick their answers among those of the batch, by Adam under a cosine schedule.

    With `objective=triplet` and `lexical=false` it is trained as in kexue.fm post 4493: one random wrong answer for
    each question, by cosine, with a margin.

    Data has rows of question and answer, or of short question, long question and answer: then the long ones are asked
    in some of the batches, and answer the short ones in some.
    """

    data: str = "qa-medical-zh"
    epochs: int = 20
    batch_size: int = 256
    learning_rate: float = 3e-3
    units: int = 128
    """Width of the vectors."""
    lexical: bool = True
    """Whether words count by themselves, too."""
    objective: str = "softmax"
    """"softmax": over the batch's answers; "triplet": one random wrong answer."""
    margin: float = 0.1
    """The triplet's."""
    scale: float = 4.0
    """What the cosine is multiplied by in the score. It is not trained: on training pairs more always looks better."""
    temperature: float = 0.07
    """What the cosines are divided by where they are trained by themselves."""
    cosine_weight: float = 0.5
    """How much the cosines' own loss counts beside that of the scores."""
    latent: bool = True
    """Whether the embedding starts from latent semantic analysis of the training texts, or at random."""
    word_dropout: float = 0.3
    """The share of words that are overlooked in training."""
    extra_pairs: float = 0.5
    """The share of batches that pair the long question with the answer, or the short one with the long one."""
    question_length: int = 128
    answer_length: int = 400
    least_alone: int = 2
    """Training texts that a character or word must be in to get into the vocabulary."""
    least_pairs: int = 4
    """The same for two in a row."""

    def load(self, source: str | Path) -> Splits:
        """A data set by name, or a .tsv, .csv or .jsonl file of questions and answers, a tenth of it for testing."""
        from zoo_metric_learning.faq_files import is_faq_file

        path = Path(source).expanduser()
        if is_faq_file(path):
            return file_splits(path)
        data = super().load(source)
        if data.train.dtype.kind != "U" or data.train.ndim != 2 or data.train.shape[1] not in (2, 3):
            raise DataError(f"{data.name} has no rows of question and answer", "zoo train faq-ranker --data ./faq.tsv")
        return data

    def inputs(self, data: Splits) -> Any:
        """Each row's tokens side by side, int32 `(rows, length, 2)`: question, long question if any, answer."""
        import numpy as np

        vocabulary = self._vocabulary(data)
        *questions, answers = (data.train[:, column].tolist() for column in range(data.train.shape[1]))
        parts = [vocabulary.tokens(texts, self.question_length) for texts in questions]
        return np.concatenate([*parts, vocabulary.tokens(answers, self.answer_length)], axis=1)

    def batch(self, inputs: Any, index: Array, random: np.random.Generator) -> Any:
        """Pairs of one kind: mostly question and answer."""
        import numpy as np

        rows, length = inputs[index], self.question_length
        short, answers = rows[:, :length], rows[:, -self.answer_length :]
        if rows.shape[1] == length + self.answer_length or random.random() >= self.extra_pairs:
            return np.concatenate([short, answers], axis=1)
        long = rows[:, length : 2 * length]
        if random.random() < 0.5:
            return np.concatenate([long, answers], axis=1)
        answer = np.zeros_like(answers)
        width = min(length, self.answer_length)
        answer[:, :width] = long[:, :width]
        return np.concatenate([short, answer], axis=1)

    def arguments(self, data: Splits) -> dict[str, Any]:
        """The model's constructor arguments."""
        return {
            "words": len(self._vocabulary(data)),
            "units": self.units,
            "lexical": self.lexical,
            "word_dropout": self.word_dropout,
            "question_length": self.question_length,
            "answer_length": self.answer_length,
        }

    def initialise(self, model: keras.Model, data: Splits) -> None:
        """Give the model its vocabulary, its words the weights of their rarity, and the embedding a start."""
        model.set_vocabulary(model.vocabulary or self._vocabulary(data))
        model.initialise(data.train[:, -1].tolist(), self.scale)
        if self.latent:
            model.initialise_embedding(["\n".join(row) for row in data.train.tolist()], self.seed)

    def compile(self, model: keras.Model, steps: int) -> None:
        """Adam under a cosine schedule."""
        import keras

        model.log_scale.trainable = False
        schedule = keras.optimizers.schedules.CosineDecay(self.learning_rate, max(1, steps))
        losses, weights = self._losses()
        model.compile(keras.optimizers.Adam(schedule), loss=losses, loss_weights=weights)

    def _losses(self) -> tuple[dict[str, Any], dict[str, float]]:
        from zoo_metric_learning.models.objectives import InBatchSoftmax, RandomNegativeTriplet

        if self.objective == "triplet":
            name = "scores" if self.lexical else "cosines"
            return {name: RandomNegativeTriplet(self.margin)}, {name: 1.0}
        if self.objective != "softmax":
            raise RecipeError(f"setting objective={self.objective!r}: expected one of {', '.join(OBJECTIVES)}")
        own = InBatchSoftmax(self.temperature)
        if not self.lexical:
            return {"cosines": own}, {"cosines": 1.0}
        return {"scores": InBatchSoftmax(), "cosines": own}, {"scores": 1.0, "cosines": self.cosine_weight}

    def evaluate(self, model: keras.Model, data: Splits, seed: int, limit: int | None = None) -> dict[str, float]:
        """How high the right answers of the test split come, among its own and among all of the data set's."""
        from zoo_metric_learning.postings import ranks, retrieval_metrics

        def metrics(candidates: Sequence[str], suffix: str = "") -> dict[str, float]:
            scores = model.scores(questions, model.index(candidates))
            return retrieval_metrics(ranks(scores, right), suffix)

        questions, right = _questions(data, limit)
        return {**metrics(_answers(data, limit)), **metrics(_all_answers(data, limit), OF_ALL)}

    def baselines(self, data: Splits) -> dict[str, float]:
        """BM25 and TF-IDF over characters and pairs of them, on the same candidates."""
        from zoo_metric_learning.models.vocabulary import build_vocabulary
        from zoo_metric_learning.postings import bm25, ranks, retrieval_metrics, tf_idf

        questions, right = _questions(data)
        candidates = _all_answers(data)
        vocabulary = build_vocabulary(candidates, 1, 1)
        documents, asked = vocabulary.all_tokens(candidates), vocabulary.all_tokens(questions)
        background = vocabulary.all_tokens(data.train[:, -1].tolist())
        found: dict[str, float] = {}
        for name, score in {"bm25": bm25, "tf_idf": tf_idf}.items():
            scores = score(asked, documents, background, len(vocabulary))
            for suffix, part in {"": scores[:, : len(right)], OF_ALL: scores}.items():
                metrics = retrieval_metrics(ranks(part, right), suffix)
                found |= {f"{name}_{key}": value for key, value in metrics.items() if not key.endswith("_error")}
        return found

    def _vocabulary(self, data: Splits) -> Vocabulary:
        """The words of the training texts.

        They are remembered: the validation split's inputs are asked for as if it were a training split, and must not
        get a vocabulary of its own.
        """
        from zoo_metric_learning.models.vocabulary import build_vocabulary

        known: Vocabulary | None = getattr(self, "_known_vocabulary", None)
        if known is None:
            try:
                known = build_vocabulary(data.train.ravel().tolist(), self.least_alone, self.least_pairs)
            except ValueError as error:
                raise DataError(f"{data.name}: {error}") from error
            object.__setattr__(self, "_known_vocabulary", known)
        return known


def file_splits(path: Path) -> Splits:
    """Somebody's own questions and answers: a tenth is held out for testing, by the question's hash."""
    import numpy as np

    from zoo_core.data import data_name, make_splits
    from zoo_core.data_readers import split_by_hash
    from zoo_metric_learning.faq_files import read_faq

    rows = np.array([(entry.question, entry.answer) for entry in read_faq(path)])
    return make_splits(data_name(path), "unknown", **split_by_hash(rows, None, str(path)))


def _questions(data: Splits, limit: int | None = None) -> tuple[list[str], Array]:
    """The test split's questions, and the places of their answers among the candidates."""
    import numpy as np

    questions = data.test[:limit, 0].tolist()
    return questions, np.arange(len(questions))


def _answers(data: Splits, limit: int | None = None) -> list[str]:
    answers: list[str] = data.test[:limit, -1].tolist()
    return answers


def _all_answers(data: Splits, limit: int | None = None) -> list[str]:
    """Those of the test split first, then whatever else there is."""
    parts = [part[:, -1].tolist() for part in (data.train, data.validation) if part is not None]
    own = _answers(data, limit)
    known = set(own)
    return own + [answer for part in parts for answer in part if answer not in known]
