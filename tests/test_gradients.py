"""Values and gradients against closed forms, eagerly, compiled, and inside train_step."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_core.errors import UsageError
from zoo_core.gradients import value_and_gradients

pytestmark = pytest.mark.backend

MATRIX = np.array([[1.0, 2.0, 0.0], [-1.0, 3.0, 1.0], [0.5, 0.0, 2.0]], np.float32)
POINT = np.array([1.0, -2.0, 0.5], np.float32)


def variable(value, trainable=True):
    return keras.Variable(np.asarray(value, np.float32), trainable=trainable)


def numpy(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("trainable", [True, False])
def test_a_quadratic_form(trainable):
    """d(x' A x) / dx = (A + A') x."""
    x = variable(POINT, trainable)
    value, (gradient,) = value_and_gradients(lambda: ops.sum(x * ops.matmul(MATRIX, x)), [x])
    np.testing.assert_allclose(numpy(value), POINT @ MATRIX @ POINT, rtol=1e-6)
    np.testing.assert_allclose(numpy(gradient), (MATRIX + MATRIX.T) @ POINT, rtol=1e-6)


def test_gradients_come_in_the_order_of_the_variables():
    """d(a' b) / da = b, d(a' b) / db = a."""
    a, b = variable(POINT), variable(2 * POINT + 1)
    _, (by_b, by_a) = value_and_gradients(lambda: ops.sum(a * b), [b, a])
    np.testing.assert_allclose(numpy(by_b), POINT)
    np.testing.assert_allclose(numpy(by_a), 2 * POINT + 1)


def test_a_variable_that_is_not_used_has_zero_as_its_gradient():
    used, unused = variable(POINT), variable(MATRIX)
    _, (first, second) = value_and_gradients(lambda: ops.sum(used), [used, unused])
    np.testing.assert_array_equal(numpy(first), np.ones(3))
    np.testing.assert_array_equal(numpy(second), np.zeros((3, 3)))


def test_a_constant_has_zero_gradients():
    x = variable(POINT)
    value, (gradient,) = value_and_gradients(lambda: ops.convert_to_tensor(3.0), [x])
    assert float(value) == 3.0
    np.testing.assert_array_equal(numpy(gradient), np.zeros(3))


def test_an_embedding_has_a_dense_gradient():
    """d sum(table[[0, 2, 2]]) / d table counts how often each row is taken."""
    embedding = keras.layers.Embedding(4, 2)
    embedding.build()
    _, (gradient,) = value_and_gradients(lambda: ops.sum(embedding(np.array([0, 2, 2]))), [embedding.embeddings])
    np.testing.assert_array_equal(numpy(gradient), [[1, 1], [0, 0], [2, 2], [0, 0]])


def test_a_layer_on_a_batch():
    """Mean squared error of a linear layer: dL/dW = 2 X' (X W - Y) / n."""
    random = np.random.default_rng(0)
    x, y = random.normal(size=(5, 3)).astype("float32"), random.normal(size=(5, 1)).astype("float32")
    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((None, 3))
    _, (gradient,) = value_and_gradients(
        lambda: ops.mean(ops.square(ops.subtract(layer(x), y))), layer.trainable_variables
    )
    error = x @ numpy(layer.kernel) - y
    np.testing.assert_allclose(numpy(gradient), 2 * x.T @ error / 5, rtol=1e-4, atol=1e-6)


def test_what_the_function_assigns_to_listed_state_is_kept():
    """Batch normalisation on the batch (1, 3): mean 2, so the moving mean goes from 0 to 0.9 * 0 + 0.1 * 2."""
    layer = keras.layers.BatchNormalization(momentum=0.9)
    layer.build((None, 1))
    x = np.array([[1.0], [3.0]], np.float32)
    state = layer.non_trainable_variables
    value_and_gradients(lambda: ops.sum(layer(x, training=True)), layer.trainable_variables, state=state)
    np.testing.assert_allclose(numpy(layer.moving_mean), [0.2], rtol=1e-6)


def test_a_listed_seed_generator_moves_on():
    generator, x = keras.random.SeedGenerator(1), variable(1.0)

    def drawn():
        return x * keras.random.normal((), seed=generator)

    first, second = (float(value_and_gradients(drawn, [x], state=[generator.state])[0]) for _ in range(2))
    assert first != second


@pytest.mark.parametrize("shape", [(1,), (2, 2)])
def test_a_value_that_is_no_scalar_is_refused(shape):
    x = variable(np.ones(shape))
    with pytest.raises(UsageError, match="gradients need a scalar"):
        value_and_gradients(lambda: x * 2, [x])


def test_what_else_the_function_returns_comes_back():
    """With the gradient of x'x, and the vector itself."""
    x = variable(POINT)
    (value, rest), (gradient,) = value_and_gradients(
        lambda: (ops.sum(x * x), {"twice": 2 * x, "none": None}), [x], has_aux=True
    )
    np.testing.assert_allclose(numpy(value), POINT @ POINT, rtol=1e-6)
    np.testing.assert_allclose(numpy(gradient), 2 * POINT)
    np.testing.assert_allclose(numpy(rest["twice"]), 2 * POINT)
    assert rest["none"] is None


