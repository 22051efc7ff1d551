"""Models that a CRF trains: alone, within training steps, saved.

Runs in float32, and in float64 where ZOO_TEST_FLOATX says so.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import CRF, SAM, CRFTagger, GradientAccumulation
from zoo_core import backend

pytestmark = [pytest.mark.backend, pytest.mark.float64]

COUNT = 3


def as_array(tensor) -> np.ndarray:
    return np.array(ops.convert_to_numpy(tensor))


def scorer() -> keras.Model:
    backend.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(8, 6, mask_zero=True),
            keras.layers.Dense(COUNT),
        ]
    )


@pytest.fixture
def sentences(rng):
    words = rng.integers(1, 8, (32, 6))
    words[:, 3:] *= rng.integers(0, 2, (32, 1))
    return words, np.where(words > 0, words % COUNT, -1)


def test_tagger_learns_is_saved_and_goes_on(sentences, tmp_path):
    words, tags = sentences
    tagger = CRFTagger(scorer())
    tagger.compile(keras.optimizers.Adam(0.1), metrics=["accuracy"])
    history = tagger.fit(words, tags, epochs=6, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 4
    assert np.abs(as_array(tagger.crf.transitions)).max() > 0
    before = tagger.evaluate(words, tags, verbose=0)
    tagger.save(tmp_path / "tagger.keras")
    loaded = keras.saving.load_model(tmp_path / "tagger.keras")
    assert loaded.evaluate(words, tags, verbose=0) == pytest.approx(before, rel=1e-4)
    assert loaded.optimizer.iterations == tagger.optimizer.iterations


def test_tagger_loss_is_the_weighted_mean_over_sequences(sentences):
    words, tags = sentences
    tagger = CRFTagger(scorer())
    tagger.compile("sgd")
    weights = np.linspace(0, 2, len(words))
    likelihood = as_array(tagger.crf.log_likelihood(tagger.model(words), tags, words > 0))
    found = tagger.evaluate(words, tags, sample_weight=weights, batch_size=len(words), verbose=0)
    assert found == pytest.approx(-np.mean(weights * likelihood), rel=1e-4)


def test_tagger_accumulates_to_the_large_batch(sentences):
    words, tags = sentences
    found = []
    for model, size in ((CRFTagger(scorer()), 32), (GradientAccumulation(CRFTagger(scorer()), 4), 8)):
        model.compile(keras.optimizers.SGD(0.5))
        model.fit(words, tags, batch_size=size, shuffle=False, verbose=0)
        found.append((model if size == 32 else model.model).get_weights())
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(other, one, atol=1e-6)


def test_tagger_in_a_training_step_learns_and_is_saved(sentences, tmp_path):
    words, tags = sentences
    step = SAM(CRFTagger(scorer()), rho=0.01)
    step.compile(keras.optimizers.Adam(0.1), metrics=["accuracy"])
    history = step.fit(words, tags, epochs=10, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 2
    assert history["accuracy"][-1] > history["accuracy"][0]
    step.save(tmp_path / "step.keras")
    loaded = keras.saving.load_model(tmp_path / "step.keras")
    assert (loaded.model.predict_tags(words, verbose=0) == step.model.predict_tags(words, verbose=0)).all()


@pytest.mark.parametrize(
    ("loss", "targets", "weights", "message"),
    [
        (None, False, None, "fit"),
        (None, True, (32, 6), "one sample weight per sequence"),
        ("mse", True, None, "without one"),
    ],
)
def test_tagger_refuses_another_loss_no_tags_and_weights_of_positions(loss, targets, weights, message, sentences):
    words, tags = sentences
    tagger = CRFTagger(scorer())
    tagger.compile("sgd", loss=loss, run_eagerly=True)
    with pytest.raises(ValueError, match=message):
        tagger.fit(words, tags if targets else None, sample_weight=weights and np.ones(weights), verbose=0)


def test_tagger_takes_models_alone():
    with pytest.raises(ValueError, match="scores the tags"):
        CRFTagger("no model")


def test_tags_may_be_an_input_instead(sentences):
    words, tags = sentences
    ids, targets = keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")
    model = keras.Model([ids, targets], CRF()(scorer()(ids), targets))
    model.compile(keras.optimizers.Adam(0.1), metrics=["accuracy"])
    history = model.fit([words, tags], tags, epochs=6, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] / 2


@pytest.fixture
def noisy_chains(rng):
    """Tags that mostly go on in a circle, each seen through noise, with lengths from 4 to 10."""
    count, time = 300, 10
    tags = np.zeros((count, time), "int64")
    tags[:, 0] = rng.integers(0, COUNT, count)
    for position in range(1, time):
        step = rng.choice(COUNT, count, p=[0.05, 0.9, 0.05])
        tags[:, position] = (tags[:, position - 1] + step) % COUNT
    seen = np.eye(COUNT)[tags] + 0.8 * rng.standard_normal((count, time, COUNT))
    seen[np.arange(time) >= rng.integers(4, time + 1, count)[:, None]] = 0
    return seen.astype(keras.config.floatx()), tags


def test_crf_tags_noisy_chains_better_than_an_independent_softmax(noisy_chains):
    seen, tags = noisy_chains
    real = (seen != 0).any(-1)

    def network(activation=None):
        backend.set_random_seed(0)
        layers = [keras.Input((None, COUNT)), keras.layers.Masking(), keras.layers.Dense(COUNT, activation=activation)]
        return keras.Sequential(layers)

    independent = network("softmax")
    independent.compile(keras.optimizers.Adam(0.05), loss="sparse_categorical_crossentropy")
    tagger = CRFTagger(network())
    tagger.compile(keras.optimizers.Adam(0.05))
    for model in (independent, tagger):
        model.fit(seen[:200], tags[:200], epochs=10, verbose=0)
    guesses = independent.predict(seen[200:], verbose=0).argmax(-1), tagger.predict_tags(seen[200:], verbose=0)
    alone, together = (float((guess == tags[200:])[real[200:]].mean()) for guess in guesses)
    assert alone > 0.6
    assert together > alone + 0.08
