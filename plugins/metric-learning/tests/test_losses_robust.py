"""Batches that break a careless implementation: the loss and its gradient are finite, whatever the precision."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo_metric_learning as zoo
from zoo_core.gradients import value_and_gradients

pytestmark = pytest.mark.backend

LOSSES = {
    **{f"triplet {mining}": (zoo.TripletLoss, {"mining": mining}) for mining in ("hard", "semi-hard", "all")},
    "triplet soft": (zoo.TripletLoss, {"mining": "all", "soft_margin": True}),
    "triplet long": (zoo.TripletLoss, {"mining": "semi-hard all", "normalize": False}),
    "contrastive": (zoo.ContrastiveLoss, {}),
    "contrastive squared": (zoo.ContrastiveLoss, {"squared": True, "normalize": False}),
    "n-pairs": (zoo.NPairsLoss, {"regularization": 0.1}),
    "multi-similarity": (zoo.MultiSimilarityLoss, {"miner": zoo.MultiSimilarityMiner()}),
    "nt-xent": (zoo.NTXentLoss, {}),
    "sup-con": (zoo.SupConLoss, {"miner": zoo.TripletMarginMiner()}),
    "sup-con dot": (zoo.SupConLoss, {"normalize": False}),
}

ones = np.ones((4, 3))
far = np.array([[200.0, -200.0, 200.0], [-200.0, 200.0, -200.0], [200.0, 200.0, 200.0], [-200.0, -200.0, -200.0]])
BATCHES = {
    "empty": (np.zeros(0, "int32"), np.zeros((0, 3))),
    "one sample": ([3], ones[:1]),
    "one class": ([1, 1, 1, 1], np.eye(4, 3) + 0.1),
    "all different": ([0, 1, 2, 3], np.eye(4, 3) + 0.1),
    "identical": ([0, 0, 1, 1], ones),
    "all zero": ([0, 0, 1, 1], 0 * ones),
    "negative labels": ([-1, -1, 7, 7], np.eye(4, 3) + 0.1),
    "opposite and long": ([0, 0, 1, 1], far),
    "column of labels": ([[0], [0], [1], [1]], np.eye(4, 3)),
}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("name", BATCHES)
def test_every_loss_is_finite(name, dtype):
    labels, embeddings = BATCHES[name]
    variable = keras.Variable(embeddings.astype("float32"), dtype=dtype)
    for kind, (make, arguments) in LOSSES.items():
        loss = make(**arguments)
        value, (gradient,) = value_and_gradients(
            lambda loss=loss: keras.ops.sum(loss(np.array(labels), keras.ops.convert_to_tensor(variable))), [variable]
        )
        assert np.isfinite(float(value)), kind
        finite = keras.ops.isfinite(keras.ops.cast(gradient, "float32"))
        assert bool(keras.ops.all(finite)), kind
        assert tuple(gradient.shape) == embeddings.shape
        if name in ("empty", "one sample"):
            assert float(value) == (0 if kind != "n-pairs" else pytest.approx(0)), kind


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("make", [zoo.ArcFaceLoss, zoo.AMSoftmaxLoss, zoo.SimplerASoftmaxLoss])
def test_margins_are_finite_at_the_ends(make, dtype):
    variable = keras.Variable(np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, 1.0], [0.0, 0.0]]), dtype=dtype)
    labels = np.array([0, 0, 1, 1])
    value, (gradient,) = value_and_gradients(lambda: make()(labels, keras.ops.convert_to_tensor(variable)), [variable])
    assert np.isfinite(float(value))
    assert bool(keras.ops.all(keras.ops.isfinite(keras.ops.cast(gradient, "float32"))))


def test_info_nce_of_nothing_and_of_one_row():
    for rows, expected in ((0, 0), (1, 0)):
        value = keras.ops.sum(zoo.InfoNCELoss()(np.ones((rows, 3), "float32"), np.ones((rows, 3), "float32")))
        assert float(value) == pytest.approx(expected)
