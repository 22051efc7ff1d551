"""Retrieval metrics: a plain loop over queries, chunks, ties, and the same numbers within a batch as Keras metrics."""

from __future__ import annotations

import tracemalloc

import keras
import numpy as np
import pytest

import zoo_metric_learning as zoo


def loop(similarity, labels, reference_labels, own=False):
    """(recall@1, recall@3, R-precision, MAP@R, MRR) from a full sort of every query's references."""
    rows = []
    for query in range(len(similarity)):
        order = [i for i in np.argsort(-similarity[query], kind="stable") if not (own and i == query)]
        hits = np.array([reference_labels[i] == labels[query] for i in order])
        total = hits.sum()
        if not total:
            continue
        first = hits[:total]
        precision = np.cumsum(first) / np.arange(1, total + 1)
        rank = int(np.flatnonzero(hits)[0]) + 1
        rows.append((rank <= 1, rank <= 3, first.mean(), (precision * first).sum() / total, 1 / rank))
    return np.mean(rows, axis=0)


def as_tuple(found):
    return found.recall_at(1), found.recall_at(3), found.r_precision, found.map_at_r, found.mean_reciprocal_rank


@pytest.fixture
def data(rng):
    labels = rng.integers(0, 5, 60)
    return rng.standard_normal((60, 4)).astype("float32") + np.eye(5, 4)[labels].astype("float32"), labels


def similarity(x, references, distance):
    if distance == "cosine":
        x, references = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, references))
    if distance == "euclidean":
        return -np.square(x[:, None] - references[None]).sum(axis=-1)
    return x @ references.T


@pytest.mark.parametrize("distance", ["cosine", "euclidean", "dot"])
def test_set_that_searches_itself(data, distance):
    x, labels = data
    found = zoo.retrieval(x, labels, distance=distance, chunk=7)
    np.testing.assert_allclose(as_tuple(found), loop(similarity(x, x, distance), labels, labels, own=True), rtol=1e-6)
    assert found.queries == 60


@pytest.mark.parametrize("distance", ["cosine", "euclidean", "dot"])
def test_set_that_searches_another_one(data, distance):
    x, labels = data
    labels[3] = 99
    sets = (x[:20], labels[:20], x[20:], labels[20:, None])
    found = zoo.retrieval(*sets, distance=distance)
    expected = loop(similarity(x[:20], x[20:], distance), labels[:20], labels[20:])
    np.testing.assert_allclose(as_tuple(found), expected, rtol=1e-6)
    assert found.queries == 19


def test_functions_are_the_fields_of_the_record(data):
    found = zoo.retrieval(*data)
    assert zoo.recall_at_k(*data, k=2) == found.recall_at(2)
    assert zoo.map_at_r(*data) == found.map_at_r
    assert zoo.r_precision(*data) == found.r_precision
    assert zoo.mean_reciprocal_rank(*data) == found.mean_reciprocal_rank


def test_of_equal_ones_the_earlier_comes_first():
    x, labels = np.ones((4, 2)), np.array([0, 1, 1, 0])
    found = zoo.retrieval(x, labels)
    assert found.first_rank.tolist() == [3, 2, 2, 1]
    np.testing.assert_allclose(as_tuple(found), loop(np.ones((4, 4)), labels, labels, own=True))


def test_perfect_embeddings_score_one():
    labels = np.arange(12) % 4
    assert as_tuple(zoo.retrieval(np.eye(4)[labels], labels)) == (1, 1, 1, 1, 1)


@pytest.mark.backend
def test_tensors_are_taken(data):
    x, labels = data
    found = zoo.retrieval(keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(labels))
    assert as_tuple(found) == as_tuple(zoo.retrieval(x, labels))


def test_memory_is_bounded(rng):
    """Of 3,000 by 20,000 similarities, 240 MB of them alone, never more than a part is there."""
    queries, references = rng.standard_normal((3000, 4), "float32"), rng.standard_normal((20000, 4), "float32")
    labels, reference_labels = np.arange(3000) % 1000, np.arange(20000) % 1000
    tracemalloc.start()
    try:
        zoo.retrieval(queries, labels, references, reference_labels)
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200e6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.ones((3, 2)), [0, 1]), "one label for each of the 3"),
        ((np.ones(3), [0, 1, 2]), "count, dimensions"),
        ((np.zeros((0, 2)), []), "count, dimensions"),
        ((np.ones((3, 2)), [0, 1, 2]), "no query"),
        ((np.full((2, 2), np.nan), [0, 0]), "finite"),
        ((np.ones((2, 2)), [0, 0], np.ones((2, 2))), "together"),
        ((np.ones((2, 2)), [0, 0], np.ones((2, 3)), [0, 0]), "dimensions"),
    ],
)
def test_wrong_sets_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.retrieval(*arguments)


METRICS = {
    "recall@1": (lambda: zoo.RecallAtK(1), 0),
    "recall@3": (lambda: zoo.RecallAtK(3), 1),
    "R-precision": (zoo.RPrecision, 2),
    "MAP@R": (zoo.MeanAveragePrecisionAtR, 3),
    "MRR": (zoo.MeanReciprocalRank, 4),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", METRICS)
def test_keras_metric_is_that_of_the_batch(data, name):
    make, column = METRICS[name]
    x, labels = data
    metric = make()
    metric.update_state(labels, x)
    expected = as_tuple(zoo.retrieval(x, labels))[column]
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)
    metric.update_state(labels[:, None], x)
    assert float(metric.result()) == pytest.approx(expected, rel=1e-5)
    metric.reset_state()
    metric.update_state(np.arange(3), x[:3])
    metric.update_state(np.zeros(0, "int32"), x[:0])
    assert float(metric.result()) == 0
    again = keras.metrics.deserialize(keras.metrics.serialize(metric))
    assert again.get_config() == metric.get_config()


@pytest.mark.backend
def test_keras_metrics_of_equal_embeddings_take_the_earlier_first():
    labels = np.array([0, 1, 1, 0])
    expected = as_tuple(zoo.retrieval(np.ones((4, 2)), labels))
    for make, column in METRICS.values():
        metric = make()
        metric.update_state(labels, np.ones((4, 2), "float32"))
        assert float(metric.result()) == pytest.approx(expected[column], rel=1e-6)


@pytest.mark.backend
def test_metrics_in_fit(data):
    x, labels = data
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(4, kernel_initializer="identity")])
    model.compile("sgd", loss=zoo.SupConLoss(), metrics=[zoo.RecallAtK(1), zoo.MeanReciprocalRank()])
    result = model.evaluate(x, labels, batch_size=60, verbose=0, return_dict=True)
    assert result["recall_at_1"] == pytest.approx(zoo.recall_at_k(x, labels), rel=1e-5)
    assert result["mean_reciprocal_rank"] == pytest.approx(zoo.mean_reciprocal_rank(x, labels), rel=1e-5)


def test_wrong_argument_is_refused():
    with pytest.raises(ValueError, match="k must be"):
        zoo.RecallAtK(0)
    with pytest.raises(ValueError, match="distance"):
        zoo.RPrecision(distance="dot")
