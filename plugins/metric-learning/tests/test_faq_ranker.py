"""The ranker: its scores from the definition, its losses, what it refuses, and that it comes back whole."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest
from keras import ops

import zoo_core
from zoo_core.errors import PresetError
from zoo_metric_learning.losses.info_nce import InfoNCELoss
from zoo_metric_learning.models.faq_ranker import FaqRanker, inverse_softplus
from zoo_metric_learning.models.latent import latent_vectors
from zoo_metric_learning.models.objectives import InBatchSoftmax, RandomNegativeTriplet
from zoo_metric_learning.models.vocabulary import UNK, Vocabulary, build_vocabulary
from zoo_metric_learning.postings import bm25

pytestmark = pytest.mark.backend

QUESTIONS = ["高血压吃什么", "糖尿病吃什么", "感冒了怎么办"]
ANSWERS = ["血压高的人少吃盐，高血压要吃药", "糖尿病人少吃糖", "感冒多喝水，感冒会好"]


@pytest.fixture
def ranker() -> FaqRanker:
    """With weights that are all different."""
    model = new_ranker()
    generator = np.random.Generator(np.random.Philox(3))
    for variable in model.trainable_variables:
        variable.assign(generator.normal(size=variable.shape) / 2)
    return model


def new_ranker(**arguments) -> FaqRanker:
    vocabulary = build_vocabulary([*QUESTIONS, *ANSWERS], 1, 2)
    model = FaqRanker(len(vocabulary), **{"units": 6, "question_length": 12, "answer_length": 20, **arguments})
    model.set_vocabulary(vocabulary)
    return model


def pairs_of(model: FaqRanker) -> np.ndarray:
    tokens = [model.tokens(QUESTIONS, model.question_length), model.tokens(ANSWERS, model.answer_length)]
    return np.concatenate(tokens, axis=1)


def numpy(tensor) -> np.ndarray:
    return ops.convert_to_numpy(tensor)


def test_scores_are_those_of_the_definition(ranker):
    value = {name: numpy(variable) for name, variable in zip(names(ranker), ranker.weights, strict=True)}
    softplus = {name: np.log1p(np.exp(value[name])) for name in ("importance", "question_weights", "answer_weights")}

    def vector(text):
        counts = ranker.vocabulary.count(text)
        return sum(
            softplus["importance"][word] * (1 + math.log(count)) * value["embeddings"][word]
            for word, count in counts.items()
        )

    def unit(x):
        return x / np.linalg.norm(x)

    average = math.exp(value["log_average_length"])
    asked, answering = softplus["question_weights"], softplus["answer_weights"]
    for i, question in enumerate(QUESTIONS):
        q = unit(vector(question))
        q = unit(q + q @ value["kernel"] + value["bias"])
        for j, answer in enumerate(ANSWERS):
            counts = ranker.vocabulary.count(answer)
            length = sum(counts.values()) / average
            overlap = sum(
                asked[w] * answering[w] * 2.6 * counts[w] / (counts[w] + 1.6 * length)
                for w in ranker.vocabulary.count(question).keys() & counts.keys()
            )
            cosine = q @ unit(vector(answer))
            expected = math.exp(value["log_scale"]) * cosine + math.exp(value["log_lexical_scale"]) * overlap
            found = ranker(pairs_of(ranker))
            assert numpy(found["cosines"])[i, j] == pytest.approx(cosine, abs=1e-5)
            assert numpy(found["scores"])[i, j] == pytest.approx(expected, abs=1e-4)


def names(model: FaqRanker) -> list[str]:
    return [variable.name for variable in model.weights]


@pytest.mark.parametrize("lexical", [True, False])
def test_an_index_gives_the_scores_that_the_model_computes(lexical):
    model = new_ranker(lexical=lexical)
    model.initialise(ANSWERS)
    computed = numpy(model(pairs_of(model))["scores"])
    np.testing.assert_allclose(model.scores(QUESTIONS, model.index(ANSWERS)), computed, rtol=1e-4, atol=1e-5)
    assert model.scores([], model.index(ANSWERS)).shape == (0, 3)
    assert model.scores(QUESTIONS, model.index([])).shape == (3, 0)


def test_before_training_words_count_as_in_bm25():
    model = new_ranker(question_length=64, answer_length=64)
    model.initialise(ANSWERS, scale=1e-6)
    asked, documents = model.tokens(QUESTIONS, 64), model.tokens(ANSWERS, 64)
    expected = bm25(asked, documents, documents, model.words)
    found = model.scores(QUESTIONS, model.index(ANSWERS)) / math.exp(numpy(model.log_lexical_scale))
    # Softplus is never 0: words in all answers, the unknown ones too, count a hundredth.
    np.testing.assert_allclose(found, expected, atol=0.15)
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).all()


def test_fitting_brings_the_right_answers_up_and_moves_every_weight(ranker):
    before = [numpy(variable).copy() for variable in ranker.trainable_variables]
    losses = {"scores": InBatchSoftmax(), "cosines": InBatchSoftmax(0.1)}
    ranker.compile(keras.optimizers.Adam(0.05), loss=losses)
    history = ranker.fit(pairs_of(ranker), epochs=12, verbose=0, batch_size=3).history["loss"]
    assert history[-1] < 0.3 * history[0]
    for old, variable in zip(before, ranker.trainable_variables, strict=True):
        assert (numpy(variable) != old).any(), variable.path
    scores = ranker.scores(QUESTIONS, ranker.index(ANSWERS))
    assert (scores.argmax(axis=1) == np.arange(3)).all()


def test_without_a_compiled_loss_scores_are_trained(ranker):
    ranker.compile(keras.optimizers.SGD(0.0))
    loss = ranker.fit(pairs_of(ranker), verbose=0, batch_size=3).history["loss"][0]
    scores = numpy(ranker(pairs_of(ranker))["scores"])
    rows = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    columns = scores - np.log(np.exp(scores).sum(axis=0, keepdims=True))
    assert loss == pytest.approx(-np.mean(np.diag(rows) + np.diag(columns)) / 2, rel=1e-4)


def test_words_are_overlooked_in_training_only():
    model = new_ranker(word_dropout=0.5)
    pairs = pairs_of(model)
    plain = numpy(model(pairs)["scores"])
    np.testing.assert_array_equal(numpy(model(pairs, training=False)["scores"]), plain)
    first, second = (numpy(model(pairs, training=True)["scores"]) for _ in range(2))
    assert (first != plain).any()
    assert (first != second).any()


def test_pairs_without_any_word_have_finite_scores_and_gradients(ranker):
    ranker.compile(keras.optimizers.SGD(0.1), loss={"scores": InBatchSoftmax(), "cosines": InBatchSoftmax(0.1)})
    empty = np.zeros((2, 32, 2), "int32")
    assert math.isfinite(ranker.fit(empty, verbose=0).history["loss"][0])
    assert all(np.isfinite(numpy(variable)).all() for variable in ranker.trainable_variables)


def test_a_triplet_is_nothing_once_the_margin_is_kept():
    scores = ops.convert_to_tensor(np.array([[0.9, 0.1, 0.85], [0.2, 0.3, 0.25], [0.5, 0.0, 0.1]], "float32"))
    loss = RandomNegativeTriplet(0.1, reduction=None)(ops.zeros(3), scores)
    np.testing.assert_allclose(numpy(loss), [0.0, 0.05, 0.5], atol=1e-6)
    one = ops.ones((1, 1))
    assert numpy(RandomNegativeTriplet(0.1)(ops.zeros(1), one)) == 0
    assert numpy(InBatchSoftmax()(ops.zeros(1), one)) == 0


@pytest.mark.parametrize("temperature", [1.0, 0.07])
def test_the_softmax_over_cosines_is_info_nce_of_the_vectors(temperature):
    generator = np.random.Generator(np.random.Philox(4))
    questions, answers = (
        rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in generator.normal(size=(2, 5, 3))
    )
    cosines = ops.convert_to_tensor((questions @ answers.T).astype("float32"))
    expected = InfoNCELoss(temperature)(answers.astype("float32"), questions.astype("float32"))
    assert numpy(InBatchSoftmax(temperature)(ops.zeros(5), cosines)) == pytest.approx(numpy(expected), rel=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FaqRanker(2), "words >= 3"),
        (lambda: FaqRanker(9, units=0), "all others >= 1"),
        (lambda: FaqRanker(9, word_dropout=1.0), "word_dropout < 1"),
        (lambda: InBatchSoftmax(0), "more than 0"),
        (lambda: RandomNegativeTriplet(-0.1), "0 or more"),
        (lambda: RandomNegativeTriplet(float("nan")), "0 or more"),
        (lambda: InBatchSoftmax()(ops.zeros(2), ops.ones((2, 3))), r"\(batch, batch\), got \(2, 3\)"),
        (lambda: FaqRanker(9)(np.zeros((2, 5, 2), "int32")), "or more, 2"),
        (lambda: FaqRanker(9).tokens(["a"], 3), "no vocabulary yet"),
        (lambda: FaqRanker(9).set_vocabulary(Vocabulary(("a",))), "3 words, for a model of 9"),
    ],
)
def test_what_cannot_work_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_preset_keeps_the_vocabulary(ranker, tmp_path):
    zoo_core.save(ranker, tmp_path / "faq", reference="metric-learning/faq-ranker")
    loaded = zoo_core.load(tmp_path / "faq")
    assert loaded.vocabulary == ranker.vocabulary
    expected = ranker.scores(QUESTIONS, ranker.index(ANSWERS))
    np.testing.assert_allclose(loaded.scores(QUESTIONS, loaded.index(ANSWERS)), expected, rtol=1e-5)
    ranker.vocabulary = None
    with pytest.raises(ValueError, match="vocab.txt is missing"):
        ranker.set_assets({})


def test_a_vocabulary_that_does_not_fit_is_refused_when_a_preset_is_loaded(ranker, tmp_path, monkeypatch):
    monkeypatch.setattr(FaqRanker, "assets", lambda self: {"vocab.txt": "b\na\n"})
    zoo_core.save(ranker, tmp_path / "faq", reference="metric-learning/faq-ranker")
    with pytest.raises(PresetError, match="sorted"):
        zoo_core.load(tmp_path / "faq")


def test_a_keras_file_keeps_the_vocabulary(ranker, tmp_path):
    ranker.save(tmp_path / "faq.keras")
    loaded = keras.saving.load_model(tmp_path / "faq.keras")
    assert loaded.vocabulary == ranker.vocabulary


def test_latent_vectors_span_what_a_singular_value_decomposition_spans():
    vocabulary = build_vocabulary([*QUESTIONS, *ANSWERS], 1, 1)
    tokens = vocabulary.all_tokens([*QUESTIONS, *ANSWERS])
    importance = np.linspace(0.5, 2, len(vocabulary)).astype("float32")
    dense = np.zeros((len(tokens), len(vocabulary)))
    for row, text in enumerate(tokens):
        for word, count in text[text[:, 1] > 0]:
            dense[row, word] = (1 + math.log(count)) * importance[word]
    dense /= np.linalg.norm(dense, axis=1, keepdims=True)
    expected = np.linalg.svd(dense)[2][:3].T
    found = latent_vectors(tokens, importance, 3)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-3)
    assert latent_vectors(tokens, importance, 20).shape == (len(vocabulary), 20)


def test_softplus_has_its_inverse():
    values = np.array([1e-3, 0.05, 1.0, 30.0])
    np.testing.assert_allclose(np.log1p(np.exp(inverse_softplus(values))), values, rtol=1e-6)
    assert UNK == 1
