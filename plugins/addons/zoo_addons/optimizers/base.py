"""What the optimizers here share: gradients of embeddings taken rightly, and checks of their arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo_core.rows import unique_rows

Tensor = Any
"""A tensor of whatever the backend is."""


class RowOptimizer(keras.optimizers.Optimizer):
    """An optimizer that sums the gradients of a row before it does anything with them.

    On TensorFlow an embedding's gradient is a `tf.IndexedSlices`: a list of rows, in which a row stands as often as the
    batch names it. Keras clips and squares these one by one, and the sum of squares is not the square of the sum.
    """

    def apply(self, grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        """Update the variables, as `keras.optimizers.Optimizer.apply` does."""
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        summed = [self._summed(gradient, variable) for gradient, variable in zip(grads, variables, strict=True)]
        super().apply(summed, None if trainable_variables is None else variables)

    def _summed(self, gradient: Tensor, variable: keras.Variable) -> Tensor:
        if not is_sparse(gradient):
            return gradient
        import tensorflow as tf

        if self.loss_scale_factor is not None:
            # Keras would divide it, which IndexedSlices cannot be.
            return dense(gradient, variable)
        rows, values = unique_rows(gradient.indices, gradient.values)
        return tf.IndexedSlices(values, rows, gradient.dense_shape)

    def _step(self, variable: keras.Variable) -> Tensor:
        """The number of this step, from 1, as a float of at least single precision."""
        return ops.cast(self.iterations + 1, precise(variable))


def power(base: float, exponent: Tensor) -> Tensor:
    """`base ** exponent`, computed in the exponent's type: `ops.cast` would first round the base to float32."""
    return ops.power(ops.convert_to_tensor(base, dtype=exponent.dtype), exponent)


def is_sparse(gradient: Tensor) -> bool:
    """Whether it is a `tf.IndexedSlices`."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return isinstance(gradient, tf.IndexedSlices)


def dense(gradient: Tensor, variable: keras.Variable) -> Tensor:
    """The gradient as a tensor of the variable's shape and type."""
    if is_sparse(gradient):
        import tensorflow as tf

        gradient = tf.math.unsorted_segment_sum(gradient.values, gradient.indices, variable.shape[0])
    return ops.cast(gradient, dtype_of(variable))


def dtype_of(variable: keras.Variable) -> str:
    """The name of a variable's type; on TensorFlow an optimizer is given a tf.Variable."""
    return str(keras.backend.standardize_dtype(variable.dtype))


def precise(variable: keras.Variable) -> str:
    """The type to compute numbers like beta ** step in."""
    return "float64" if dtype_of(variable) == "float64" else "float32"


def at_least_tiny(epsilon: float, variable: keras.Variable) -> float:
    """Epsilon, or the least number that the variable's type does not round to zero, if that is more."""
    return max(epsilon, 6.2e-5) if dtype_of(variable) == "float16" else epsilon


def norm_of(tensor: Tensor) -> Tensor:
    """The Euclidean norm, at least in single precision: in half precision the squares may overflow."""
    if keras.backend.standardize_dtype(tensor.dtype) in ("float16", "bfloat16"):
        tensor = ops.cast(tensor, "float32")
    return ops.sqrt(ops.sum(ops.square(tensor)))


def check_between(
    name: str, value: float, low: float = 0.0, high: float = float("inf"), *, open_high: bool = False
) -> None:
    """Raise ValueError unless it is a number from `low` to `high`, or below `high` where that is open."""
    inside = isinstance(value, int | float) and low <= value <= high and not (open_high and value == high)
    if not inside:
        wanted = f"at least {low:g}" if high == float("inf") else f"from {low:g} to {'below ' * open_high}{high:g}"
        raise ValueError(f"`{name}` must be a number {wanted}. Received: {name}={value!r}")


def check_patterns(name: str, patterns: Any) -> None:
    """Raise ValueError unless these are regular expressions."""
    try:
        for pattern in patterns:
            re.compile(pattern)
    except (TypeError, re.error) as failure:
        raise ValueError(
            f"`{name}` must be regular expressions. Received: {name}={patterns!r} ({failure})"
        ) from failure


def check_decays(**rates: float) -> None:
    """Raise ValueError unless each is in [0, 1)."""
    for name, value in rates.items():
        check_between(name, value, 0.0, 1.0, open_high=True)
