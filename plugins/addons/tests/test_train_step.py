"""The base of training steps: a step that trains plainly is the model itself; the others see one batch, once."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons.steps.step import TrainStep

pytestmark = pytest.mark.backend

EAGERLY = keras.backend.backend() == "tensorflow"
"""For a few batches that is quicker than to trace a graph, but on JAX."""


@keras.saving.register_keras_serializable(package="addons-test")
class Plain(TrainStep):
    looks_again = False

    def update(self, batch):
        now = batch.evaluate()
        self.apply_gradients(now.gradients)
        return now


@keras.saving.register_keras_serializable(package="addons-test")
class Heun(TrainStep):
    def update(self, batch):
        rate, here = self.learning_rate(), batch.evaluate()
        there = batch.evaluate(at=self.moved(-rate, here.gradients))
        pairs = zip(here.gradients, there.gradients, strict=True)
        self.apply_gradients([(one + other) / 2 for one, other in pairs])
        return here


@keras.saving.register_keras_serializable(package="addons-test")
class Twice(TrainStep):
    """Looks three times, and keeps the first and the last gradient."""

    def make_variables(self):
        shapes = [variable.shape for variable in self.model.trainable_variables]
        self.first, self.last = (
            [self.add_weight(shape=shape, initializer="zeros", trainable=False) for shape in shapes] for _ in range(2)
        )

    def update(self, batch):
        first = batch.evaluate()
        batch.evaluate(at=[2 * weight for weight in self.weights_now()])
        last = batch.evaluate()
        for evaluation, held in ((first, self.first), (last, self.last)):
            for variable, gradient in zip(held, evaluation.gradients, strict=True):
                variable.assign(gradient)
        return first


class OwnLoss(keras.Model):
    """A model with a loss and a metric of its own, beside those that it is compiled with."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1, kernel_initializer="ones")
        self.seen = keras.metrics.Sum(name="seen")

    def call(self, x):
        return self.dense(x)

    def compute_loss(self, x, y, y_pred, sample_weight=None, training=True):
        self.seen.update_state(ops.ones(()))
        return super().compute_loss(x, y, y_pred, sample_weight) + 0.05 * ops.sum(ops.square(y_pred))


class OwnStep(keras.Model):
    """A model that trains itself in its own way."""

    def train_step(self, *arguments):
        return {}


def small_model(dropout=0.3):
    normal = keras.initializers.RandomNormal(seed=1)
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(
                5, "tanh", kernel_initializer=normal, kernel_regularizer="l2", activity_regularizer="l2"
            ),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(dropout, seed=2),
            keras.layers.Dense(1, kernel_initializer=normal, name="out"),
        ]
    )


def data(count=10, inputs=3):
    random = np.random.default_rng(0)
    floatx = keras.config.floatx()
    return random.normal(size=(count, inputs)).astype(floatx), random.normal(size=(count, 1)).astype(floatx)


def tolerance():
    return {"rtol": 1e-5, "atol": 1e-6} if keras.config.floatx() == "float32" else {"rtol": 1e-9, "atol": 1e-12}


def weights(model):
    return [np.array(weight) for weight in model.get_weights()]


def require_same(found, expected, **how):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, **(how or tolerance()))


def test_a_step_that_trains_plainly_is_the_model_itself():
    """Regularisation, add_loss, batch normalisation, dropout, sample weights, metrics, validation: all the same."""
    x, y = data()
    found = []
    for wrap in (lambda model: model, Plain):
        model = small_model()
        step = wrap(model)
        step.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"], weighted_metrics=["mse"])
        history = step.fit(
            x,
            y,
            sample_weight=np.linspace(0.1, 1, 10),
            batch_size=4,
            epochs=2,
            shuffle=False,
            verbose=0,
            validation_data=(x, y),
        )
        found.append((weights(model), history.history, step.predict(x, verbose=0)))
    require_same(found[1][0], found[0][0])
    assert found[1][1].keys() == found[0][1].keys()
    for name, values in found[0][1].items():
        np.testing.assert_allclose(found[1][1][name], values, **tolerance(), err_msg=name)
    require_same([found[1][2]], [found[0][2]])


def test_several_outputs_named_losses_and_class_weights():
    x, y = data()
    labels = (y > 0).astype("int32")

    def model():
        inputs = keras.Input((3,))
        hidden = keras.layers.Dense(4, kernel_initializer=keras.initializers.RandomNormal(seed=5))(inputs)
        number = keras.layers.Dense(1, kernel_initializer="ones", name="number")(hidden)
        label = keras.layers.Dense(1, "sigmoid", kernel_initializer="ones", name="label")(hidden)
        return keras.Model(inputs, {"number": number, "label": label})

    found = []
    for wrap in (lambda model: model, Plain):
        inner = model()
        step = wrap(inner)
        losses = {"number": "mse", "label": "binary_crossentropy"}
        step.compile(keras.optimizers.SGD(0.1), losses, loss_weights={"number": 0.3, "label": 2.0})
        logs = step.train_on_batch(x, {"number": y, "label": labels}, return_dict=True)
        found.append((weights(inner), logs))
    require_same(found[1][0], found[0][0])
    assert found[1][1] == pytest.approx(found[0][1], rel=1e-5)

    step = Plain(small_model())
    step.compile("sgd", "binary_crossentropy")
    step.train_on_batch(x, labels, class_weight={0: 0.5, 1: 2.0})


