"""What the tests share."""

from __future__ import annotations

import os

import numpy as np
import pytest


def pytest_configure(config: pytest.Config) -> None:
    if os.environ.get("ZOO_TEST_FLOATX"):
        import keras

        keras.config.set_floatx(os.environ["ZOO_TEST_FLOATX"])


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.Generator(np.random.Philox(7))


@pytest.fixture(autouse=True)
def _usual_policy() -> None:
    """Tests of mixed precision leave float32 behind, where it may have been float64."""
    if os.environ.get("ZOO_TEST_FLOATX"):
        import keras

        keras.config.set_floatx(os.environ["ZOO_TEST_FLOATX"])
        keras.config.set_dtype_policy(os.environ["ZOO_TEST_FLOATX"])
