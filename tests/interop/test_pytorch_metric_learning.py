"""Losses, miners, memory and metrics beside those of pytorch-metric-learning: values and gradients, in float64."""

from __future__ import annotations

import math

import keras
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("pytorch_metric_learning")

from pytorch_metric_learning import distances, losses, miners, reducers  # noqa: E402
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator  # noqa: E402
from pytorch_metric_learning.utils.inference import CustomKNN  # noqa: E402

import zoo_metric_learning as zoo  # noqa: E402
from zoo_core.gradients import value_and_gradients  # noqa: E402
from zoo_metric_learning.distances import similarities  # noqa: E402

pytestmark = [
    pytest.mark.interop,
    # Of what pytorch-metric-learning imports.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

TOLERANCE = 1e-6
SIZES = [(24, 4), (9, 5), (30, 2), (6, 3), (70, 6)]
"""Batch sizes, and numbers of classes: balanced, with single samples, large classes, two of each, and compiled ones."""


def batch(size: int, classes: int, dimensions: int = 6) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.Generator(np.random.Philox(size + classes))
    embeddings = generator.standard_normal((size, dimensions))
    return embeddings, generator.permutation(np.arange(size) % classes)


def ours(loss, labels, embeddings):
    """Value and gradient of one of our losses."""
    variable = keras.Variable(embeddings, dtype="float64")
    value, (gradient,) = value_and_gradients(lambda: loss(labels, variable), [variable])
    return float(value), keras.ops.convert_to_numpy(gradient)


def theirs(loss, labels, embeddings, miner=None):
    """Value and gradient of one of theirs."""
    tensor = torch.tensor(embeddings, requires_grad=True)
    classes = torch.tensor(labels)
    value = loss(tensor, classes, miner(tensor, classes)) if miner else loss(tensor, classes)
    value.backward()
    return value.item(), tensor.grad.numpy()


def assert_equal(one, other):
    assert one[0] == pytest.approx(other[0], rel=TOLERANCE, abs=TOLERANCE)
    np.testing.assert_allclose(one[1], other[1], rtol=TOLERANCE, atol=TOLERANCE)


DISTANCES = {
    "euclidean": distances.LpDistance,
    "cosine": distances.CosineSimilarity,
    "squared-euclidean": lambda: distances.LpDistance(power=2),
}

TRIPLETS = {
    "all": None,
    "semi-hard all": lambda distance: miners.TripletMarginMiner(0.2, "semihard", distance=distance),
    "hard all": lambda distance: miners.TripletMarginMiner(0.2, "hard", distance=distance),
    "hard": lambda distance: miners.BatchHardMiner(distance=distance),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("mining", TRIPLETS)
def test_triplet_loss(mining, distance, size):
    embeddings, labels = batch(*size)
    miner = TRIPLETS[mining] and TRIPLETS[mining](DISTANCES[distance]())
    peer = losses.TripletMarginLoss(0.2, distance=DISTANCES[distance]())
    loss = zoo.TripletLoss(0.2, mining, distance, dtype="float64")
    assert_equal(ours(loss, labels, embeddings), theirs(peer, labels, embeddings, miner))


@pytest.mark.parametrize("mining", TRIPLETS)
def test_triplet_loss_with_soft_margin_averaged_over_all(mining):
    embeddings, labels = batch(24, 4)
    miner = TRIPLETS[mining] and TRIPLETS[mining](distances.LpDistance())
    peer = losses.TripletMarginLoss(0.2, smooth_loss=True, reducer=reducers.MeanReducer())
    loss = zoo.TripletLoss(0.2, mining, soft_margin=True, average="all", dtype="float64")
    assert_equal(ours(loss, labels, embeddings), theirs(peer, labels, embeddings, miner))


def test_triplet_loss_averaged_over_all_triplets():
    embeddings, labels = batch(24, 4)
    peer = losses.TripletMarginLoss(0.2, reducer=reducers.MeanReducer())
    assert_equal(
        ours(zoo.TripletLoss(0.2, "all", average="all", dtype="float64"), labels, embeddings),
        theirs(peer, labels, embeddings),
    )


def test_triplet_loss_of_embeddings_of_any_length():
    embeddings, labels = batch(24, 4)
    peer = losses.TripletMarginLoss(0.5, distance=distances.LpDistance(normalize_embeddings=False))
    loss = zoo.TripletLoss(0.5, "all", normalize=False, dtype="float64")
    assert_equal(ours(loss, labels, embeddings), theirs(peer, labels, embeddings))


PAIR_LOSSES = {
    "contrastive": (lambda **k: zoo.ContrastiveLoss(0.1, 1.2, **k), lambda: losses.ContrastiveLoss(0.1, 1.2)),
    "contrastive, cosine": (
        lambda **k: zoo.ContrastiveLoss(0.1, 0.7, "cosine", **k),
        lambda: losses.ContrastiveLoss(0.9, 0.3, distance=distances.CosineSimilarity()),
    ),
    "multi-similarity": (zoo.MultiSimilarityLoss, losses.MultiSimilarityLoss),
    "nt-xent": (zoo.NTXentLoss, losses.NTXentLoss),
    "sup-con": (zoo.SupConLoss, losses.SupConLoss),
}

MINERS = {
    "multi-similarity": (zoo.MultiSimilarityMiner, miners.MultiSimilarityMiner),
    "batch-hard": (zoo.BatchHardMiner, miners.BatchHardMiner),
    "pair margin": (lambda: zoo.PairMarginMiner(1.1, 1.3), lambda: miners.PairMarginMiner(1.1, 1.3)),
    "triplets, all": (lambda: zoo.TripletMarginMiner(0.2, "all"), lambda: miners.TripletMarginMiner(0.2, "all")),
    "triplets, hard": (lambda: zoo.TripletMarginMiner(0.2, "hard"), lambda: miners.TripletMarginMiner(0.2, "hard")),
    "triplets, semi-hard": (
        lambda: zoo.TripletMarginMiner(0.2, "semi-hard"),
        lambda: miners.TripletMarginMiner(0.2, "semihard"),
    ),
    "triplets, easy": (lambda: zoo.TripletMarginMiner(0.2, "easy"), lambda: miners.TripletMarginMiner(0.2, "easy")),
}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_loss_over_pairs(name, size):
    embeddings, labels = batch(*size)
    mine, peer = PAIR_LOSSES[name]
    assert_equal(ours(mine(dtype="float64"), labels, embeddings), theirs(peer(), labels, embeddings))


@pytest.mark.parametrize("miner", MINERS)
@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_loss_over_mined_pairs(name, miner):
    embeddings, labels = batch(24, 4)
    mine, peer = PAIR_LOSSES[name]
    our_miner, their_miner = (make() for make in MINERS[miner])
    result = ours(mine(miner=our_miner, dtype="float64"), labels, embeddings)
    expected = theirs(peer(), labels, embeddings, their_miner)
    if name == "sup-con" and miner.startswith("triplets"):
        # Theirs sees each pair once, ours as often as it is part of a triplet.
        assert math.isfinite(result[0])
        return
    assert_equal(result, expected)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("miner", MINERS)
def test_miner(miner, size):
    embeddings, labels = batch(*size)
    our_miner, their_miner = (make() for make in MINERS[miner])
    found = their_miner(torch.tensor(embeddings), torch.tensor(labels))
    if len(found) == 3:
        found = (found[0], found[1], found[0], found[2])
    expected = np.zeros((2, len(labels), len(labels)))
    np.add.at(expected[0], (found[0].numpy(), found[1].numpy()), 1)
    np.add.at(expected[1], (found[2].numpy(), found[3].numpy()), 1)
    positives, negatives = our_miner(labels, embeddings)
    if miner == "batch-hard":
        expected = expected > 0
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(positives), expected[0])
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(negatives), expected[1])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("normalize", [False, True])
def test_n_pairs_loss(normalize, size):
    embeddings, labels = batch(*size)
    distance = distances.CosineSimilarity() if normalize else distances.DotProductSimilarity(normalize_embeddings=False)
    peer = losses.NPairsLoss(distance=distance)
    loss = zoo.NPairsLoss(normalize=normalize, dtype="float64")
    assert_equal(ours(loss, labels, embeddings), theirs(peer, labels, embeddings))


