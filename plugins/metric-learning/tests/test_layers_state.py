"""Center loss, cross-batch memory, added losses: that their state moves as it should, in training and only there."""

from __future__ import annotations

import keras
import numpy as np
import pytest

import zoo_metric_learning as zoo
from zoo_core.gradients import value_and_gradients

pytestmark = pytest.mark.backend


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


def center_model(**arguments):
    """Features of two classes with their labels as a second input, trained by center loss alone."""
    inputs, labels = keras.Input((3,)), keras.Input((), dtype="int32")
    layer = zoo.CenterLoss(2, **arguments)
    outputs = layer([keras.layers.Dense(2)(inputs), labels])
    model = keras.Model([inputs, labels], outputs)
    model.compile(keras.optimizers.SGD(0.1))
    return model, layer


@pytest.fixture
def data(rng):
    return [rng.standard_normal((8, 3)).astype("float32"), (np.arange(8) % 2).astype("int32")]


@pytest.mark.parametrize("update", ["gradient", "moving"])
def test_centers_move_in_two_steps_of_fit(data, update):
    model, layer = center_model(update=update)
    before = numpy(layer.centers).copy()
    model.fit(data, batch_size=4, epochs=1, verbose=0)
    assert np.abs(numpy(layer.centers) - before).max() > 1e-4
    assert (update == "gradient") == (layer.centers in layer.trainable_variables)


def test_scheduled_weight_changes_the_loss(data):
    model, layer = center_model(weight=1.0)
    first = model.evaluate(data, verbose=0)
    layer.weight.assign(0.25)
    assert model.evaluate(data, verbose=0) == pytest.approx(first / 4, rel=1e-5)


def test_centers_rest_outside_of_training(data):
    model, layer = center_model(update="moving")
    before = numpy(layer.centers).copy()
    model.evaluate(data, verbose=0)
    model.predict(data, verbose=0)
    np.testing.assert_array_equal(numpy(layer.centers), before)


def test_moving_centers_follow_the_paper(rng):
    features = rng.standard_normal((5, 2)).astype("float32")
    labels = np.array([0, 2, 2, 0, 2])
    layer = zoo.CenterLoss(3, update="moving", rate=0.5, initializer="ones")
    outputs = layer([features, labels], training=True)
    np.testing.assert_array_equal(numpy(outputs), features)
    expected = np.ones((3, 2))
    for j in range(3):
        own = features[labels == j]
        expected[j] -= 0.5 * (1 - own).sum(axis=0) / (1 + len(own)) if len(own) else 0
    np.testing.assert_allclose(numpy(layer.centers), expected, rtol=1e-5)


def test_gradient_by_a_center_is_minus_twice_the_weighted_difference(rng):
    features = rng.standard_normal((1, 2)).astype("float32")
    layer = zoo.CenterLoss(2, weight=0.3)
    layer.build((None, 2))

    def loss():
        return layer.with_labels(features, np.array([1]), True)[1]

    _value, (gradient,) = value_and_gradients(loss, [layer.centers])
    expected = -2 * 0.3 * (features[0] - numpy(layer.centers)[1])
    np.testing.assert_allclose(numpy(gradient)[1], expected, rtol=1e-5)
    assert not numpy(gradient)[0].any()


def test_features_pass_without_labels(data):
    layer = zoo.CenterLoss(2)
    np.testing.assert_array_equal(numpy(layer(data[0])), data[0])
    assert not layer.losses


def test_center_loss_is_finite_at_the_edges():
    layer = zoo.CenterLoss(2, update="moving")
    batches = ((np.ones((0, 3)), np.zeros(0)), (np.zeros((1, 3)), np.zeros(1)), (np.full((2, 3), 6e4), [0, 1]))
    for features, labels in batches:
        layer([features.astype("float16"), np.array(labels, "int32")], training=True)
        assert np.isfinite(float(layer.losses[0]))
    with pytest.raises(ValueError, match="labels are 0 to 1"):
        layer([np.ones((1, 3)), np.array([2])])


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_centers_of_any_precision_move(rng, dtype):
    if dtype == "float64" and keras.backend.backend() == "jax":
        pytest.skip("JAX has float64 only where it is switched on")
    layer = zoo.CenterLoss(2, update="moving", rate=1.0, initializer="zeros", dtype=dtype)
    layer([np.array([[2.0, 4.0]], "float32"), np.array([1])], training=True)
    assert keras.backend.standardize_dtype(layer.centers.dtype) == dtype
    np.testing.assert_allclose(numpy(layer.centers), [[0, 0], [1, 2]])


