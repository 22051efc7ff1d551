"""The weighted sum of losses: its value, its state, and its schedules in compiled training."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import (
    GradientAccumulation,
    HyperParameterSchedule,
    LabelSmoothedCrossentropy,
    LinearSchedule,
    UniformCrossentropy,
    WeightedLosses,
)

pytestmark = pytest.mark.backend

CLASSES = 3


@keras.saving.register_keras_serializable("tests")
class Centers(keras.layers.Layer):
    """Squared distance to the center of the class."""

    def build(self, y_true_shape, y_pred_shape):
        self.centers = self.add_weight(shape=(CLASSES, y_pred_shape[-1]), initializer="ones", name="centers")

    def call(self, y_true, y_pred):
        return ops.sum(ops.square(y_pred - ops.take(self.centers, ops.cast(y_true, "int32"), axis=0)), axis=-1)


@keras.saving.register_keras_serializable("tests")
class MovingCenter(keras.layers.Layer):
    """Adds its loss itself, as the loss layers of Keras' own kind do, and remembers what it saw."""

    def build(self, input_shape):
        self.seen = self.add_weight(shape=(), initializer="zeros", trainable=False, name="seen")

    def call(self, inputs, training=False):
        outputs, _targets = inputs
        if training:
            self.seen.assign_add(1.0)
        self.add_loss(ops.mean(ops.square(outputs)))
        return outputs


@keras.saving.register_keras_serializable("tests")
def halving(batch):
    return 0.5 ** ops.cast(batch, "float32")


@keras.saving.register_keras_serializable("tests")
def absolute(y_true, y_pred):
    return ops.mean(ops.abs(y_pred), axis=-1)


CROSSENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def number(tensor):
    return float(ops.convert_to_numpy(ops.convert_to_tensor(tensor)))


def network():
    inputs = keras.Input((4,))
    features = keras.layers.Dense(2, name="features", kernel_regularizer=keras.regularizers.L2(0.01))(inputs)
    logits = keras.layers.Dense(CLASSES, name="logits")(features)
    return keras.Model(inputs, {"features": features, "logits": logits})


def single():
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(CLASSES)])


def compiled(model, **arguments):
    model.compile("sgd", jit_compile=keras.backend.backend() != "torch", **arguments)
    return model


def fit(model, data, **arguments):
    """History of training in batches of 4, with weights that do not move unless the optimizer says so."""
    return model.fit(*data, batch_size=4, shuffle=False, verbose=0, **arguments).history


@pytest.fixture
def data(rng):
    return rng.standard_normal((8, 4)).astype("float32"), rng.integers(0, CLASSES, 8)


def test_the_loss_is_the_weighted_sum_of_the_terms_with_regularisation(data):
    model = WeightedLosses(network(), {"logits": CROSSENTROPY, "features": Centers()}, {"logits": 0.9, "features": 0.1})
    compiled(model, metrics={"logits": "accuracy"})
    logs = model.evaluate(*data, batch_size=8, verbose=0, return_dict=True)
    predicted = {name: ops.convert_to_numpy(output) for name, output in model(data[0]).items()}
    exponents = np.exp(predicted["logits"])
    chosen = exponents[np.arange(8), data[1]] / exponents.sum(1)
    entropy, distance = -np.log(chosen).mean(), ((predicted["features"] - 1) ** 2).sum(1).mean()
    penalty = 0.01 * np.sum(ops.convert_to_numpy(model.model.get_layer("features").kernel) ** 2)
    assert logs["logits_loss"] == pytest.approx(entropy, rel=1e-5)
    assert logs["features_loss"] == pytest.approx(distance, rel=1e-5)
    assert logs["loss"] == pytest.approx(0.9 * entropy + 0.1 * distance + penalty, rel=1e-5)
    assert logs["logits_accuracy"] == pytest.approx(np.mean(predicted["logits"].argmax(1) == data[1]))


