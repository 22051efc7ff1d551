"""Rows of a table against NumPy, eagerly, compiled, in fit, and in mixed precision."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import ops

from zoo_core.errors import UsageError
from zoo_core.rows import add_rows, set_rows, take_rows, unique_rows

pytestmark = pytest.mark.backend

ROWS = np.array([3, 0, 3, 5, 3], np.int32)
TENSORFLOW_ONLY = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow only")


def table(dtype="float32", shape=(6, 2)):
    start = np.arange(np.prod(shape)).reshape(shape)
    return keras.Variable(start.astype("float32"), dtype=dtype), start.astype("float64")


def values(count=5, seed=0):
    """Quarters: exact in every type."""
    return np.random.default_rng(seed).integers(-8, 8, (count, 2)).astype("float32") / 4


def numpy(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def merged(rows, sums):
    """As a dictionary, without what JAX fills up with."""
    rows, sums = ops.convert_to_numpy(rows), numpy(sums)
    assert len(rows) == len(set(rows[rows < 6])) + np.sum(rows >= 6)
    return {int(row): tuple(value) for row, value in zip(rows, sums, strict=True) if row < 6}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_repeated_rows_add_up(dtype):
    variable, expected = table(dtype)
    np.add.at(expected, ROWS, values())
    add_rows(variable, ROWS, values())
    np.testing.assert_array_equal(numpy(variable), expected)


def test_rows_that_are_not_named_stay_bit_for_bit():
    start = np.random.default_rng(1).normal(size=(6, 2)).astype("float32")
    variable = keras.Variable(start)
    add_rows(variable, ROWS, values())
    np.testing.assert_array_equal(ops.convert_to_numpy(variable)[[1, 2, 4]], start[[1, 2, 4]])


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_rows_are_replaced(dtype):
    variable, expected = table(dtype)
    expected[[4, 1]] = values(2)
    set_rows(variable, [4, 1], values(2))
    np.testing.assert_array_equal(numpy(variable), expected)


def test_rows_of_higher_rank():
    """A batch of rows of matrices."""
    variable, expected = table(shape=(4, 2, 3))
    rows, added = np.array([[0, 3], [3, 3]]), np.ones((2, 2, 2, 3), "float32")
    np.add.at(expected, rows, added)
    add_rows(variable, rows, added)
    np.testing.assert_array_equal(numpy(variable), expected)
    assert tuple(take_rows(variable, rows).shape) == (2, 2, 2, 3)


def test_no_rows_at_all():
    variable, expected = table()
    none = np.zeros((0,), np.int32)
    add_rows(variable, none, values(0))
    set_rows(variable, none, values(0))
    rows, sums = unique_rows(none, values(0))
    np.testing.assert_array_equal(numpy(variable), expected)
    assert tuple(rows.shape) == (0,)
    assert tuple(sums.shape) == (0, 2)


def test_rows_are_read():
    variable, expected = table()
    np.testing.assert_array_equal(numpy(take_rows(variable, ROWS)), expected[ROWS])


def test_unique_rows_sum_what_is_repeated():
    expected: dict[int, np.ndarray] = {}
    for row, value in zip(ROWS.tolist(), values(), strict=True):
        expected[row] = expected.get(row, np.zeros(2)) + value
    found = merged(*unique_rows(ROWS, values()))
    assert found == {row: tuple(value) for row, value in expected.items()}


def test_what_unique_rows_give_can_be_read_added_and_set():
    """Adding the sums of unique rows is adding the values; and reading and setting them changes nothing more."""
    variable, expected = table()
    np.add.at(expected, ROWS, values())
    rows, sums = unique_rows(ROWS, values())
    assert np.isfinite(numpy(take_rows(variable, rows))).all()
    add_rows(variable, rows, sums)
    set_rows(variable, rows, take_rows(variable, rows))
    np.testing.assert_array_equal(numpy(variable), expected)


class RowsModel(keras.Model):
    """Adds one to the rows that it is given, in its training step or, on JAX, while it is called."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.embedding = keras.layers.Embedding(6, 2, embeddings_initializer="zeros")
        self.table = self.add_weight(shape=(6, 2), initializer="zeros", trainable=False)

    def call(self, inputs):
        rows, sums = unique_rows(inputs[:, 0], ops.ones((ops.shape(inputs)[0], 2)))
        add_rows(self.table, rows, sums)
        set_rows(self.table, rows, 2 * take_rows(self.table, rows))
        return ops.sum(self.embedding(inputs), axis=(1, 2))


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_in_fit(policy, jit_compile):
    """Row r named n times: (0 + n) * 2; then (2 n + n) * 2 = 6 n."""
    if jit_compile and keras.backend.backend() == "torch":
        pytest.skip("PyTorch compiles nothing here")
    model = RowsModel(dtype=policy)
    model.compile("sgd", loss="mse", jit_compile=jit_compile)
    model.fit(ROWS[:, None], np.zeros(5), batch_size=5, epochs=2, verbose=0, shuffle=False)
    np.testing.assert_array_equal(numpy(model.table)[:, 0], 6 * np.bincount(ROWS, minlength=6))


@pytest.mark.parametrize(("write", "expected"), [(add_rows, 7.0), (set_rows, 5.0)])
def test_in_a_stateless_scope_the_variable_itself_is_left_alone(write, expected):
    variable = keras.Variable(np.full((3, 1), 2.0, "float32"))
    with keras.StatelessScope() as scope:
        write(variable, [1], [[5.0]])
    assert numpy(variable).max() == 2.0
    np.testing.assert_array_equal(numpy(scope.get_current_value(variable))[:, 0], [2.0, expected, 2.0])


@TENSORFLOW_ONLY
def test_reading_a_table_that_was_written_does_not_copy_it():
    """A table of 40 MB keeps its memory through a write and a read of the whole."""
    import tensorflow as tf

    variable = keras.Variable(np.zeros((100_000, 100), "float32"))

    add_rows(variable, [1], np.ones((1, 100)))
    first, second = (np.asarray(tf.convert_to_tensor(variable.value)) for _ in range(2))
    assert np.shares_memory(first, second)


def test_what_does_not_fit_is_refused():
    variable, _ = table()
    with pytest.raises(UsageError, match="integers"):
        add_rows(variable, np.array([0.5]), values(1))
    with pytest.raises(UsageError, match="do not fit into a table"):
        add_rows(variable, [1], np.ones((1, 3)))
    with pytest.raises(UsageError, match="values of shape"):
        set_rows(variable, [1, 2], values(1))


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX cannot raise an error for a value")
def test_a_row_that_is_not_there_is_an_error():
    variable, _ = table()
    with pytest.raises(Exception, match=r"index|indices|bound"):
        add_rows(variable, [6], values(1))