def test_numbers_of_numpy_are_numbers():
    labels = np.array([0, 1, 2])
    layer = zoo.CenterLoss(labels.max() + 1, weight=np.float32(0.5), rate=np.float64(0.25))
    assert keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer)).classes == 3
    assert zoo.CrossBatchMemory(zoo.TripletLoss(margin=np.float32(0.5)), size=np.int64(7)).get_config()["size"] == 7
    assert zoo.ArcFaceLoss(margin=np.float32(0.5)).margin == 0.5
    with pytest.raises(ValueError, match="classes"):
        zoo.CosineClassifier(np.float64(3))


@pytest.mark.parametrize(
    "arguments",
    [{"classes": 0}, {"weight": -1}, {"update": "mean"}, {"rate": 1.5}],
    ids=lambda value: next(iter(value)),
)
def test_wrong_argument_of_center_loss_is_refused(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        zoo.CenterLoss(**{"classes": 3, **arguments})


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_memory_compares_with_the_last_embeddings_and_not_with_themselves(rng):
    """By hand: the plain contrastive loss between each batch and the queue of the last seven."""
    layer = zoo.CrossBatchMemory(zoo.ContrastiveLoss(), size=7, batch_weight=0)
    remembered = []
    for step in range(4):
        x, labels = rng.standard_normal((3, 2)).astype("float32"), rng.integers(0, 2, 3)
        layer([x, labels.astype("int32")], training=True)
        batch = [((step, row), x[row], labels[row]) for row in range(3)]
        remembered = [*remembered, *batch][-7:]
        terms = ([], [])
        for name, a, label in batch:
            for other_name, other, other_label in remembered:
                if other_name == name:
                    continue
                d = np.linalg.norm(unit(a) - unit(other))
                terms[int(label != other_label)].append(d if label == other_label else max(0, 1 - d))
        expected = sum(np.mean([t for t in side if t > 0]) if any(t > 0 for t in side) else 0 for side in terms)
        assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-3, abs=1e-3)


def memory_learner(**arguments):
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    memory = zoo.CrossBatchMemory(zoo.TripletLoss(mining="hard"), size=6, **arguments)
    learner = zoo.MetricLearner(encoder, memory)
    learner.compile(keras.optimizers.SGD(0.1))
    return learner, memory, encoder


def test_memory_fills_in_two_steps_of_fit_and_rests_in_evaluation(data):
    learner, memory, encoder = memory_learner()
    before = numpy(encoder.layers[0].kernel).copy()
    learner.fit(*data, batch_size=4, epochs=1, verbose=0, shuffle=False)
    assert int(memory.filled) == 6
    assert int(memory.step) == 2
    np.testing.assert_array_equal(numpy(memory.labels), [0, 1, 0, 1, 0, 1])
    assert np.abs(numpy(memory.embeddings)).min() > 0
    assert np.abs(numpy(encoder.layers[0].kernel) - before).max() > 0
    kept = numpy(memory.embeddings).copy()
    learner.evaluate(*data, batch_size=4, verbose=0)
    np.testing.assert_array_equal(numpy(memory.embeddings), kept)


def test_empty_memory_adds_nothing(data):
    """Before the first step there is only the loss within the batch."""
    learner, memory, encoder = memory_learner()
    x, labels = data
    expected = float(numpy(memory.loss(labels, encoder(x))))
    assert learner.evaluate(x, labels, batch_size=8, verbose=0) == pytest.approx(expected, rel=1e-5)


def test_scheduled_weight_of_the_memory_changes_the_loss(data):
    learner, memory, _encoder = memory_learner(batch_weight=0.0)
    learner.fit(*data, batch_size=4, verbose=0)
    first = learner.evaluate(*data, batch_size=4, verbose=0)
    assert first > 0
    memory.weight.assign(0)
    assert learner.evaluate(*data, batch_size=4, verbose=0) == 0


def test_learner_and_its_memory_are_saved(data, tmp_path):
    learner, memory, _encoder = memory_learner()
    learner.fit(*data, batch_size=4, verbose=0)
    learner.save(tmp_path / "learner.keras")
    again = keras.saving.load_model(tmp_path / "learner.keras")
    np.testing.assert_allclose(again.predict(data[0], verbose=0), learner.predict(data[0], verbose=0), rtol=1e-5)
    np.testing.assert_array_equal(numpy(again.objective.embeddings), numpy(memory.embeddings))


def test_learner_of_arcface_has_a_compiled_loss_and_metrics_of_embeddings(data):
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    learner = zoo.MetricLearner(encoder, zoo.ArcFace(2, scale=8))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    learner.compile("sgd", loss=loss, metrics=[zoo.RecallAtK(1)])
    learner.fit(*data, batch_size=4, verbose=0)
    result = learner.evaluate(*data, batch_size=8, verbose=0, return_dict=True)
    embeddings = learner.predict(data[0], verbose=0)
    np.testing.assert_allclose(embeddings, encoder.predict(data[0], verbose=0), rtol=1e-5)
    assert result["recall_at_1"] == pytest.approx(zoo.recall_at_k(embeddings, data[1]), abs=1e-6)
    assert result["loss"] == pytest.approx(float(loss(data[1], numpy(learner.objective(embeddings)))), rel=1e-5)


