"""The model in Keras: compile and fit, save and load, and what it learns."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator

import keras
import numpy as np
import pytest

import zoo_core
from zoo_core.errors import PresetError
from zoo_core.loading import load_weights
from zoo_word2vec import BlockMaker, Vocabulary, Word2Vec
from zoo_word2vec.corpus import END

pytestmark = pytest.mark.backend

WORDS = 12


class Batches(keras.utils.PyDataset):
    """Blocks out of a few rows, a new draw each time."""

    def __init__(self, rows: np.ndarray, maker: BlockMaker, size: int) -> None:
        super().__init__()
        self.rows, self.maker, self.size = rows, maker, size
        self.random = np.random.Generator(np.random.Philox(5))

    @property
    def num_batches(self) -> int:
        return len(self.rows) // self.size

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray]]:
        return (self.maker.make(self.rows[index * self.size : (index + 1) * self.size], self.random),)


def vocabulary(words: int = WORDS) -> Vocabulary:
    return Vocabulary([f"w{index:02}" for index in range(words)], [100] * words)


def batches(rng: np.random.Generator, rows: int = 6, size: int = 2) -> Batches:
    """Even numbers near even ones, odd ones near odd ones."""
    text = 2 * rng.integers(0, WORDS // 2, (rows, 80)) + rng.integers(0, 2, (rows, 1))
    maker = BlockMaker.of_vocabulary(vocabulary(), subsample=0, window=2, negatives=8, update=16)
    return Batches(text.astype(np.int32), maker, size)


def arrays(model: Word2Vec) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(weight).copy() for weight in model.weights]


@pytest.fixture
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def test_fit_moves_both_tables_and_the_schedule_counts(rng):
    given, model = batches(rng), Word2Vec(WORDS, 6, negatives=3)
    rate = keras.optimizers.schedules.PolynomialDecay(0.1, 12, 0.01)
    model.compile(keras.optimizers.SGD(rate))
    before = arrays(model)
    losses = model.fit(given, epochs=4, verbose=0, shuffle=False).history["loss"]
    assert losses[-1] < losses[0] < 4.2 * math.log(2)
    for old, new in zip(before, arrays(model), strict=True):
        assert (old != new).any(axis=1).all()
    assert int(model.optimizer.iterations) == 12
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
    assert model.evaluate(given, verbose=0) == pytest.approx(losses[-1], rel=0.2)
    similar = [model_similarity(model, 0, other) for other in range(2, WORDS, 2)]
    unlike = [model_similarity(model, 0, other) for other in range(1, WORDS, 2)]
    assert min(similar) > max(unlike)


def model_similarity(model: Word2Vec, one: int, other: int) -> float:
    vectors = keras.ops.convert_to_numpy(model(np.array([one, other])))
    return float(vectors[0] @ vectors[1] / np.linalg.norm(vectors[0]) / np.linalg.norm(vectors[1]))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"], indirect=True)
def test_mixed_precision_trains_in_full(rng, policy):
    model = Word2Vec(WORDS, 6, algorithm="cbow", objective="sampled-softmax", shared=True)
    model.compile(keras.optimizers.SGD(0.1))
    before = arrays(model)
    losses = model.fit(batches(rng), epochs=2, verbose=0, shuffle=False).history["loss"]
    assert losses[1] < losses[0]
    assert [array.dtype.name for array in arrays(model)] == ["float32"]
    assert (before[0] != arrays(model)[0]).any()
    assert keras.backend.standardize_dtype(model(np.array([0])).dtype) == policy.removeprefix("mixed_")


def test_compiled_by_xla_it_learns_the_same(rng):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("JAX always compiles, and PyTorch has no XLA")
    given, models = batches(rng)[0], []
    for jit in (False, True):
        keras.utils.set_random_seed(1)
        model = Word2Vec(WORDS, 6)
        model.compile(keras.optimizers.SGD(0.1), jit_compile=jit)
        model.train_on_batch(*given)
        models.append(arrays(model))
    for one, other in zip(*models, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_automatic_gradients_lead_to_the_same_vectors(rng):
    given, models = batches(rng)[0], []
    for automatic in (False, True):
        keras.utils.set_random_seed(1)
        model = Word2Vec(WORDS, 6)
        model.automatic = automatic
        model.compile(keras.optimizers.SGD(0.1))
        model.train_on_batch(*given)
        models.append(arrays(model))
    for one, other in zip(*models, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Adam,
        lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        lambda: keras.optimizers.SGD(0.1, use_ema=True),
        lambda: keras.optimizers.SGD(0.1, clipnorm=1.0),
    ],
)
def test_an_optimizer_that_is_more_than_sgd_is_refused(rng, optimizer):
    model = Word2Vec(WORDS, 3)
    model.compile(optimizer(), run_eagerly=True)
    with pytest.raises(ValueError, match=r"compile it with SGD\(learning_rate\), not (Adam|SGD)\("):
        model.train_on_batch(*batches(rng)[0])


@pytest.mark.parametrize("data", [np.zeros((2, 3), "int32"), {"words": np.zeros((1, 1, 3), "int32")}], ids=type)
def test_what_is_no_blocks_is_refused(data):
    model = Word2Vec(WORDS, 3)
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    with pytest.raises(ValueError, match=r"BlockMaker\.make"):
        model.train_on_batch(data)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"words": 0}, "words should be a whole number, at least 1, not 0"),
        ({"words": 3, "dimension": -1}, "dimension should be"),
        ({"words": 3, "algorithm": "skipgram"}, "algorithm should be one of skip-gram, cbow, not 'skipgram'"),
        ({"words": 3, "objective": "softmax"}, "objective should be one of"),
        ({"words": 3, "negatives": 0}, "negatives should be a number above 0"),
        ({"words": 3, "negatives": math.nan}, "negatives should be a number above 0"),
        ({"words": 3, "shared": True, "outputs": False}, "goes with outputs=True"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Word2Vec(**arguments)


def test_a_file_of_keras_holds_all_of_it(tmp_path, rng):
    model = Word2Vec(WORDS, 4, shared=True, negatives=2.5)
    model.compile(keras.optimizers.SGD(0.1))
    model.train_on_batch(*batches(rng)[0])
    model.vocabulary = vocabulary()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.vocabulary == vocabulary()
    assert loaded.get_config() == model.get_config()
    for one, other in zip(arrays(model), arrays(loaded), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_preset_has_its_words_and_needs_no_output_vectors(tmp_path):
    model = Word2Vec(WORDS, 4)
    model.vocabulary = vocabulary()
    zoo_core.save(model.inputs_only(), tmp_path, {"license": "CC0-1.0"}, storage="float16")
    assert (tmp_path / "vocab.txt").read_text().startswith("w00 100\nw01 100\n")
    loaded = zoo_core.load(tmp_path)
    assert loaded.vocabulary == vocabulary()
    np.testing.assert_allclose(arrays(loaded)[0], arrays(model)[0], atol=1e-4)
    assert len(loaded.weights) == 1
    with pytest.raises(ValueError, match="no output vectors"):
        loaded.tables()


def test_words_that_are_not_the_models_are_refused(tmp_path):
    model = Word2Vec(WORDS, 4)
    with pytest.raises(ValueError, match="was not told its words"):
        model.vectors()
    with pytest.raises(ValueError, match="a model of 12 words was given a vocabulary of 3"):
        model.vocabulary = vocabulary(3)
    with pytest.raises(ValueError, match="line 2"):
        model.set_assets({"vocab.txt": "a 1\nb\n"})
    model.vocabulary = vocabulary()
    zoo_core.save(model, tmp_path)
    other = Word2Vec(WORDS, 4)
    other.vocabulary = Vocabulary([f"x{index:02}" for index in range(WORDS)], [100] * WORDS)
    with pytest.raises(PresetError, match=r"vocab\.txt: not the one of this Word2Vec"):
        load_weights(other, tmp_path)


def test_training_comes_near_the_shifted_mutual_information():
    """On a text of six words that depend on their neighbours, with as many dimensions, k = 2, words drawn by count."""
    rng = np.random.Generator(np.random.Philox(11))
    words = 6
    transitions = rng.dirichlet(np.full(words, 2.0), words)
    text, word = [], 0
    for _ in range(12_000):
        word = int(rng.choice(words, p=transitions[word]))
        text.append(word)
    order = np.argsort(-np.bincount(text), kind="stable")
    ids = np.argsort(order)[text].astype(np.int32)
    counts = np.bincount(ids)
    known = Vocabulary.of_counts({f"w{index}": int(count) for index, count in enumerate(counts)})
    maker = BlockMaker.of_vocabulary(known, subsample=0, power=1, window=1, negatives=64, update=16)
    model = Word2Vec(words, words, negatives=2)
    rows = ids.reshape(12, 1000)
    given = Batches(rows, maker, 12)
    model.compile(keras.optimizers.SGD(keras.optimizers.schedules.PolynomialDecay(0.1, 14, 0.001)))
    model.fit(given, epochs=14, verbose=0, shuffle=False)
    inputs, outputs = arrays(model)
    expected = shifted_information(rows, 2)
    assert expected.std() > 0.4
    assert (inputs @ outputs.T - expected).std() < 0.12
    np.testing.assert_allclose(inputs @ outputs.T, expected, atol=0.4)


def shifted_information(rows: np.ndarray, negatives: float) -> np.ndarray:
    """PMI - log k of neighbouring words."""
    pairs = Counter((int(a), int(b)) for row in rows for a, b in itertools.pairwise(row) if END not in (a, b))
    size = int(rows.max()) + 1
    counts = np.zeros((size, size))
    for (one, other), count in pairs.items():
        counts[one, other] += count
        counts[other, one] += count
    shares = counts.sum(axis=0)
    return np.log(counts * counts.sum() / np.outer(shares, shares)) - math.log(negatives)
