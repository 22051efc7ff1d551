"""The piecewise-linear schedule against numpy.interp."""

from __future__ import annotations

import json

import keras
import numpy as np
import pytest
from keras import ops

from zoo_addons import PiecewiseLinear

pytestmark = [pytest.mark.backend, pytest.mark.float64]


def at(schedule, steps):
    return np.array([float(ops.convert_to_numpy(schedule(step))) for step in steps])


@pytest.mark.parametrize(
    ("factors", "points"),
    [
        ({4: 1.0, 10: 0.1}, {0: 0.0, 4: 1.0, 10: 0.1}),
        ({0: 0.5, 4: 1.0}, {0: 0.5, 4: 1.0}),
        ({10: 0.1, 4: 1.0}, {0: 0.0, 4: 1.0, 10: 0.1}),
        ({0: 0.3}, {0: 0.3}),
        ({np.int64(1): 1.0, 2: 0.0, 3: 1.0}, {0: 0.0, 1: 1.0, 2: 0.0, 3: 1.0}),
    ],
    ids=str,
)
def test_straight_lines_between_the_points(factors, points):
    expected = 0.2 * np.interp(np.arange(15), list(points), list(points.values()))
    np.testing.assert_allclose(at(PiecewiseLinear(0.2, factors), range(15)), expected, rtol=1e-6, atol=1e-9)


def test_it_comes_back_from_json():
    """Where the steps are strings."""
    schedule = PiecewiseLinear(0.2, {4: 1.0, 10: 0.1}, name="warm")
    text = keras.saving.deserialize_keras_object(json.loads(json.dumps(keras.saving.serialize_keras_object(schedule))))
    assert text.get_config() == schedule.get_config()
    np.testing.assert_array_equal(at(text, range(12)), at(schedule, range(12)))


def test_an_optimizer_follows_it():
    """SGD on a constant gradient of 1 goes as far as the rates add up to: 0, 0.5, 1 and 1."""
    variable = keras.Variable(np.zeros(1, keras.config.floatx()))
    optimizer = keras.optimizers.SGD(PiecewiseLinear(1.0, {2: 1.0}))
    for _ in range(4):
        optimizer.apply([ops.ones((1,), keras.config.floatx())], [variable])
    np.testing.assert_allclose(ops.convert_to_numpy(variable), [-2.5], rtol=1e-6)


@pytest.mark.parametrize(
    ("rate", "factors"),
    [
        (0.1, {}),
        (0.1, {-1: 1.0}),
        (0.1, {2: -1.0}),
        (-0.1, {2: 1.0}),
        (0.1, {2.5: 1.0}),
        (0.1, {True: 1.0}),
        (0.1, [1]),
        (0.1, {2: float("nan")}),
        (float("nan"), {2: 1.0}),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(rate, factors):
    with pytest.raises(ValueError, match="factors" if rate == 0.1 else "learning_rate"):
        PiecewiseLinear(rate, factors)