def test_info_nce_is_their_nt_xent_of_two_views():
    queries, _labels = batch(12, 3)
    keys = queries + 0.3 * batch(12, 4)[0]
    variables = [keras.Variable(queries, dtype="float64"), keras.Variable(keys, dtype="float64")]
    loss = zoo.InfoNCELoss(0.1, symmetric=False, dtype="float64")
    value, gradients = value_and_gradients(lambda: loss(variables[1], variables[0]), variables)
    tensors = [torch.tensor(array, requires_grad=True) for array in (queries, keys)]
    expected = losses.SelfSupervisedLoss(losses.NTXentLoss(0.1), symmetric=False)(*tensors)
    expected.backward()
    for gradient, tensor in zip(gradients, tensors, strict=True):
        assert_equal((float(value), keras.ops.convert_to_numpy(gradient)), (expected.item(), tensor.grad.numpy()))


MARGINS = {
    "ArcFace": (
        lambda: zoo.ArcFaceLoss(margin=math.radians(28.6), scale=64, dtype="float64"),
        lambda: losses.ArcFaceLoss(5, 6, margin=28.6, scale=64),
    ),
    "AM-softmax": (
        lambda: zoo.AMSoftmaxLoss(margin=0.35, scale=30, dtype="float64"),
        lambda: losses.CosFaceLoss(5, 6, margin=0.35, scale=30),
    ),
}


