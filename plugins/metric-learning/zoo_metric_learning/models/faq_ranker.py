"""A ranker of answers: two encoders over a shared embedding, and words that count by themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from zoo_metric_learning.models.latent import latent_vectors
from zoo_metric_learning.models.objectives import InBatchSoftmax
from zoo_metric_learning.models.vocabulary import Vocabulary
from zoo_metric_learning.postings import Postings, inverse_document_frequency, saturated

VOCABULARY_FILE = "vocab.txt"
BATCH = 256
SATURATION = 1.6
"""k1 of BM25; how much a text's length counts, b, is 1."""


@dataclass(frozen=True, slots=True, eq=False)
class AnswerIndex:
    """Answers as a ranker knows them: unit vectors `(answers, units)` and, with exact words, their postings."""

    vectors: np.ndarray
    postings: Postings | None


@keras.saving.register_keras_serializable(package="metric-learning")
class FaqRanker(keras.Model):
    """Two encoders over one embedding: a question and its answer score high in `s cos(q, a) + t sum_w u_w v_w`.

    A text is a bag of words (characters and pairs of them, for Chinese). Its vector is the normalised sum of its words'
    embeddings, each times its learned importance and `1 + log count`; a question goes through a dense layer besides,
    since what is asked is not said in the words of an answer. With `lexical`, each word that both have counts by
    itself, by a learned weight in questions, `u`, times a learned weight in answers, `v`, with the count saturated as
    in BM25: what is rare is best found by its name. `initialise` starts these from the words' rarity, at which point
    they are BM25.

    Calling it gives every question of a batch with every answer, right pairs on the diagonal: a dictionary of `scores`
    and `cosines`, both `(batch, batch)`. The input holds pairs, int32 `(batch, length, 2)`: words' numbers and how
    often they come, the question's in the first `question_length` places and the answer's in the last `answer_length`;
    `tokens` makes them out of texts. `compile(optimizer)` and `fit(pairs)` train the scores by `InBatchSoftmax`, unless
    losses are compiled, `{"scores": ..., "cosines": ...}`, which need no y.

    Args:
        words: size of the vocabulary, with the two numbers for padding and unknown words.
        units: width of the vectors.
        lexical: whether words count by themselves, too.
        word_dropout: the share of words that are overlooked in training.
        question_length: different words of a question that are looked at.
        answer_length: different words of an answer that are looked at.

    References:
        Su, 2017. kexue.fm post 4493 (the shared embedding, the question's own dense layer).
        Robertson, Zaragoza, 2009. The probabilistic relevance framework: BM25 and beyond.
    """

    argument_limits: ClassVar = {
        "words": (3, 1_000_000),
        "units": (1, 4096),
        "word_dropout": (0, 0.99),
        "question_length": (1, 8192),
        "answer_length": (1, 8192),
    }

    def __init__(
        self,
        words: int,
        units: int = 64,
        lexical: bool = True,
        word_dropout: float = 0.0,
        question_length: int = 128,
        answer_length: int = 400,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if words < 3 or min(units, question_length, answer_length) < 1 or not 0 <= word_dropout < 1:
            raise ValueError(
                f"FaqRanker(words={words}, units={units}, word_dropout={word_dropout}, "
                f"question_length={question_length}, answer_length={answer_length}): words >= 3, "
                "0 <= word_dropout < 1, all others >= 1 are needed"
            )
        self.words, self.units, self.lexical = words, units, lexical
        self.word_dropout = word_dropout
        self.question_length, self.answer_length = question_length, answer_length
        self.dropout_seeds = keras.random.SeedGenerator(seed=0)
        self.vocabulary: Vocabulary | None = None
        self.embedding = keras.layers.Embedding(words, units, embeddings_initializer=_unit_normal(units))
        self.embedding.build((None,))
        self.question_dense = keras.layers.Dense(units, kernel_initializer="zeros")
        self.question_dense.build((None, units))
        one = keras.initializers.Constant(inverse_softplus(1.0))
        self.importance = self.add_weight(name="importance", shape=(words,), initializer=one)
        self.log_scale = self.add_weight(name="log_scale", shape=(), initializer="zeros")
        if lexical:
            self.question_weights = self.add_weight(name="question_weights", shape=(words,), initializer=one)
            self.answer_weights = self.add_weight(name="answer_weights", shape=(words,), initializer=one)
            self.log_lexical_scale = self.add_weight(
                name="log_lexical_scale", shape=(), initializer=keras.initializers.Constant(math.log(0.1))
            )
            self.log_average_length = self.add_weight(
                name="log_average_length",
                shape=(),
                initializer=keras.initializers.Constant(math.log(300)),
                trainable=False,
            )
        self.built = True

    # Training

    def initialise(self, answers: Sequence[str], scale: float = 1.0) -> None:
        """Start the words' weights from their rarity among these answers, and the cosine's from `scale`."""
        tokens = self.tokens(answers, self.answer_length)
        rarity = inverse_document_frequency(tokens, self.words)
        self.importance.assign(inverse_softplus(np.maximum(rarity, 0.05)))
        self.log_scale.assign(math.log(scale))
        if self.lexical:
            self.answer_weights.assign(inverse_softplus(np.maximum(rarity, 0.01)))
            self.log_average_length.assign(np.log(tokens[..., 1].sum(axis=1).mean()))

    def initialise_embedding(self, texts: Sequence[str], seed: int = 0) -> None:
        """Start the embedding from latent semantic analysis of these texts; the words' weights come first."""
        tokens = self.tokens(texts, 2 * self.answer_length)
        importance = softplus(ops.convert_to_numpy(self.importance))
        vectors = latent_vectors(tokens, importance, self.units, seed)
        self.embedding.embeddings.assign(vectors / np.sqrt(np.mean(np.sum(np.square(vectors), axis=1))))

    def call(self, pairs: Any, training: bool = False) -> dict[str, Any]:
        """Scores and cosines of each pair's question with each pair's answer: `(batch, batch)` each, float32."""
        if len(pairs.shape) != 3 or pairs.shape[2] != 2 or (pairs.shape[1] or 1 << 30) < self._longest:
            raise ValueError(f"FaqRanker takes pairs of shape (batch, {self._longest} or more, 2), got {pairs.shape}")
        if training and self.word_dropout:
            kept = keras.random.uniform(ops.shape(pairs)[:2], seed=self.dropout_seeds) >= self.word_dropout
            pairs = ops.stack([pairs[..., 0], pairs[..., 1] * ops.cast(kept, pairs.dtype)], axis=-1)
        questions, answers = pairs[:, : self.question_length], pairs[:, -self.answer_length :]
        cosines = ops.matmul(self.question_vectors(questions), ops.transpose(self.answer_vectors(answers)))
        scores = cosines * ops.exp(ops.cast(self.log_scale, "float32"))
        if self.lexical:
            scores = scores + ops.exp(ops.cast(self.log_lexical_scale, "float32")) * self._overlap(questions, answers)
        return {"scores": scores, "cosines": cosines}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The compiled losses, or `InBatchSoftmax` of the scores."""
        y = {name: ops.diagonal(matrix) for name, matrix in y_pred.items()} if y is None else y
        if self._compile_loss is None:
            return InBatchSoftmax()(y["scores"], y_pred["scores"], sample_weight)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    @property
    def _longest(self) -> int:
        return max(self.question_length, self.answer_length)

    # Encoders

    def question_vectors(self, tokens: Any) -> Any:
        """Unit vectors of questions `(batch, length, 2)`: `(batch, units)`, float32."""
        shared = self.answer_vectors(tokens)
        return _normalised(shared + ops.cast(self.question_dense(shared), "float32"))

    def answer_vectors(self, tokens: Any) -> Any:
        """Unit vectors of answers `(batch, length, 2)`: `(batch, units)`, float32."""
        numbers, counts = tokens[..., 0], ops.cast(tokens[..., 1], "float32")
        weights = ops.softplus(ops.take(ops.cast(self.importance, "float32"), numbers, axis=0))
        weights = weights * ops.where(counts > 0, 1 + ops.log(ops.maximum(counts, 1)), 0)
        vectors = self.embedding(numbers)
        return _normalised(ops.cast(ops.einsum("bl,blu->bu", ops.cast(weights, vectors.dtype), vectors), "float32"))

    def _overlap(self, questions: Any, answers: Any) -> Any:
        """The sum over the words that question and answer share, `(batch, batch)`."""
        numbers, counts = answers[..., 0], ops.cast(answers[..., 1], "float32")
        relative = ops.sum(counts, axis=1, keepdims=True) / ops.exp(ops.cast(self.log_average_length, "float32"))
        count = counts * (SATURATION + 1) / (counts + SATURATION * relative + ops.cast(counts == 0, "float32"))
        values = count * ops.softplus(ops.take(ops.cast(self.answer_weights, "float32"), numbers, axis=0))
        # The batch's answers as a table of words by answers, out of which each question takes the rows of its words.
        batch, length = ops.shape(numbers)
        rows = ops.broadcast_to(ops.arange(batch, dtype=numbers.dtype)[:, None], (batch, length))
        places = ops.reshape(ops.stack([numbers, rows], axis=-1), (-1, 2))
        table = ops.scatter(places, ops.reshape(values, (-1,)), (self.words, batch))
        asked = ops.softplus(ops.take(ops.cast(self.question_weights, "float32"), questions[..., 0], axis=0))
        asked = asked * ops.cast(questions[..., 1] > 0, "float32")
        return ops.einsum("bl,bla->ba", asked, ops.take(table, questions[..., 0], axis=0))

    # Texts

    def tokens(self, texts: Sequence[str], length: int) -> np.ndarray:
        """Texts as the encoders take them, int32 `(texts, length, 2)`; raises ValueError without a vocabulary."""
        if self.vocabulary is None:
            raise ValueError("this FaqRanker has no vocabulary yet: set_vocabulary gives it one")
        return self.vocabulary.tokens(texts, length)

    def index(self, answers: Sequence[str]) -> AnswerIndex:
        """Encode answers, to be asked by `scores`."""
        tokens = self.tokens(answers, self.answer_length)
        vectors = self._in_batches(self.answer_vectors, tokens)
        if not self.lexical:
            return AnswerIndex(vectors, None)
        average = math.exp(ops.convert_to_numpy(self.log_average_length))
        count = saturated(tokens, average, SATURATION, 1.0)
        values = count * softplus(ops.convert_to_numpy(self.answer_weights))[tokens[..., 0]]
        return AnswerIndex(vectors, Postings.from_tokens(tokens, values, self.words))

    def scores(self, questions: Sequence[str], index: AnswerIndex) -> np.ndarray:
        """The scores of questions with the answers of an index, `(questions, answers)`: the higher, the better."""
        tokens = self.tokens(questions, self.question_length)
        cosines = self._in_batches(self.question_vectors, tokens) @ index.vectors.T
        scores = cosines * np.exp(ops.convert_to_numpy(self.log_scale))
        if index.postings is None:
            return np.asarray(scores)
        asked = softplus(ops.convert_to_numpy(self.question_weights))[tokens[..., 0]]
        overlap = index.postings.scores(tokens, asked)
        return np.asarray(scores + overlap * np.exp(ops.convert_to_numpy(self.log_lexical_scale)))

    def _in_batches(self, encode: Any, tokens: np.ndarray) -> np.ndarray:
        parts = [
            ops.convert_to_numpy(encode(ops.convert_to_tensor(tokens[start : start + BATCH])))
            for start in range(0, len(tokens), BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, self.units), "float32")

    # What is kept

    def set_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Take these words; raises ValueError where they are not as many as the model has."""
        if len(vocabulary) != self.words:
            raise ValueError(f"a vocabulary of {len(vocabulary)} words, for a model of {self.words}")
        self.vocabulary = vocabulary

    def assets(self) -> dict[str, str]:
        """The vocabulary, one word a line, in the order of their numbers."""
        return {VOCABULARY_FILE: self.vocabulary.text()} if self.vocabulary else {}

    def set_assets(self, contents: Mapping[str, str]) -> None:
        """Take the vocabulary of a preset; raises ValueError where there is none, or where it does not fit."""
        if VOCABULARY_FILE not in contents:
            raise ValueError(f"{VOCABULARY_FILE} is missing")
        self.set_vocabulary(Vocabulary.from_text(contents[VOCABULARY_FILE]))

    def save_assets(self, dir_path: str) -> None:
        """Keras' own saving: the vocabulary goes into the .keras file."""
        for name, text in self.assets().items():
            Path(dir_path, name).write_text(text, encoding="utf-8")

    def load_assets(self, dir_path: str) -> None:
        """Keras' own loading."""
        path = Path(dir_path, VOCABULARY_FILE)
        if path.is_file():
            self.set_assets({VOCABULARY_FILE: path.read_text(encoding="utf-8")})

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            "words": self.words,
            "units": self.units,
            "lexical": self.lexical,
            "word_dropout": self.word_dropout,
            "question_length": self.question_length,
            "answer_length": self.answer_length,
        }


def softplus(x: Any) -> np.ndarray:
    """`log(1 + exp(x))` in NumPy."""
    return np.logaddexp(x, 0)


def inverse_softplus(y: Any) -> Any:
    """The x whose softplus is y > 0: `log(exp(y) - 1)`, computed without overflow."""
    return y + np.log(-np.expm1(-y))


def _normalised(x: Any) -> Any:
    return x / ops.sqrt(ops.maximum(ops.sum(ops.square(x), axis=-1, keepdims=True), 1e-12))


def _unit_normal(units: int) -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=1 / math.sqrt(units))