@pytest.mark.parametrize(
    ("compiled", "message"),
    [
        ({"loss": "sparse_categorical_crossentropy"}, "gives logits"),
        ({"loss": keras.losses.SparseCategoricalCrossentropy()}, "gives logits"),
        (
            {"loss": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "metrics": ["accuracy"]},
            "metrics see the model's embeddings",
        ),
    ],
)
def test_learner_of_logits_refuses_what_takes_probabilities(data, compiled, message):
    learner = zoo.MetricLearner(keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]), zoo.ArcFace(2))
    learner.compile("sgd", **compiled)
    with pytest.raises(ValueError, match=message):
        learner.fit(*data, verbose=0)


def test_learner_says_what_is_missing(data):
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match="CenterLoss"):
        zoo.MetricLearner(encoder, keras.layers.Dense(2))
    learner = zoo.MetricLearner(encoder, zoo.ArcFace(2))
    learner.compile("sgd")
    with pytest.raises(ValueError, match=r"compile\(loss"):
        learner.fit(*data, verbose=0)
    # A new one: on JAX the step that failed has left the other in the middle of being built.
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    learner = zoo.MetricLearner(encoder, zoo.CenterLoss(2))
    learner.compile("sgd")
    with pytest.raises(ValueError, match=r"fit\(x, labels\)"):
        learner.fit(data[0], verbose=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "mse"}, "ContrastiveLoss"),
        ({"loss": zoo.NPairsLoss()}, "ContrastiveLoss"),
        ({"size": 0}, "size"),
        ({"weight": -1}, "weight"),
        ({"batch_weight": -1}, "batch_weight"),
    ],
)
def test_wrong_argument_of_the_memory_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        zoo.CrossBatchMemory(**{"loss": zoo.ContrastiveLoss(), **arguments})


def test_batch_larger_than_the_memory_is_refused():
    layer = zoo.CrossBatchMemory(zoo.ContrastiveLoss(), size=3)
    with pytest.raises(ValueError, match="larger size"):
        layer([np.ones((4, 2)), np.zeros(4, "int32")], training=True)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only there the size of a batch may be unknown")
def test_of_a_batch_of_unknown_size_the_last_samples_stay(rng):
    import tensorflow as tf

    x, labels = rng.standard_normal((8, 2)).astype("float32"), np.arange(8, dtype="int32") % 3
    layer = zoo.CrossBatchMemory(zoo.ContrastiveLoss(), size=3, batch_weight=0.0)
    layer.build([(None, 2), (None,)])

    @tf.function(input_signature=[tf.TensorSpec((None, 2)), tf.TensorSpec((None,), "int32")])
    def step(x, labels):
        return layer.with_labels(x, labels, True)[1]

    found = float(step(x, labels))
    order = np.argsort((np.arange(8) % 3)[-3:])
    np.testing.assert_array_equal(numpy(layer.embeddings), x[-3:][order])
    np.testing.assert_array_equal(numpy(layer.labels), labels[-3:][order])
    distances = np.linalg.norm(unit(x)[:, None] - unit(x[-3:])[None], axis=-1)
    same = labels[:, None] == labels[-3:]
    positives = same & (np.arange(8)[:, None] != np.arange(5, 8))
    terms = np.maximum(0, 1 - distances[~same])
    assert found == pytest.approx(distances[positives].mean() + terms[terms > 0].mean(), rel=1e-4)


def test_added_loss_between_two_outputs_is_trained_and_scheduled(rng):
    one, other = keras.Input((3,)), keras.Input((4,))
    layer = zoo.AddLoss(zoo.InfoNCELoss(), weight=1.0)
    outputs = layer([keras.layers.Dense(2)(one), keras.layers.Dense(2)(other)])
    model = keras.Model([one, other], outputs)
    model.compile(keras.optimizers.SGD(0.1))
    x = [rng.standard_normal((8, 3)).astype("float32"), rng.standard_normal((8, 4)).astype("float32")]
    before = [numpy(weight).copy() for weight in model.trainable_weights]
    model.fit(x, batch_size=4, verbose=0)
    assert all(
        np.abs(numpy(weight) - old).max() > 0
        for weight, old in zip(model.trainable_weights, before, strict=True)
        if "kernel" in weight.path
    )
    first = model.evaluate(x, batch_size=8, verbose=0)
    layer.weight.assign(0.5)
    assert model.evaluate(x, batch_size=8, verbose=0) == pytest.approx(first / 2, rel=1e-5)


def test_added_loss_wants_two_tensors():
    with pytest.raises(ValueError, match="two tensors"):
        zoo.AddLoss("mse")(np.ones((2, 3)))
    with pytest.raises(ValueError, match="weight"):
        zoo.AddLoss("mse", weight=-1)
