"""Losses over pairs: loops over the pairs of a small batch, closed forms, gradients by central differences."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo_metric_learning as zoo
from zoo_core.gradients import value_and_gradients

pytestmark = [pytest.mark.backend, pytest.mark.float64]


def is_double() -> bool:
    return keras.config.floatx() == "float64"


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def pairs_of(anchor, labels):
    others = [i for i in range(len(labels)) if i != anchor]
    return [i for i in others if labels[i] == labels[anchor]], [i for i in others if labels[i] != labels[anchor]]


def contrastive(labels, x, positive_margin=0.2, negative_margin=1.3, power=1):
    terms = ([], [])
    for a in range(len(x)):
        for side, (others, sign, margin) in enumerate(
            zip(pairs_of(a, labels), (1, -1), (positive_margin, negative_margin), strict=True)
        ):
            for i in others:
                excess = sign * (np.linalg.norm(unit(x[a]) - unit(x[i])) - margin)
                if excess > 0:
                    terms[side].append(excess**power)
    return sum(np.mean(side) if side else 0.0 for side in terms)


def multi_similarity(labels, x, alpha=2, beta=20, base=0.4):
    total = 0.0
    for a in range(len(x)):
        positives, negatives = pairs_of(a, labels)
        s = unit(x) @ unit(x[a])
        total += np.log(1 + sum(np.exp(-alpha * (s[p] - base)) for p in positives)) / alpha
        total += np.log(1 + sum(np.exp(beta * (s[n] - base)) for n in negatives)) / beta
    return total / len(x)


def nt_xent(labels, x, temperature=0.3):
    losses = []
    for a in range(len(x)):
        positives, negatives = pairs_of(a, labels)
        e = np.exp(unit(x) @ unit(x[a]) / temperature)
        losses += [-np.log(e[p] / (e[p] + e[negatives].sum())) for p in positives]
    return np.mean(losses)


def sup_con(labels, x, temperature=0.3):
    losses = []
    for a in range(len(x)):
        positives, negatives = pairs_of(a, labels)
        e = np.exp(unit(x) @ unit(x[a]) / temperature)
        if positives:
            losses.append(-np.mean([np.log(e[p] / e[positives + negatives].sum()) for p in positives]))
    return np.mean(losses)


def n_pairs(labels, x, regularization=0.05):
    firsts = [np.flatnonzero(labels == c)[:2] for c in np.unique(labels) if (labels == c).sum() > 1]
    losses = []
    for i, (a, p) in enumerate(firsts):
        products = np.array([x[a] @ x[other] for _, other in firsts])
        losses.append(np.log(np.exp(products - products[i]).sum()))
        losses[-1] += regularization * (x[a] @ x[a] + x[p] @ x[p]) / 2
    return np.mean(losses)


CASES = {
    "contrastive": (lambda: zoo.ContrastiveLoss(0.2, 1.3), contrastive),
    "contrastive squared": (
        lambda: zoo.ContrastiveLoss(0.2, 1.3, squared=True),
        lambda labels, x: contrastive(labels, x, power=2),
    ),
    "multi-similarity": (lambda: zoo.MultiSimilarityLoss(2, 20, 0.4), multi_similarity),
    "n-pairs": (lambda: zoo.NPairsLoss(regularization=0.05), n_pairs),
    "nt-xent": (lambda: zoo.NTXentLoss(0.3), nt_xent),
    "sup-con": (lambda: zoo.SupConLoss(0.3), sup_con),
}


@pytest.mark.parametrize("classes", [3, 9])
@pytest.mark.parametrize("name", CASES)
def test_loss_and_gradient_are_those_of_a_loop_over_pairs(rng, name, classes):
    make, reference = CASES[name]
    labels, x = rng.permutation(np.arange(14) % classes), rng.standard_normal((14, 3))
    variable = keras.Variable(x)
    value, (gradient,) = value_and_gradients(lambda: make()(labels, variable), [variable])
    assert float(value) == pytest.approx(reference(labels, x), rel=1e-9 if is_double() else 2e-5)
    gradient = keras.ops.convert_to_numpy(gradient)
    for place in ((5, 1), (2, 0)):
        step = np.zeros_like(x)
        step[place] = 1e-6
        slope = (reference(labels, x + step) - reference(labels, x - step)) / 2e-6
        tolerance = {"rel": 1e-6, "abs": 1e-8} if is_double() else {"rel": 2e-3, "abs": 2e-5}
        assert gradient[place] == pytest.approx(slope, **tolerance)


def test_nt_xent_of_indistinguishable_samples_is_the_log_of_the_rivals():
    """Two classes of two: one positive against two negatives, all at the same cosine."""
    value = float(zoo.NTXentLoss()(np.array([0, 0, 1, 1]), np.ones((4, 2))))
    assert value == pytest.approx(np.log(3), rel=1e-6)


def test_sup_con_of_indistinguishable_samples_is_the_log_of_the_others():
    assert float(zoo.SupConLoss()(np.array([0, 0, 1, 1]), np.ones((4, 2)))) == pytest.approx(np.log(3), rel=1e-6)


def test_contrastive_of_one_pair_is_its_distance():
    x = np.array([[3.0, 0.0], [0.0, 4.0]])
    assert float(zoo.ContrastiveLoss(normalize=False)(np.array([5, 5]), x)) == pytest.approx(5)
    assert float(zoo.ContrastiveLoss(0, 7, normalize=False)(np.array([5, 6]), x)) == pytest.approx(2)


def test_multi_similarity_of_orthogonal_classes():
    x = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    expected = np.log(1 + np.exp(-1)) / 2 + np.log(1 + 2 * np.exp(-25)) / 50
    assert float(zoo.MultiSimilarityLoss()(np.array([0, 0, 1, 1]), x)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("symmetric", [False, True])
def test_info_nce_is_the_cross_entropy_of_the_diagonal(rng, symmetric):
    targets, x = rng.standard_normal((2, 14, 3))
    logits = unit(x) @ unit(targets).T / 0.2

    def cross_entropy(rows):
        return -np.mean(np.diag(rows - np.log(np.exp(rows).sum(axis=1, keepdims=True))))

    expected = (cross_entropy(logits) + cross_entropy(logits.T)) / 2 if symmetric else cross_entropy(logits)
    value = float(zoo.InfoNCELoss(0.2, symmetric=symmetric)(targets, x))
    assert value == pytest.approx(expected, rel=1e-9 if is_double() else 1e-5)


def test_info_nce_trains_both_sides(rng):
    sides = [keras.Variable(side) for side in rng.standard_normal((2, 14, 3))]
    _value, gradients = value_and_gradients(lambda: zoo.InfoNCELoss()(sides[0], sides[1]), sides)
    assert all(np.abs(keras.ops.convert_to_numpy(gradient)).max() > 1e-3 for gradient in gradients)


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (zoo.ContrastiveLoss, {"positive_margin": -1}),
        (zoo.ContrastiveLoss, {"negative_margin": float("inf")}),
        (zoo.ContrastiveLoss, {"distance": "l1"}),
        (zoo.MultiSimilarityLoss, {"alpha": 0}),
        (zoo.MultiSimilarityLoss, {"base": float("nan")}),
        (zoo.NTXentLoss, {"temperature": 0}),
        (zoo.SupConLoss, {"temperature": "0.1"}),
        (zoo.InfoNCELoss, {"temperature": -1}),
        (zoo.NPairsLoss, {"regularization": -1}),
    ],
)
def test_wrong_argument_is_refused(make, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        make(**arguments)


def test_info_nce_refuses_batches_of_different_size():
    with pytest.raises(ValueError, match="same shape"):
        zoo.InfoNCELoss()(np.ones((3, 2)), np.ones((4, 2)))


def test_a_loss_with_its_miner_comes_back_out_of_its_configuration(rng):
    loss = zoo.MultiSimilarityLoss(miner=zoo.TripletMarginMiner(0.3, "easy"))
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert again.get_config() == loss.get_config()
    labels, x = np.arange(14) % 3, rng.standard_normal((14, 3))
    assert float(again(labels, x)) == float(loss(labels, x))
