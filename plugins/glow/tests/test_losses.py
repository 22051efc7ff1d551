"""The negative log-likelihood."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo_glow import NegativeLogLikelihood

pytestmark = pytest.mark.backend


def test_loss_is_the_mean_of_minus_log_prob():
    log_prob = np.array([-3.0, 1.0, -4.0], "float32")
    assert float(NegativeLogLikelihood()(np.zeros(3), log_prob)) == pytest.approx(2.0)


def test_reduction_can_be_left_out():
    values = NegativeLogLikelihood(reduction=None)(np.zeros(2), np.array([-3.0, 1.0], "float32"))
    assert np.asarray(values).tolist() == [3.0, -1.0]


def test_loss_is_known_to_keras_by_its_registered_name():
    config = keras.losses.serialize(NegativeLogLikelihood(reduction="sum"))
    assert config["registered_name"] == "glow>NegativeLogLikelihood"
    assert keras.losses.deserialize(config).reduction == "sum"
