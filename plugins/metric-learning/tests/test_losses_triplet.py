"""The triplet loss: every triplet of a small batch in a loop, central differences, and what training does with it."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo_core.gradients import value_and_gradients
from zoo_metric_learning import MultiSimilarityMiner, TripletLoss

pytestmark = [pytest.mark.backend, pytest.mark.float64]

MININGS = ["hard", "semi-hard", "all", "semi-hard all", "hard all"]


def is_double() -> bool:
    return keras.config.floatx() == "float64"


def distance(one, other, kind, normalize=True):
    if normalize or kind == "cosine":
        one, other = one / np.linalg.norm(one), other / np.linalg.norm(other)
    if kind == "cosine":
        return 1 - one @ other
    squared = ((one - other) ** 2).sum()
    return squared if kind == "squared-euclidean" else np.sqrt(squared)


def triplets_of(anchor, labels, d, mining, margin):
    """The (positive, negative) pairs of one anchor."""
    positives = [i for i in range(len(labels)) if i != anchor and labels[i] == labels[anchor]]
    negatives = [i for i in range(len(labels)) if labels[i] != labels[anchor]]
    if not positives or not negatives:
        return []
    if mining == "hard":
        return [(max(positives, key=lambda i: d[anchor, i]), min(negatives, key=lambda i: d[anchor, i]))]
    if mining == "semi-hard":
        chosen = []
        for p in positives:
            beyond = [n for n in negatives if d[anchor, n] > d[anchor, p]]
            n = min(beyond, key=lambda i: d[anchor, i]) if beyond else max(negatives, key=lambda i: d[anchor, i])
            chosen.append((p, n))
        return chosen
    gaps = {(p, n): d[anchor, n] - d[anchor, p] for p in positives for n in negatives}
    kept = {"all": lambda gap: True, "semi-hard all": lambda gap: 0 < gap <= margin, "hard all": lambda gap: gap <= 0}
    return [pair for pair, gap in gaps.items() if kept[mining](gap)]


def reference(labels, x, *, margin, mining, kind="euclidean", soft=False, average="non-zero", normalize=True):
    d = np.array([[distance(one, other, kind, normalize) for other in x] for one in x])
    losses = []
    for anchor in range(len(labels)):
        for p, n in triplets_of(anchor, labels, d, mining, margin):
            excess = d[anchor, p] - d[anchor, n] + margin
            losses.append(np.log1p(np.exp(excess)) if soft else max(0.0, excess))
    losses = np.array(losses)
    count = (losses > 0).sum() if average == "non-zero" else len(losses)
    return losses.sum() / max(count, 1)


def batch(rng, size=14, classes=4, dimensions=3):
    return rng.permutation(np.arange(size) % classes), rng.standard_normal((size, dimensions))


def value_and_gradient(loss, labels, embeddings):
    variable = keras.Variable(embeddings)
    value, (gradient,) = value_and_gradients(lambda: loss(labels, variable), [variable])
    return float(value), keras.ops.convert_to_numpy(gradient)


@pytest.mark.parametrize("average", ["non-zero", "all"])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("mining", MININGS)
def test_loss_and_gradient_are_those_of_a_loop_over_triplets(rng, mining, soft, average):
    labels, x = batch(rng)
    value, gradient = value_and_gradient(TripletLoss(0.3, mining, soft_margin=soft, average=average), labels, x)
    settings = {"margin": 0.3, "mining": mining, "soft": soft, "average": average}
    assert value == pytest.approx(reference(labels, x, **settings), rel=1e-9 if is_double() else 2e-5)
    step, place = 1e-6, (5, 1)
    moved = [x.copy(), x.copy()]
    moved[0][place] += step
    moved[1][place] -= step
    slope = (reference(labels, moved[0], **settings) - reference(labels, moved[1], **settings)) / (2 * step)
    assert gradient[place] == pytest.approx(slope, rel=1e-6 if is_double() else 1e-3, abs=1e-7 if is_double() else 1e-5)


@pytest.mark.parametrize("kind", ["cosine", "squared-euclidean", "euclidean"])
@pytest.mark.parametrize("mining", MININGS)
def test_distances(rng, mining, kind):
    labels, x = batch(rng)
    normalize = kind == "cosine"
    value = float(TripletLoss(0.3, mining, kind, normalize=False)(labels, x))
    expected = reference(labels, x, margin=0.3, mining=mining, kind=kind, normalize=normalize)
    assert value == pytest.approx(expected, rel=1e-9 if is_double() else 2e-5)


def test_classes_of_any_size_are_counted(rng):
    """A class that is most of the batch, and one without positives."""
    labels = np.array([0] * 10 + [1] * 3 + [2])
    x = rng.standard_normal((14, 3))
    for mining in ("semi-hard", "all"):
        value = float(TripletLoss(0.2, mining)(labels, x))
        assert value == pytest.approx(
            reference(labels, x, margin=0.2, mining=mining), rel=1e-9 if is_double() else 2e-5
        )


def test_large_batch_is_compiled_to_the_same(rng):
    """From 64 samples on the loop is compiled, and compares with several positives at a time."""
    labels, x = batch(rng, size=70, classes=6)
    value, gradient = value_and_gradient(TripletLoss(0.2, "all"), labels, x)
    assert value == pytest.approx(reference(labels, x, margin=0.2, mining="all"), rel=1e-9 if is_double() else 2e-5)
    assert np.abs(gradient).max() > 0


def test_loss_and_gradient_are_zero_once_the_gap_exceeds_the_margin():
    labels = np.arange(14) % 2
    x = np.eye(2, 3)[labels] + np.linspace(0, 0.02, 14)[:, None]
    for mining in ("hard", "all"):
        value, gradient = value_and_gradient(TripletLoss(0.5, mining), labels, x)
        assert value == 0
        assert not gradient.any()


def test_identities_of_any_size_are_told_apart(rng):
    """Numbers above 2**24, of which float32 holds every second one."""
    labels, x = batch(rng)
    large = (2**24 + labels).astype("int32")
    assert float(TripletLoss(0.2)(large, x)) == float(TripletLoss(0.2)(labels, x)) > 0


def test_values_without_reduction_have_the_loss_as_their_mean(rng):
    labels, x = batch(rng)
    values = keras.ops.convert_to_numpy(TripletLoss(0.2, "all", reduction=None)(labels, x))
    assert values.shape == (14,)
    assert values.mean() == pytest.approx(float(TripletLoss(0.2, "all")(labels, x)), rel=1e-6)


def test_sample_weights_weigh_anchors(rng):
    labels, x = batch(rng)
    values = keras.ops.convert_to_numpy(TripletLoss(0.2, "all", reduction=None)(labels, x))
    weights = np.arange(14.0)
    weighted = float(TripletLoss(0.2, "all")(labels, x, sample_weight=weights))
    assert weighted == pytest.approx((values * weights).mean(), rel=1e-6)


def test_miner_leaves_out_pairs(rng):
    labels, x = batch(rng)
    miner = MultiSimilarityMiner(epsilon=0.0)
    positives, negatives = (keras.ops.convert_to_numpy(mask) > 0 for mask in miner(labels, x))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    d = np.linalg.norm(unit[:, None] - unit[None], axis=-1)
    excess = [
        d[a, p] - d[a, n] + 0.2
        for a in range(14)
        for p in np.flatnonzero(positives[a])
        for n in np.flatnonzero(negatives[a])
    ]
    expected = np.mean([value for value in excess if value > 0])
    assert float(TripletLoss(0.2, "all", miner=miner)(labels, x)) == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"margin": -0.1}, "margin"),
        ({"margin": float("nan")}, "margin"),
        ({"mining": "semihard"}, "'semi-hard'"),
        ({"distance": "manhattan"}, "'euclidean'"),
        ({"average": "mean"}, "'non-zero'"),
        ({"miner": "hard"}, "MultiSimilarityMiner"),
    ],
)
def test_wrong_argument_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TripletLoss(**arguments)


@pytest.mark.parametrize(
    ("labels", "shape", "message"),
    [
        (np.zeros((4, 3)), (4, 2), "argmax"),
        (np.zeros(4), (4, 2, 1), r"\(batch, dimensions\)"),
        (np.zeros(3), (4, 2), "3 labels and 4 embeddings"),
    ],
)
def test_wrong_shape_is_refused(labels, shape, message):
    with pytest.raises(ValueError, match=message):
        TripletLoss()(labels, np.ones(shape))


def test_fit_separates_the_classes(rng):
    """In float32, since mixed policies are what `zoo check` tries."""
    labels = np.arange(32) % 4
    x = rng.standard_normal((32, 6)) + 2 * np.eye(6)[labels]
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.Adam(0.05), loss=TripletLoss(mining="hard"))
    losses = model.fit(x, labels, batch_size=32, epochs=6, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
