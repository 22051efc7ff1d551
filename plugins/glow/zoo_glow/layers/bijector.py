"""The contract of every invertible layer: a forward map, its inverse, and both log-determinants."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

Shape = tuple[int | None, ...]


def flow_dtype() -> str:
    """Full precision of the active policy: float32, or float64 under `keras.config.set_floatx("float64")`."""
    dtype: str = keras.config.dtype_policy().variable_dtype
    return dtype


def sum_per_sample(x: Any) -> Any:
    """Sum over every axis but the first: `(batch, ...)` to `(batch,)`."""
    return ops.sum(x, axis=tuple(range(1, len(x.shape))))


def per_sample(value: Any, x: Any) -> Any:
    """Repeat a scalar log-determinant for every row of `x`: shape `(batch,)`."""
    return ops.broadcast_to(value, (ops.shape(x)[0],))


def require_rank(layer: keras.layers.Layer, shape: Shape, *ranks: int) -> tuple[int, ...]:
    """The dimensions behind the batch; ValueError unless they are known and the rank is one of `ranks`, if any."""
    if ranks and len(shape) not in ranks:
        expected = " or ".join(str(rank) for rank in ranks)
        raise ValueError(f"{type(layer).__name__} takes inputs of rank {expected} (batch first), got shape {shape}")
    if any(size is None for size in shape[1:]):
        raise ValueError(f"{type(layer).__name__} needs every dimension but the batch to be known, got shape {shape}")
    return tuple(known(size) for size in shape[1:])


def bounded(x: Any, bound: float) -> Any:
    """`bound * tanh(x / bound)`: about `x` near zero, and never beyond `bound`."""
    # By way of the sigmoid, because Keras' tanh rounds float64 to float32 on JAX (keras 3.15).
    return bound * (2 * ops.sigmoid(2 * x / bound) - 1)


def known(size: int | None) -> int:
    """A dimension that `require_rank` has found to be known."""
    assert size is not None
    return size


def product(sizes: Shape) -> int:
    """The product of known dimensions."""
    return math.prod(known(size) for size in sizes)


def build_once(layer: keras.layers.Layer, shape: Shape) -> None:
    """Build `layer` unless it is built, as layers revived from a config already are."""
    if not layer.built:
        layer.build(shape)


class Bijector(keras.layers.Layer):
    """An invertible layer.

    `call(x)` returns `(y, log_det)` and `inverse(y)` returns `(x, log_det)`, where `log_det` is the logarithm of the
    absolute Jacobian determinant of the map that was applied, one number a sample: shape `(batch,)`. It is computed in
    full precision whatever the dtype policy; only networks inside couplings follow a mixed-precision policy.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", flow_dtype())
        super().__init__(**kwargs)

    def call(self, x: Any) -> tuple[Any, Any]:
        """Map `x` to `(y, log_det)`."""
        raise NotImplementedError(f"{type(self).__name__} does not define call(x)")

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Map `y` back to `(x, log_det)`."""
        raise NotImplementedError(f"{type(self).__name__} does not define inverse(y)")

    def initialise(self, x: Any) -> Any:
        """Set data-dependent state from the batch `x`, where there is any, and return `call(x)`'s output."""
        return self(x)[0]

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """The same shape, unless a layer says otherwise."""
        return input_shape

    def compute_output_spec(self, x: Any) -> Any:
        """Symbolic outputs: `y` as `compute_output_shape` says, and `log_det` `(batch,)`."""
        shapes = self.compute_output_shape(x.shape)
        log_det = keras.KerasTensor((x.shape[0],), self.compute_dtype)
        if shapes and isinstance(shapes[0], tuple):
            return tuple(keras.KerasTensor(shape, self.compute_dtype) for shape in shapes), log_det
        return keras.KerasTensor(shapes, self.compute_dtype), log_det
