"""A momentum that follows the learning rate, inside a compiled step too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

Tensor = Any
"""A tensor of whatever the backend is."""


class MomentumOfRate(float):
    """The number that Keras' optimizers keep as `momentum` or `beta_1`, as a function of the learning rate's variable.

    Keras reads that number while it traces a step, and a compiled step would never see another one. Wherever a tensor
    is made of this, or it meets one, it gives what the function makes of the learning rate then; to Python, and so to
    `get_config`, comparisons and JSON, it is a plain float, the value that the optimizer was made with.
    """

    def __new__(cls, value: float, _rate: keras.Variable, _function: Callable[[Tensor], Tensor]) -> MomentumOfRate:
        """A float of this value."""
        return super().__new__(cls, value)

    def __init__(self, value: float, rate: keras.Variable, function: Callable[[Tensor], Tensor]) -> None:
        self._rate = rate
        self._function = function

    def __reduce__(self) -> tuple[type[float], tuple[float]]:
        """Copied, it is the plain float: the variable belongs to the optimizer."""
        return float, (float(self),)

    def tensor(self) -> Tensor:
        """The momentum at the learning rate that holds now."""
        return self._function(ops.convert_to_tensor(self._rate))

    def __tf_tensor__(self, dtype: Any = None, name: str | None = None) -> Tensor:
        """What TensorFlow makes a tensor of."""
        import tensorflow as tf

        tensor = self.tensor()
        return tensor if dtype is None else tf.cast(tensor, dtype)

    def __jax_array__(self) -> Tensor:
        """What JAX makes an array of."""
        return self.tensor()

    def __rsub__(self, other: Any) -> Tensor:
        """One minus it, as Adam needs it."""
        return other - self.tensor()


def low_where_high(low: float, high: float, base: float, peak: float) -> Callable[[Tensor], Tensor]:
    """The function of Smith 2018: `high` for rates up to `base`, falling linearly to `low` at `peak`."""

    def momentum(rate: Tensor) -> Tensor:
        return high - (high - low) * ops.clip((rate - base) / (peak - base), 0.0, 1.0)

    return momentum
