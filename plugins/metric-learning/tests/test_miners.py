"""Miners: which pairs they keep of a batch, told from a loop over its pairs."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo_metric_learning as zoo

pytestmark = [pytest.mark.backend, pytest.mark.float64]


def weights(miner, labels, x):
    return tuple(keras.ops.convert_to_numpy(mask) for mask in miner(labels, x))


@pytest.fixture
def batch(rng):
    x = rng.standard_normal((14, 3))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 9, 0])
    return labels, x, np.linalg.norm(unit[:, None] - unit[None], axis=-1)


def sides(anchor, labels):
    others = np.arange(len(labels)) != anchor
    same = labels == labels[anchor]
    return np.flatnonzero(same & others), np.flatnonzero(~same)


def test_batch_hard_keeps_one_pair_of_each_kind(batch):
    labels, x, d = batch
    expected = np.zeros((2, 14, 14))
    for a in range(14):
        positives, negatives = sides(a, labels)
        if len(positives):
            expected[0, a, max(positives, key=lambda i: d[a, i])] = 1
            expected[1, a, min(negatives, key=lambda i: d[a, i])] = 1
    np.testing.assert_array_equal(weights(zoo.BatchHardMiner(), labels, x), expected)


@pytest.mark.parametrize("kind", ["all", "hard", "semi-hard", "easy"])
def test_triplet_miner_counts_the_triplets_of_each_pair(batch, kind):
    labels, x, d = batch
    expected = np.zeros((2, 14, 14))
    for a in range(14):
        positives, negatives = sides(a, labels)
        for p in positives:
            for n in negatives:
                gap = d[a, n] - d[a, p]
                if {"all": gap <= 0.2, "hard": gap <= 0, "semi-hard": 0 < gap <= 0.2, "easy": gap > 0.2}[kind]:
                    expected[0, a, p] += 1
                    expected[1, a, n] += 1
    np.testing.assert_array_equal(weights(zoo.TripletMarginMiner(0.2, kind), labels, x), expected)


def test_semi_hard_miner_chooses_one_negative_for_each_positive(batch):
    labels, x, d = batch
    expected = np.zeros((2, 14, 14))
    for a in range(14):
        positives, negatives = sides(a, labels)
        for p in positives:
            beyond = [n for n in negatives if d[a, n] > d[a, p]]
            n = min(beyond, key=lambda i: d[a, i]) if beyond else max(negatives, key=lambda i: d[a, i])
            expected[0, a, p] = 1
            expected[1, a, n] += 1
    np.testing.assert_array_equal(weights(zoo.SemiHardMiner(), labels, x), expected)


def test_multi_similarity_miner_compares_with_the_hardest_of_the_other_kind(batch):
    labels, x, d = batch
    cosine = 1 - d**2 / 2
    expected = np.zeros((2, 14, 14))
    for a in range(14):
        positives, negatives = sides(a, labels)
        for p in positives:
            expected[0, a, p] = cosine[a, p] - 0.1 < max(cosine[a, n] for n in negatives)
        for n in negatives:
            expected[1, a, n] = len(positives) and cosine[a, n] + 0.1 > min(cosine[a, p] for p in positives)
    np.testing.assert_array_equal(weights(zoo.MultiSimilarityMiner(0.1), labels, x), expected)


def test_pair_margin_miner_keeps_what_lies_on_the_wrong_side(batch):
    labels, x, d = batch
    expected = np.zeros((2, 14, 14))
    for a in range(14):
        positives, negatives = sides(a, labels)
        expected[0, a, positives] = d[a, positives] > 1.0
        expected[1, a, negatives] = d[a, negatives] < 0.9
    np.testing.assert_array_equal(weights(zoo.PairMarginMiner(1.0, 0.9), labels, x), expected)


MINERS = [zoo.BatchHardMiner, zoo.TripletMarginMiner, zoo.SemiHardMiner, zoo.MultiSimilarityMiner, zoo.PairMarginMiner]


@pytest.mark.parametrize("make", MINERS)
def test_no_pairs_are_made_up(make):
    """One class, all different: nothing that is no pair gets a weight."""
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    for labels in ([0, 0, 0], [0, 1, 2]):
        positives, negatives = weights(make(), np.array(labels), x)
        same = np.equal.outer(labels, labels)
        assert not positives[~same | np.eye(3, dtype=bool)].any()
        assert not negatives[same].any()


@pytest.mark.parametrize("make", MINERS)
def test_configuration_makes_the_same_miner(make):
    miner = make(distance="cosine")
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(miner))
    assert type(again) is make
    assert again.get_config() == miner.get_config()


def test_wrong_argument_is_refused():
    for make, arguments in (
        (zoo.TripletMarginMiner, {"margin": -1}),
        (zoo.TripletMarginMiner, {"kind": "semihard"}),
        (zoo.MultiSimilarityMiner, {"epsilon": -1}),
        (zoo.PairMarginMiner, {"negative_margin": -1}),
        (zoo.BatchHardMiner, {"distance": "l2"}),
    ):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            make(**arguments)
