"""Structural names: the same at every construction, on every backend, whichever method was called first."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo_core.errors import WeightsError
from zoo_core.tensors import assign_tensors, tensor_arrays, tensor_variables

pytestmark = pytest.mark.backend

TREE = """
blocks/0/conv/bias blocks/0/conv/kernel blocks/0/scale
blocks/1/conv/bias blocks/1/conv/kernel blocks/1/scale
functional/layers/1/bias functional/layers/1/kernel
heads/first/bias heads/first/kernel heads/second/0/bias heads/second/0/kernel
sequential/layers/0/bias sequential/layers/0/kernel
sequential/layers/1/beta sequential/layers/1/gamma
sequential/layers/1/moving_mean sequential/layers/1/moving_variance
sequential/layers/2/cell/bias sequential/layers/2/cell/kernel sequential/layers/2/cell/recurrent_kernel
table
"""
NAMES = TREE.split()


class Block(keras.layers.Layer):
    """A layer with a private sublayer, a weight without a name, and randomness."""

    def __init__(self):
        super().__init__()
        self._conv = keras.layers.Dense(3)
        self.dropout = keras.layers.Dropout(0.5, seed=1)

    def build(self, shape):
        self._conv.build(shape)
        self.scale = self.add_weight(shape=(3,), initializer="ones")

    def call(self, x):
        return self.dropout(self._conv(x)) * self.scale


class Net(keras.Model):
    """Everything that a model may hold, built in pieces by whichever method comes first."""

    def __init__(self):
        super().__init__()
        self.table = self.add_weight(shape=(3,), initializer="zeros")
        self.blocks = [Block(), Block()]
        self.first_block = self.blocks[0]
        self.heads = {"second": (keras.layers.Dense(2),), "first": keras.layers.Dense(1)}
        sequence = [keras.layers.Dense(2), keras.layers.BatchNormalization(), keras.layers.LSTM(2)]
        self.sequential = keras.Sequential(sequence)
        inputs = keras.Input((3,))
        self.functional = keras.Model(inputs, keras.layers.Dense(2)(inputs))
        self.accuracy = keras.metrics.Mean()
        self.generator = keras.random.SeedGenerator(3)

    def encode(self, x):
        for block in self.blocks:
            x = block(x)
        return self.heads["second"][0](x)

    def decode(self, x):
        return self.functional(x + self.table), self.heads["first"](x), self.sequential(x[:, None])

    def call(self, x):
        return keras.ops.sum(self.encode(x)) + sum(keras.ops.sum(part) for part in self.decode(x))


def built(*methods):
    model, x = Net(), np.ones((2, 3), np.float32)
    for method in methods:
        getattr(model, method)(x)
    return model


def test_names_are_the_ways_from_the_root():
    assert sorted(tensor_variables(built("call"))) == sorted(NAMES)


@pytest.mark.parametrize("methods", [("encode", "decode"), ("decode", "encode")])
def test_names_do_not_depend_on_the_method_called_first(methods):
    assert list(tensor_variables(built(*methods))) == list(tensor_variables(built("call")))


def test_names_survive_compiling_and_training():
    model = keras.Sequential([keras.Input((3,)), Block(), keras.layers.Dense(1)])
    before = list(tensor_variables(model))
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.ones((4, 3)), np.ones((4, 1)), verbose=0)
    assert list(tensor_variables(model)) == before


def test_every_weight_is_named_once_and_no_other_state_is():
    model = built("call")
    variables = tensor_variables(model)
    assert {id(variable) for variable in variables.values()} == {id(variable) for variable in model.weights}
    assert len(variables) == len(model.weights)


def test_a_sequence_has_the_same_names_with_and_without_an_input_layer():
    with_input = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    without = keras.Sequential([keras.layers.Dense(2)])
    without.build((None, 3))
    assert list(tensor_variables(with_input)) == list(tensor_variables(without)) == ["layers/0/bias", "layers/0/kernel"]


def test_two_weights_of_one_name_are_refused():
    model = keras.Model()
    model._dense, model.dense = keras.layers.Dense(1), keras.layers.Dense(1)
    model._dense.build((None, 1))
    model.dense.build((None, 1))
    with pytest.raises(WeightsError, match="two weights would be called 'dense/bias'"):
        tensor_variables(model)


def test_a_weight_that_no_attribute_leads_to_is_refused():
    model = keras.Model()
    model.add_weight(shape=(2,), name="lost")
    with pytest.raises(WeightsError, match="no attribute leads to 'model.*lost'"):
        tensor_variables(model)


def test_a_key_that_could_not_be_shown_is_refused_where_it_leads_to_a_weight():
    model = keras.Model()
    model.vocabulary = {"\x1b[31m": 3, "a/b": 4}
    assert tensor_variables(model) == {}
    model.heads = {"\x1b[31m": keras.layers.Dense(1)}
    model.heads["\x1b[31m"].build((None, 1))
    with pytest.raises(WeightsError, match="a weight cannot be called 'heads//bias'"):
        tensor_variables(model)


def test_values_move_from_one_model_to_another():
    first, second = built("call"), built("encode", "decode")
    arrays = {
        name: np.random.default_rng(1).random(array.shape, np.float32) for name, array in tensor_arrays(first).items()
    }
    assign_tensors(second, arrays)
    for name, array in tensor_arrays(second).items():
        np.testing.assert_array_equal(array, arrays[name])


def change(arrays, **changes):
    changed = {**arrays, **{name.replace("__", "/"): value for name, value in changes.items()}}
    return {name: array for name, array in changed.items() if array is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers__0__bias": None}, "1 tensor missing: 'layers/0/bias'"),
        ({"layers__1__bias": np.zeros(2, np.float32)}, "1 tensor left over: 'layers/1/bias'"),
        (
            {"layers__0__bias": np.zeros(3, np.float32)},
            r"expected float32 of shape \(2,\), found float32 of shape \(3,\)",
        ),
        (
            {"layers__0__bias": np.zeros(2, np.float64)},
            r"expected float32 of shape \(2,\), found float64 of shape \(2,\)",
        ),
        (
            {"layers__0__bias": np.array([0, np.nan], np.float32)},
            "'layers/0/bias': expected finite numbers, found 1 NaN",
        ),
        ({"layers__0__bias": np.array([np.inf, -np.inf], np.float32)}, "found 2 NaN or infinite"),
    ],
)
def test_tensors_that_do_not_fit_are_refused_and_none_is_assigned(changes, message):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    before = tensor_arrays(model)
    other = {name: array + 1 for name, array in before.items()}
    with pytest.raises(WeightsError, match=message) as caught:
        assign_tensors(model, change(other, **changes), "here/model.safetensors")
    assert str(caught.value).startswith("here/model.safetensors: ")
    for name, array in tensor_arrays(model).items():
        np.testing.assert_array_equal(array, before[name])
