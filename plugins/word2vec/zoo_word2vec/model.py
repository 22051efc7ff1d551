"""The model: two tables of word vectors, trained by stochastic gradient descent whose gradients are derived by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from zoo_word2vec import sweeps
from zoo_word2vec.algorithms import ALGORITHMS, OBJECTIVES
from zoo_word2vec.automatic import AutomaticBlock
from zoo_word2vec.objectives import Block
from zoo_word2vec.vectors import WordVectors
from zoo_word2vec.vocabulary import Vocabulary

VOCABULARY_FILE = "vocab.txt"


@keras.saving.register_keras_serializable(package="word2vec")
class Word2Vec(keras.Model):
    """Word vectors by skip-gram or CBOW, with negative sampling or a sampled softmax.

    Each word w has an input vector x_w and an output vector o_w. A pair of words that occur near one another has the
    score x.o, and training raises it above the scores of k words that are drawn at random:

        negative sampling   -log sigmoid(x.o) - sum_n log sigmoid(-x.o_n)
        sampled softmax     -log(exp(x.o) / (exp(x.o) + sum_n exp(x.o_n)))

    Skip-gram takes each context's vector as x and the centre's as o; CBOW takes the mean of a centre's contexts as x.
    Trained to its optimum, skip-gram with negative sampling has x.o = PMI - log k for words drawn by their counts (Levy
    and Goldberg, 2014).

        model = Word2Vec(words=len(vocabulary))
        model.vocabulary = vocabulary
        model.compile(keras.optimizers.SGD(0.025))
        model.fit(batches)

    `batches` give what `zoo_word2vec.BlockMaker.make` does. Each holds many updates, which are done one after the
    other, by the compiled learning rate; an update reads and writes only the rows of the tables that its words need.
    The gradients are written out, not found automatically: see `zoo_word2vec.objectives`. The optimizer has to be plain
    `keras.optimizers.SGD`, whose learning rate and schedule are used; what it says of momentum or clipping would not be
    heeded and is refused.

    Shapes: `model(ids)` are the input vectors of words, `(...)` -> `(..., dimension)`.

    Arguments:
        words: How many words there are.
        dimension: Of the vectors.
        algorithm: "skip-gram" or "cbow".
        objective: "negative-sampling" or "sampled-softmax".
        negatives: k, whatever the number of words that is drawn for a block.
        shared: One table for inputs and outputs.
        outputs: Without, there are no output vectors: half the size, and nothing can be trained any more.
        **kwargs: Keras' own, as `name`.

    Raises:
        ValueError: An unknown algorithm or objective, a size below 1, `negatives` that is not above 0, or `shared`
            without `outputs`.

    References:
        Mikolov, Chen, Corrado, Dean, 2013. Efficient estimation of word representations in vector space.
            arXiv:1301.3781
        Mikolov, Sutskever, Chen, Corrado, Dean, 2013. Distributed representations of words and phrases and their
            compositionality. arXiv:1310.4546
        Ji, Satish, Li, Dubey, 2016. Parallelizing word2vec in shared and distributed memory. arXiv:1604.04661
        Su Jianlin, 2017. https://kexue.fm/archives/4402 (the sampled softmax)
    """

    argument_limits: ClassVar[Mapping[str, tuple[float, float]]] = {
        "words": (1, 50_000_000),
        "dimension": (1, 65_536),
        "negatives": (0, 1_000_000),
    }

    def __init__(
        self,
        words: int,
        dimension: int = 100,
        algorithm: str = "skip-gram",
        objective: str = "negative-sampling",
        negatives: float = 5,
        shared: bool = False,
        outputs: bool = True,
        **kwargs: Any,
    ) -> None:
        """Input vectors start small and at random, output vectors at zero."""
        super().__init__(**kwargs)
        self._check(words, dimension, algorithm, objective, negatives, shared, outputs)
        self.words, self.dimension = int(words), int(dimension)
        self.algorithm, self.objective, self.negatives = algorithm, objective, negatives
        self.shared, self.has_outputs = bool(shared), bool(outputs)
        self.automatic = False
        self.inputs_table = self.add_weight(
            shape=(words, dimension),
            initializer=keras.initializers.RandomUniform(-0.5 / dimension, 0.5 / dimension),
            name="inputs",
        )
        if outputs and not shared:
            self.outputs_table = self.add_weight(shape=(words, dimension), initializer="zeros", name="outputs")
        self._vocabulary: Vocabulary | None = None
        self.built = True

    @staticmethod
    def _check(
        words: int, dimension: int, algorithm: str, objective: str, negatives: float, shared: bool, outputs: bool
    ) -> None:
        for name, size in (("words", words), ("dimension", dimension)):
            if int(size) != size or size < 1:
                raise ValueError(f"{name} should be a whole number, at least 1, not {size}")
        for name, value, known in (("algorithm", algorithm, ALGORITHMS), ("objective", objective, OBJECTIVES)):
            if value not in known:
                raise ValueError(f"{name} should be one of {', '.join(known)}, not {value!r}")
        if not 0 < negatives < float("inf"):
            raise ValueError(f"negatives should be a number above 0, not {negatives}")
        if shared and not outputs:
            raise ValueError("a shared table is the outputs' too: shared=True goes with outputs=True")

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The words; None where the model was not told them. Raises ValueError when set to more or fewer words."""
        return self._vocabulary

    @vocabulary.setter
    def vocabulary(self, vocabulary: Vocabulary) -> None:
        if len(vocabulary) != self.words:
            raise ValueError(f"a model of {self.words} words was given a vocabulary of {len(vocabulary)}")
        self._vocabulary = vocabulary

    def call(self, ids: Any) -> Any:
        """The input vectors of words."""
        return ops.take(self.inputs_table, ids, axis=0)

    def vectors(self) -> WordVectors:
        """The words with their input vectors, as they are now, for neighbours, analogies and similarities.

        Raises ValueError where the model was not told its words.
        """
        if self._vocabulary is None:
            raise ValueError("this model was not told its words: model.vocabulary = Vocabulary(...)")
        return WordVectors(self._vocabulary, np.array(keras.ops.convert_to_numpy(self.inputs_table), np.float32))

    def inputs_only(self) -> Word2Vec:
        """A copy without output vectors: what a preset needs, at half the size."""
        copy = type(self)(**{**self.get_config(), "shared": False, "outputs": False, "name": None})
        copy.inputs_table.assign(self.inputs_table)
        copy._vocabulary = self._vocabulary
        return copy

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "words": self.words,
            "dimension": self.dimension,
            "algorithm": self.algorithm,
            "objective": self.objective,
            "negatives": self.negatives,
            "shared": self.shared,
            "outputs": self.has_outputs,
        }

    # What a preset keeps beside the weights.

    def assets(self) -> dict[str, str]:
        """The vocabulary, if there is one."""
        return {} if self._vocabulary is None else {VOCABULARY_FILE: self._vocabulary.render()}

    def set_assets(self, contents: Mapping[str, str]) -> None:
        """Raises ValueError for what is no vocabulary of as many words."""
        if VOCABULARY_FILE in contents:
            self.vocabulary = Vocabulary.parse(contents[VOCABULARY_FILE])

    # What Keras calls.

    def save_assets(self, folder: str) -> None:
        """Put the vocabulary into a `.keras` file."""
        for name, text in self.assets().items():
            Path(folder, name).write_text(text, encoding="utf-8")

    def load_assets(self, folder: str) -> None:
        """Get it out again."""
        path = Path(folder, VOCABULARY_FILE)
        if path.is_file():
            self.set_assets({VOCABULARY_FILE: path.read_text(encoding="utf-8")})

    def block(self) -> Block:
        """What is minimised over a block of text; with gradients by hand, unless `automatic` is set."""
        return (AutomaticBlock if self.automatic else Block)(self.algorithm, self.objective, self.negatives)

    def tables(self) -> tuple[keras.Variable, ...]:
        """The variables with the input and the output vectors, or the one with both."""
        if not self.has_outputs:
            raise ValueError("this model has no output vectors, and cannot be trained without")
        return (self.inputs_table,) if self.shared else (self.inputs_table, self.outputs_table)

    def train_step(self, *arguments: Any) -> Any:
        """One batch of `fit`: `(data)`, or on JAX `(state, data)`."""
        return self._step(self._train, self.optimizer.variables, *arguments)

    def test_step(self, *arguments: Any) -> Any:
        """One batch of `evaluate`: `(data)`, or on JAX `(state, data)`."""
        return self._step(self._test, None, *arguments)

    def _step(self, function: Any, slots: Any, *arguments: Any) -> Any:
        if keras.backend.backend() != "jax":
            return function(*arguments)
        values, data = arguments
        groups = [self.trainable_variables, self.non_trainable_variables, self.metrics_variables]
        if slots is not None:
            groups.insert(2, slots)
        pairs = [pair for group, held in zip(groups, values, strict=True) for pair in zip(group, held, strict=True)]
        with keras.StatelessScope(pairs) as scope:
            logs = function(data)
        return logs, tuple([scope.get_current_value(variable) for variable in group] for group in groups)

    def _train(self, data: Any) -> Any:
        batch = _as_tensors(data)
        rate = ops.cast(plain_rate(self.optimizer), self.inputs_table.dtype)
        sums = sweeps.sweep(self.block(), self.tables(), batch, rate)
        self.optimizer.iterations.assign_add(1)
        return self._report(*sums)

    def _test(self, data: Any) -> Any:
        return self._report(*sweeps.evaluate(self.block(), self.tables(), _as_tensors(data)))

    def _report(self, loss: Any, terms: Any) -> Any:
        self._loss_tracker.update_state(loss / ops.maximum(terms, 1), sample_weight=terms)
        return {"loss": self._loss_tracker.result()}


def _as_tensors(data: Any) -> dict[str, Any]:
    batch, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    if not isinstance(batch, Mapping) or not {"words", "left", "right", "noise"} <= set(batch):
        raise ValueError("word2vec is trained on what zoo_word2vec.BlockMaker.make gives: words, left, right and noise")
    return {name: ops.convert_to_tensor(array) for name, array in batch.items()}


def plain_rate(optimizer: keras.optimizers.Optimizer) -> Any:
    """The learning rate of plain SGD; raises ValueError for an optimizer that is anything more."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    refused = ("momentum", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema")
    asked = [name for name in (*refused, "gradient_accumulation_steps") if getattr(inner, name, None)]
    if not isinstance(inner, keras.optimizers.SGD) or asked:
        what = f"{type(inner).__name__}({', '.join(f'{name}={getattr(inner, name)}' for name in asked)})"
        raise ValueError(
            f"word2vec's step is stochastic gradient descent: compile it with SGD(learning_rate), not {what}"
        )
    return optimizer.learning_rate