def test_state_of_terms_moves_and_is_saved(data, tmp_path):
    losses = {"logits": CROSSENTROPY, "features": Centers(), "norm": MovingCenter(), "size": absolute}
    seen = {"norm": "features", "size": "logits"}
    model = compiled(WeightedLosses(network(), losses, {"size": halving, "features": 0.1}, seen))
    history = fit(model, data)
    model.jax_state_sync() if keras.backend.backend() == "jax" else None
    centers = ops.convert_to_numpy(model.terms["features"].centers)
    assert np.all(centers != 1, axis=1).tolist() == [label in data[1] for label in range(CLASSES)]
    assert number(model.terms["norm"].seen) == 2
    assert number(model.iterations) == 2
    assert number(model.loss_weights["size"]) == 0.5
    assert set(history) == {"loss", "logits_loss", "features_loss", "norm_loss", "size_loss"}
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert number(again.iterations) == 2
    assert np.array_equal(ops.convert_to_numpy(again.terms["features"].centers), centers)
    values = (one.evaluate(*data, verbose=0, return_dict=True) for one in (model, again))
    assert next(values) == pytest.approx(next(values))
    fit(again, data)
    again.jax_state_sync() if keras.backend.backend() == "jax" else None
    assert number(again.loss_weights["size"]) == 0.125


def test_a_schedule_by_batches_changes_the_loss_within_compiled_training(data):
    model = compiled(
        WeightedLosses(single(), {"labels": CROSSENTROPY, "size": absolute}, {"labels": 0, "size": halving})
    )
    model.optimizer.learning_rate = 0.0
    plain = [np.abs(ops.convert_to_numpy(model(data[0][part]))).mean() for part in (slice(4), slice(4, 8))]
    history = fit(model, data, epochs=2)
    assert history["loss"][0] == pytest.approx((plain[0] + plain[1] / 2) / 2, rel=1e-5)
    assert history["loss"][1] == pytest.approx((plain[0] / 4 + plain[1] / 8) / 2, rel=1e-5)
    assert history["size_loss"] == pytest.approx([np.mean(plain)] * 2, rel=1e-5)


def test_a_callback_changes_the_loss_within_compiled_training(data):
    model = compiled(WeightedLosses(single(), {"labels": CROSSENTROPY, "size": absolute}, {"labels": 0}))
    model.optimizer.learning_rate = 0.0
    schedule = HyperParameterSchedule("loss_weights.size", LinearSchedule(1.0, 0.0, 4))
    history = fit(model, data, epochs=3, callbacks=[schedule])
    size = history["size_loss"][0]
    assert history["loss"] == pytest.approx([size, 0.75 * size, 0.5 * size], rel=1e-5)
    model.loss_weights["size"].assign(3.0)
    assert model.evaluate(*data, verbose=0, return_dict=True)["loss"] == pytest.approx(3 * size, rel=1e-5)


def test_the_mixture_with_uniform_labels_is_label_smoothing(data):
    parts = {"labels": CROSSENTROPY, "uniform": UniformCrossentropy(from_logits=True)}
    network = single()
    mixture = WeightedLosses(network, parts, {"labels": 0.9, "uniform": 0.1})
    value = mixture.compute_loss(*data, network(data[0]))
    assert number(value) == pytest.approx(number(LabelSmoothedCrossentropy(0.1, True)(data[1], network(data[0]))))


def test_sample_weights_weigh_every_term_or_those_that_are_named(data):
    weights = np.array([1, 0, 2, 0, 1, 1, 0, 3.0])
    model = compiled(WeightedLosses(network(), {"logits": CROSSENTROPY, "features": Centers()}))
    plain = model.evaluate(*data, batch_size=8, verbose=0, return_dict=True)
    all_of_them = model.evaluate(*data, sample_weight=weights, batch_size=8, verbose=0, return_dict=True)
    named = model.evaluate(*data, sample_weight={"features": weights}, batch_size=8, verbose=0, return_dict=True)
    predicted = model(data[0])
    entropy = ops.convert_to_numpy(keras.losses.sparse_categorical_crossentropy(data[1], predicted["logits"], True))
    distance = ((ops.convert_to_numpy(predicted["features"]) - 1) ** 2).sum(1)
    assert all_of_them["logits_loss"] == pytest.approx((weights * entropy).mean(), rel=1e-5)
    assert all_of_them["features_loss"] == pytest.approx((weights * distance).mean(), rel=1e-5)
    assert named["logits_loss"] == pytest.approx(plain["logits_loss"])
    assert named["features_loss"] == pytest.approx(all_of_them["features_loss"])