def test_the_gradient_elsewhere_leaves_the_variables_where_they_are():
    """d(a x'x) / dx = 2 a x, at another x and another a; what the function assigns is dropped."""
    x, a = variable(POINT), variable(3.0, trainable=False)

    def function():
        a.assign(a + 1)
        return a * ops.sum(x * x)

    value, (gradient,) = value_and_gradients(function, [x], at=[(x, ops.convert_to_tensor(2 * POINT)), (a, 4.0)])
    np.testing.assert_allclose(numpy(value), 5 * 4 * POINT @ POINT, rtol=1e-6)
    np.testing.assert_allclose(numpy(gradient), 2 * 5 * 2 * POINT, rtol=1e-6)
    np.testing.assert_array_equal(numpy(x), POINT)
    assert float(a) == 3.0


def test_the_gradient_elsewhere_assigns_to_listed_state():
    x, count = variable(POINT), variable(0.0, trainable=False)

    def function():
        count.assign(count + ops.sum(x))
        return ops.sum(x * x)

    value_and_gradients(function, [x], state=[count], at=[(x, ops.ones(3))])
    assert float(count) == 3.0


def test_a_step_is_run_again_with_the_same_random_numbers():
    """The seed's state is held where it was before the first run."""
    generator, x = keras.random.SeedGenerator(1), variable(1.0)
    before = ops.copy(generator.state.value)

    def drawn():
        return x * keras.random.normal((), seed=generator)

    first, _ = value_and_gradients(drawn, [x], state=[generator.state])
    again, _ = value_and_gradients(drawn, [x], at=[(generator.state, before)])
    another, _ = value_and_gradients(drawn, [x], state=[generator.state])
    assert float(again) == float(first) != float(another)


def test_losses_that_layers_add_are_there_on_every_backend():
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones", activity_regularizer="l2")
    layer.build((None, 2))
    x = np.array([[1.0, 2.0], [0.0, 1.0]], np.float32)

    def loss():
        layer(x)
        return sum(layer.losses)

    for at in (None, [(layer.kernel, ops.ones((2, 1)))]):
        value, (gradient,) = value_and_gradients(loss, [layer.kernel], at=at)
        np.testing.assert_allclose(numpy(value), 0.01 * (9 + 1) / 2, rtol=1e-6)
        np.testing.assert_allclose(numpy(gradient)[:, 0], 0.01 * x.T @ [3, 1], rtol=1e-6)


@pytest.mark.parametrize("sparse", [False, True])
def test_on_tensorflow_rows_can_stay_rows(sparse):
    """Elsewhere gradients are dense, and sparse=True changes nothing."""
    embedding = keras.layers.Embedding(4, 2)
    embedding.build()
    _, (gradient,) = value_and_gradients(
        lambda: ops.sum(embedding(np.array([0, 2, 2]))), [embedding.embeddings], sparse=sparse
    )
    if keras.backend.backend() == "tensorflow":
        assert hasattr(gradient, "indices") == sparse
        if sparse:
            assert gradient.indices.shape[0] == 3
        gradient = ops.convert_to_tensor(gradient)
    np.testing.assert_array_equal(numpy(gradient), [[1, 1], [0, 0], [2, 2], [0, 0]])


class Trained(keras.Model):
    """y = w x, trained by plain gradient descent through `value_and_gradients` in its own train_step."""

    def __init__(self):
        super().__init__()
        self.w = self.add_weight(shape=(), initializer="zeros")
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False)
        self.built = True

    def call(self, x):
        return self.w * x

    def gradient_step(self, x, y):
        def loss():
            self.steps.assign(self.steps + 1)
            return ops.mean(ops.square(self(x) - y))

        value, gradients = value_and_gradients(loss, self.trainable_variables, state=self.non_trainable_variables)
        return value, gradients

    def train_step(self, *arguments):
        if keras.backend.backend() == "jax":
            return self.train_step_without_state(*arguments)
        x, y = keras.utils.unpack_x_y_sample_weight(*arguments)[:2]
        value, gradients = self.gradient_step(x, y)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": value}

    def train_step_without_state(self, state, data):
        trainable, non_trainable, optimizer, metrics = state
        x, y = keras.utils.unpack_x_y_sample_weight(data)[:2]
        variables = [*self.trainable_variables, *self.non_trainable_variables]
        with keras.StatelessScope(list(zip(variables, [*trainable, *non_trainable], strict=True))) as scope:
            value, gradients = self.gradient_step(x, y)
        trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
        non_trainable = [scope.get_current_value(variable) for variable in self.non_trainable_variables]
        return {"loss": value}, (trainable, non_trainable, optimizer, metrics)


@pytest.mark.parametrize("eagerly", [False, True])
def test_inside_train_step(eagerly):
    """Three steps of w <- w - r dL/dw, L = (w - 2)^2 mean(x^2): the error shrinks by 1 - 2 r mean(x^2) each time."""
    model = Trained()
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=eagerly)
    x = np.array([[1.0], [2.0]], np.float32)
    model.fit(x, 2 * x, batch_size=2, epochs=3, verbose=0)
    np.testing.assert_allclose(numpy(model.w), 2 - 2 * (1 - 2 * 0.1 * 2.5) ** 3, rtol=1e-6)
    assert float(model.steps) == 3