@pytest.mark.float64
def test_a_model_with_a_loss_and_a_metric_of_its_own():
    """L = mean (wx - y)^2 + sum (wx)^2 / 20, where w starts as ones: one step of gradient descent by hand.

    Not by Keras' own loss, which on JAX rounds double precision to single.
    """
    x, y = data()
    model = OwnLoss()
    step = Plain(model)
    step.compile(keras.optimizers.SGD(0.125), lambda y_true, y_pred: ops.sum(ops.square(y_true - y_pred), axis=-1))
    logs = step.train_on_batch(x, y, return_dict=True)
    y_pred = x.sum(1, keepdims=True)
    gradient = x.T @ (2 * (y_pred - y) + y_pred) / len(x)
    np.testing.assert_allclose(weights(model)[0], 1 - 0.125 * gradient, **tolerance())
    assert logs == pytest.approx({"loss": np.mean((y_pred - y) ** 2) + 0.5 * np.mean(y_pred**2), "seen": 1}, rel=1e-5)
    assert step.evaluate(x, y, verbose=0, return_dict=True).keys() == {"loss", "seen"}
    assert not model.compiled


@pytest.mark.float64
def test_heun_takes_the_mean_of_two_gradients():
    """For L = mean (wx)^2 with a = 2 mean x^2 the step is w (1 - r a + (r a)^2 / 2)."""
    x = np.array([[1.0], [2.0]])
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
    step = Heun(model)
    step.compile(keras.optimizers.SGD(0.1), "mse")
    step.train_on_batch(x, 0 * x)
    np.testing.assert_allclose(weights(model)[0], [[1 - 0.5 + 0.5**2 / 2]], **tolerance())


def test_looking_again_sees_the_same_dropout_and_moves_statistics_once():
    x, y = data()
    found = []
    for wrap in (Plain, Twice):
        model = small_model()
        step = wrap(model)
        step.compile(keras.optimizers.SGD(0.0), "mse")
        step.fit(x, y, batch_size=5, epochs=1, shuffle=False, verbose=0)
        found.append(([np.array(ops.convert_to_numpy(state)) for state in model.non_trainable_variables], step))
    (moved, _), (moved_once, step) = found
    require_same(moved_once, moved)
    require_same([np.array(held) for held in step.last], [np.array(held) for held in step.first])
    assert any(np.abs(np.array(held)).max() > 0 for held in step.first)


def test_a_step_that_said_it_would_not_look_again_may_not():
    step = Heun(small_model())
    step.looks_again = False
    step.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(RuntimeError, match="looks_again = False"):
        step.train_on_batch(*data())


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(policy):
    """With float16 the optimizer is a LossScaleOptimizer, whose scale is in no gradient that a step sees."""
    x, y = (0.1 * array for array in data())
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones", use_bias=False, dtype=policy)])
    model.dtype_policy = keras.DTypePolicy(policy)
    model.build((None, 3))
    step = Twice(model)
    step.compile(keras.optimizers.SGD(0.1), "mse")
    assert isinstance(step.optimizer, keras.optimizers.LossScaleOptimizer) == (policy == "mixed_float16")
    step.fit(x, y, batch_size=10, epochs=1, verbose=0)
    expected = 2 * x.T @ (x.sum(1, keepdims=True) - y) / len(x)
    np.testing.assert_allclose(np.array(step.first[0]), expected, rtol=0.05, atol=1e-3)


def test_an_overflow_leaves_the_weights_and_halves_the_loss_scale():
    model = keras.Sequential([keras.layers.Dense(1, kernel_initializer="ones", dtype="mixed_float16")])
    model.dtype_policy = keras.DTypePolicy("mixed_float16")
    model.build((None, 3))
    step = Plain(model)
    step.compile(keras.optimizers.SGD(0.1), "mse")
    x, y = data()
    step.fit(1e4 * x, y, batch_size=10, epochs=1, verbose=0)
    np.testing.assert_array_equal(weights(model)[0], np.ones((3, 1)))
    assert float(step.optimizer.dynamic_scale) == 2**14


def test_saved_and_loaded_it_goes_on_as_it_would_have(tmp_path):
    """But for dropout, whose random state Keras does not save."""
    x, y = data()
    step = Heun(small_model(dropout=0.0))
    step.compile(keras.optimizers.Adam(0.05), "mse", metrics=["mae"])
    step.fit(x, y, batch_size=5, epochs=1, shuffle=False, verbose=0)
    step.save(tmp_path / "step.keras")
    step.model.save(tmp_path / "model.keras")
    same = keras.saving.load_model(tmp_path / "step.keras")
    alone = keras.saving.load_model(tmp_path / "model.keras")
    assert type(same) is Heun
    assert type(alone) is keras.Sequential
    require_same([same.predict(x, verbose=0), alone.predict(x, verbose=0)], [step.predict(x, verbose=0)] * 2)
    for each in (step, same):
        each.fit(x, y, batch_size=5, epochs=1, shuffle=False, verbose=0)
    require_same(weights(same), weights(step))


def test_a_model_that_is_not_built_yet():
    x, y = data()
    step = Twice(keras.Sequential([keras.layers.Dense(1)]))
    step.compile("sgd", "mse")
    step.fit(x, y, batch_size=5, verbose=0)
    assert np.abs(np.array(step.last[0])).max() > 0


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match="must be a keras.Model"):
        Plain(keras.layers.Dense(1))
    with pytest.raises(ValueError, match="Heun around Plain"):
        Heun(Plain(small_model()))
    with pytest.raises(ValueError, match="OwnStep has a `train_step` of its own"):
        Plain(OwnStep())


def test_a_step_without_update_says_so():
    step = TrainStep(small_model())
    step.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(NotImplementedError, match="no `update`"):
        step.train_on_batch(*data())