def test_each_term_may_have_its_own_targets(data):
    x, labels = data
    model = WeightedLosses(single(), {"first": CROSSENTROPY, "second": CROSSENTROPY}, {"second": 0.5})
    outputs = model(x)
    other = (labels + 1) % CLASSES
    value = number(model.compute_loss(x, {"first": labels, "second": other}, outputs))
    assert value == pytest.approx(number(CROSSENTROPY(labels, outputs)) + 0.5 * number(CROSSENTROPY(other, outputs)))
    inputs = keras.Input((4,))
    two = keras.Model(inputs, [keras.layers.Dense(1, name="one")(inputs), keras.layers.Dense(1, name="two")(inputs)])
    model = WeightedLosses(two, {"a": "mse", "b": "mean_absolute_error"}, outputs={"a": 1, "b": "one"})
    one, other = model(x)
    value = number(model.compute_loss(x, [labels[:, None], 2 * labels], [one, other]))
    one, other = (ops.convert_to_numpy(output)[:, 0] for output in (one, other))
    assert value == pytest.approx(np.mean((other - 2 * labels) ** 2) + np.mean(np.abs(one - labels)), rel=1e-5)


def test_a_training_step_goes_around_it(data):
    step = GradientAccumulation(
        WeightedLosses(single(), {"labels": CROSSENTROPY, "size": absolute}, {"size": halving}), 2
    )
    compiled(step)
    history = fit(step, data, epochs=2)
    step.jax_state_sync() if keras.backend.backend() == "jax" else None
    assert number(step.model.iterations) == 4
    assert history["loss"][1] < history["loss"][0]


def test_mixed_precision_computes_the_sum_in_float32(data):
    inputs = keras.Input((4,))
    half = keras.Model(inputs, keras.layers.Dense(CLASSES, dtype="mixed_float16")(inputs))
    model = compiled(WeightedLosses(half, {"labels": CROSSENTROPY, "size": absolute}, {"size": 0.1}))
    assert np.isfinite(fit(model, data)["loss"][0])
    assert ops.dtype(model.compute_loss(*data, model(data[0]))) == "float32"


def test_what_cannot_be_is_refused(data):
    some = {"labels": CROSSENTROPY}
    for make, message in (
        (lambda: WeightedLosses("model", some), "takes a keras.Model, got str"),
        (lambda: WeightedLosses(single(), {}), "at least one loss"),
        (lambda: WeightedLosses(single(), {"labels": None}), "the term 'labels' has no loss"),
        (lambda: WeightedLosses(single(), {"a": keras.losses.Hinge(reduction=None)}), "'a' has reduction=None"),
        (lambda: WeightedLosses(single(), some, {"label": 1}), "loss_weights names label; the terms are labels"),
        (lambda: WeightedLosses(single(), some, outputs={"label": 1}), "outputs names label; the terms are labels"),
        (lambda: WeightedLosses(single(), some, {"labels": float("nan")}), "must be a finite number or a schedule"),
        (lambda: WeightedLosses(single(), some, [1]), "takes a dictionary as loss_weights"),
        (lambda: WeightedLosses(single(), some, {"labels": LinearSchedule(0, 1, 9)}), "HyperParameterSchedule"),
        (lambda: WeightedLosses(single(), some, {"labels": lambda batch: ops.zeros(2)}), "must give one number"),
        (lambda: WeightedLosses(GradientAccumulation(single(), 2), some), "goes inside of a training step"),
    ):
        with pytest.raises(ValueError, match=message):
            make()
    model = WeightedLosses(network(), {"logit": CROSSENTROPY})
    outputs = model(data[0])
    with pytest.raises(ValueError, match=r"no output 'logit', but features, logits"):
        model.compute_loss(*data, outputs)
    model = WeightedLosses(network(), {"logits": CROSSENTROPY})
    with pytest.raises(ValueError, match="there is no target for the term 'logits', but labels"):
        model.compute_loss(data[0], {"labels": data[1]}, outputs)
    with pytest.raises(ValueError, match="sample weights are for logit, but there are logits, features"):
        model.compute_loss(*data, outputs, {"logit": np.ones(8)})
    with pytest.raises(ValueError, match="there is no sample weight for the term 'logits', but a list of 1"):
        model.compute_loss(*data, outputs, [np.ones(8)])
    model = WeightedLosses(network(), {"features": MovingCenter()})
    outputs = model(data[0])
    with pytest.raises(ValueError, match="in which sample weights cannot count"):
        model.compute_loss(*data, outputs, np.ones(8))
    model.compile("sgd", loss="mse")
    with pytest.raises(ValueError, match="compile it without one"):
        model.compute_loss(*data, outputs)
