"""Margin softmax: the losses over cosines, and the layers that hold the class weights."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo_metric_learning as zoo
from zoo_core.gradients import value_and_gradients

pytestmark = [pytest.mark.backend, pytest.mark.float64]

PSI = {
    "AMSoftmax": lambda cosine: cosine - 0.35,
    "ArcFace": lambda cosine: (
        np.cos(np.arccos(cosine) + 0.5) if np.arccos(cosine) <= np.pi - 0.5 else cosine - 0.5 * np.sin(0.5)
    ),
    "SimplerASoftmax": lambda cosine: min(np.cos(4 * np.arccos(cosine)), cosine),
}
SCALES = {"AMSoftmax": 30, "ArcFace": 64, "SimplerASoftmax": 30}


def is_double() -> bool:
    return keras.config.floatx() == "float64"


def reference(labels, cosines, psi, scale):
    losses = []
    for label, row in zip(labels, cosines, strict=True):
        logits = scale * np.array([psi(cosine) if j == label else cosine for j, cosine in enumerate(row)])
        losses.append(np.log(np.exp(logits - logits[label]).sum()))
    return np.mean(losses)


@pytest.mark.parametrize("name", PSI)
def test_loss_is_the_cross_entropy_with_a_lower_cosine(rng, name):
    labels, cosines = np.arange(9) % 4, rng.uniform(-0.99, 0.99, (9, 4))
    variable = keras.Variable(cosines)
    loss = getattr(zoo, f"{name}Loss")()
    value, (gradient,) = value_and_gradients(lambda: loss(labels, variable), [variable])
    arguments = PSI[name], SCALES[name]
    assert float(value) == pytest.approx(reference(labels, cosines, *arguments), rel=1e-8 if is_double() else 1e-5)
    step = np.zeros_like(cosines)
    step[3, 3] = 1e-6
    slope = (reference(labels, cosines + step, *arguments) - reference(labels, cosines - step, *arguments)) / 2e-6
    found = keras.ops.convert_to_numpy(gradient)[3, 3]
    assert found == pytest.approx(slope, rel=1e-5 if is_double() else 1e-3, abs=1e-7 if is_double() else 1e-4)


def test_no_margin_is_the_cross_entropy_of_the_scaled_cosines(rng):
    labels, cosines = np.arange(6) % 3, rng.uniform(-1, 1, (6, 3))
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, 30 * cosines)
    for loss in (zoo.AMSoftmaxLoss(margin=0), zoo.ArcFaceLoss(margin=0, scale=30)):
        assert float(loss(labels, cosines)) == pytest.approx(float(plain), rel=1e-6 if is_double() else 1e-5)


def test_label_out_of_range_is_refused_where_it_is_seen():
    cosines = np.zeros((2, 3), "float32")
    for labels in ([0, 3], [-1, 0]):
        with pytest.raises(ValueError, match="labels are 0 to 2"):
            zoo.ArcFaceLoss()(np.array(labels), cosines)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="nothing is compiled: the label is seen, and refused")
def test_label_out_of_range_counts_nothing_where_it_is_not_seen(rng):
    x = rng.standard_normal((4, 2))
    model = keras.Sequential([keras.Input((2,)), zoo.CosineClassifier(3)])
    model.compile("sgd", loss=zoo.AMSoftmaxLoss())
    mixed = model.evaluate(x, np.array([0, 1, 3, -1]), batch_size=4, verbose=0)
    known = model.evaluate(x[:2], np.array([0, 1]), verbose=0)
    assert mixed == pytest.approx(known / 2, rel=1e-5)


@pytest.mark.parametrize("name", PSI)
def test_layer_and_loss_agree(rng, name):
    """The layer's logits in training, under plain cross-entropy; without labels and in inference, plain cosines."""
    labels, x = np.arange(8, dtype="int32") % 3, rng.standard_normal((8, 5))
    layer = getattr(zoo, name)(3)
    classifier = zoo.CosineClassifier(3)
    classifier.build((None, 5))
    logits = layer([x, labels], training=True)
    classifier.class_weights.assign(layer.class_weights)
    cosines = classifier(x)
    loss = getattr(zoo, f"{name}Loss")()(labels, cosines)
    expected = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    found, expected = (keras.ops.convert_to_numpy(value) for value in (loss, expected))
    assert found == pytest.approx(expected, rel=1e-9 if is_double() else 1e-5)
    plain = SCALES[name] * keras.ops.convert_to_numpy(cosines)
    for outputs in (layer(x), layer([x, labels]), layer([x, labels], training=False)):
        np.testing.assert_allclose(keras.ops.convert_to_numpy(outputs), plain, rtol=1e-5, atol=1e-5)


def test_class_weights_are_trained_by_the_loss(rng):
    labels = np.arange(24) % 3
    x = rng.standard_normal((24, 4)) + 3 * np.eye(4)[labels]
    model = keras.Sequential([keras.Input((4,)), zoo.CosineClassifier(3)])
    before = keras.ops.convert_to_numpy(model.layers[0].class_weights).copy()
    model.compile(keras.optimizers.Adam(0.1), loss=zoo.ArcFaceLoss(margin=0.2, scale=8), metrics=["accuracy"])
    history = model.fit(x, labels, batch_size=24, epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert np.abs(keras.ops.convert_to_numpy(model.layers[0].class_weights) - before).max() > 0.01
    assert 0 <= history["accuracy"][-1] <= 1


def test_labels_are_a_second_input_of_a_functional_model(rng):
    labels = (np.arange(12) % 3).astype("int32")
    x = (rng.standard_normal((12, 4)) + 3 * np.eye(4)[labels]).astype("float32")
    inputs, classes = keras.Input((4,)), keras.Input((), dtype="int32")
    embeddings = keras.layers.Dense(4)(inputs)
    head = zoo.ArcFace(3, scale=8)
    model = keras.Model([inputs, classes], head([embeddings, classes]))
    model.compile(keras.optimizers.Adam(0.05), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit([x, labels], labels, batch_size=12, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    logits = keras.Model(inputs, head(embeddings)).predict(x, verbose=0)
    np.testing.assert_allclose(logits, model.predict([x, labels], verbose=0), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (zoo.ArcFaceLoss, {"margin": 28.6}),
        (zoo.ArcFaceLoss, {"scale": 0}),
        (zoo.AMSoftmaxLoss, {"margin": -0.1}),
        (zoo.SimplerASoftmaxLoss, {"scale": -1}),
    ],
)
def test_wrong_argument_is_refused(make, arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        make(**arguments)
    with pytest.raises(ValueError, match=next(iter(arguments))):
        getattr(zoo, make.__name__.removesuffix("Loss"))(3, **arguments)


@pytest.mark.parametrize("make", [zoo.CosineClassifier, zoo.ArcFace, zoo.AMSoftmax, zoo.SimplerASoftmax])
def test_number_of_classes_is_at_least_one(make):
    with pytest.raises(ValueError, match="classes"):
        make(0)