@pytest.mark.parametrize("name", MARGINS)
def test_margin_softmax(name):
    embeddings, labels = batch(24, 5)
    # Some opposite to their class, where ArcFace changes its form.
    class_weights = batch(5, 2)[0]
    embeddings[:3] = -class_weights[labels[:3]]
    embeddings[:3] += 0.1 * batch(3, 1)[0]
    ours_of, theirs_of = MARGINS[name]
    peer = theirs_of()
    peer.W = torch.nn.Parameter(torch.tensor(class_weights.T.copy()))
    tensor = torch.tensor(embeddings, requires_grad=True)
    expected = peer(tensor, torch.tensor(labels))
    expected.backward()

    variables = [keras.Variable(embeddings, dtype="float64"), keras.Variable(class_weights, dtype="float64")]
    loss = ours_of()

    def compute():
        cosines = similarities(*(keras.ops.convert_to_tensor(variable) for variable in variables))
        return loss(labels, cosines)

    value, gradients = value_and_gradients(compute, variables)
    for gradient, wanted in zip(gradients, (tensor.grad, peer.W.grad.T), strict=True):
        assert_equal((float(value), keras.ops.convert_to_numpy(gradient)), (expected.item(), wanted.numpy()))


@pytest.mark.parametrize("name", ["contrastive", "multi-similarity", "nt-xent", "sup-con", "triplets"])
def test_cross_batch_memory(name):
    triplets = (lambda: zoo.TripletLoss(0.2, "all"), lambda: losses.TripletMarginLoss(0.2))
    mine, peer = {**PAIR_LOSSES, "triplets": triplets}[name]
    memory = zoo.CrossBatchMemory(mine(), size=20, batch_weight=0)
    their_memory = losses.CrossBatchMemory(peer(), embedding_size=6, memory_size=20)
    for number in range(5):
        embeddings, labels = batch(8 + number, 3)
        embeddings = embeddings.astype("float32")
        memory([embeddings, labels.astype("int32")], training=True)
        expected = their_memory(torch.tensor(embeddings), torch.tensor(labels)).item()
        # Single precision, since the memory is.
        assert float(memory.losses[0]) == pytest.approx(expected, rel=2e-5, abs=2e-6)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("own_references", [False, True])
def test_metrics(distance, own_references):
    embeddings, labels = batch(200, 9, dimensions=4)
    embeddings[::9] += 1
    # One class has but one sample.
    labels[0] = 77
    peer_distance = {
        "cosine": distances.CosineSimilarity,
        "euclidean": lambda: distances.LpDistance(normalize_embeddings=False),
    }
    names = ("precision_at_1", "r_precision", "mean_average_precision_at_r", "mean_reciprocal_rank")
    calculator = AccuracyCalculator(
        include=names, device=torch.device("cpu"), knn_func=CustomKNN(peer_distance[distance]()), kmeans_func=object()
    )
    if own_references:
        expected = calculator.get_accuracy(embeddings, labels)
        found = zoo.retrieval(embeddings, labels, distance=distance, chunk=64)
    else:
        sets = (embeddings[:60], labels[:60], embeddings[60:], labels[60:])
        expected = calculator.get_accuracy(*sets)
        found = zoo.retrieval(*sets, distance=distance, chunk=64)
    assert found.recall_at(1) == pytest.approx(expected["precision_at_1"], abs=TOLERANCE)
    assert found.r_precision == pytest.approx(expected["r_precision"], abs=TOLERANCE)
    assert found.map_at_r == pytest.approx(expected["mean_average_precision_at_r"], abs=TOLERANCE)
    assert found.mean_reciprocal_rank == pytest.approx(expected["mean_reciprocal_rank"], abs=TOLERANCE)


def test_sup_con_of_one_class_differs():
    """Theirs is 0 without negatives, ours the paper's formula, in which other positives are rivals."""
    embeddings, labels = batch(8, 1)
    assert theirs(losses.SupConLoss(), labels, embeddings)[0] == 0
    assert ours(zoo.SupConLoss(dtype="float64"), labels, embeddings)[0] > 0.1
