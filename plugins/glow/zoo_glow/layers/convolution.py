"""The invertible 1x1 convolution of Glow."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo_glow.layers.bijector import Bijector, Shape, per_sample, require_rank


def random_rotation(size: int, seed: int) -> np.ndarray:
    """A random orthogonal matrix `(size, size)`, float64."""
    generator = np.random.Generator(np.random.Philox(seed))
    q, r = np.linalg.qr(generator.standard_normal((size, size)))
    return np.asarray(q * np.sign(np.diag(r)))


def lu_decompose(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Row order, unit lower and upper factors with `matrix[order] = lower @ upper` (partial pivoting)."""
    upper = matrix.astype("float64")
    size = len(upper)
    order, lower = np.arange(size), np.zeros_like(upper)
    for column in range(size):
        pivot = column + int(np.argmax(np.abs(upper[column:, column])))
        for rows in (upper, lower, order):
            rows[[column, pivot]] = rows[[pivot, column]]
        lower[column:, column] = upper[column:, column] / upper[column, column]
        upper[column + 1 :] -= np.outer(lower[column + 1 :, column], upper[column])
    return order, lower, np.triu(upper)


@lru_cache(maxsize=4)
def rotation_factors(size: int, seed: int) -> dict[str, np.ndarray]:
    """The variables of an `InvertibleConv1x1` that starts as a random rotation."""
    order, lower, upper = lu_decompose(random_rotation(size, seed))
    diagonal = np.diag(upper)
    return {
        "order": order,
        "sign": np.sign(diagonal),
        "lower": np.tril(lower, -1),
        "upper": np.triu(upper, 1),
        "log_diagonal": np.log(np.abs(diagonal)),
    }


@keras.saving.register_keras_serializable(package="glow")
class InvertibleConv1x1(Bijector):
    """Mix the channels of every pixel by one invertible matrix, `y = W x`, held as `P W = L U`.

    P is a fixed permutation, L unit lower triangular, U upper triangular with a diagonal of fixed signs and learned
    logarithms, so the log-determinant is `height * width * sum(log|diag U|)`, and the inverse is two triangular solves.
    Starts as a random rotation.

    Args:
        seed: of that rotation.

    References:
        Kingma, Dhariwal, 2018. Glow: generative flow with invertible 1x1 convolutions. arXiv:1807.03039
    """

    def __init__(self, seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed

    def build(self, input_shape: Shape) -> None:
        """Create the factors of a random rotation."""
        height, width, channels = require_rank(self, input_shape, 4)
        self._pixels = float(height * width)
        self.order = self._factor("order", (channels,), dtype="int32", trainable=False)
        self.sign = self._factor("sign", (channels,), trainable=False)
        self.lower = self._factor("lower", (channels, channels))
        self.upper = self._factor("upper", (channels, channels))
        self.log_diagonal = self._factor("log_diagonal", (channels,))

    def _factor(self, name: str, shape: tuple[int, ...], **options: Any) -> keras.Variable:
        def initializer(shape: tuple[int, ...], dtype: Any = None) -> Any:
            return ops.convert_to_tensor(rotation_factors(shape[-1], self.seed)[name], dtype)

        return self.add_weight(name=name, shape=shape, initializer=initializer, **options)

    def _triangles(self) -> tuple[Any, Any]:
        identity = ops.eye(self.order.shape[0], dtype=self.compute_dtype)
        lower = ops.tril(self.lower, -1) + identity
        upper = ops.triu(self.upper, 1) + ops.diag(self.sign * ops.exp(self.log_diagonal))
        return lower, upper

    def _log_det(self) -> Any:
        return ops.sum(self.log_diagonal) * self._pixels

    def call(self, x: Any) -> tuple[Any, Any]:
        """Mix channels."""
        lower, upper = self._triangles()
        rows = ops.matmul(lower, upper)
        matrix = ops.take(rows, ops.argsort(self.order), axis=0)
        return ops.matmul(x, ops.transpose(matrix)), per_sample(self._log_det(), x)

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Unmix channels by triangular solves."""
        lower, upper = self._triangles()
        _, height, width, channels = y.shape
        columns = ops.transpose(ops.reshape(ops.take(y, self.order, axis=-1), (-1, channels)))
        columns = ops.solve_triangular(lower, columns, lower=True)
        columns = ops.solve_triangular(upper, columns, lower=False)
        x = ops.reshape(ops.transpose(columns), (-1, height, width, channels))
        return x, per_sample(-self._log_det(), y)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "seed": self.seed}
