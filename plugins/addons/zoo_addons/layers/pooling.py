"""Pooling over the time axis that leaves out what is masked."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_addons.layers.arguments import Shape, at_least_float32, greatest, known_width, require_positive, require_rank

LOWEST = -3e38
"""What masked values are replaced with: below any other in float32, and finite."""


class _MaskedPooling1D(keras.layers.Layer):
    """`(batch, time, channels)` to `(batch, channels)`; the mask ends here."""

    def __init__(self, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.keepdims = keepdims
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Refuse other ranks."""
        require_rank(self, input_shape, 3, "(batch, time, channels)")

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Pool what is there."""
        real = ops.ones_like(inputs[:, :, :1], dtype="bool") if mask is None else ops.cast(mask, "bool")[:, :, None]
        pooled = self._pool(ops.where(real, inputs, 0), real)
        return pooled if self.keepdims else pooled[:, 0]

    def _pool(self, x: Any, real: Any) -> Any:
        """One position out of `(batch, time, channels)`, where `real` is, `(batch, time, 1)`; elsewhere `x` is 0."""
        raise NotImplementedError

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """None: there is no time axis left."""
        return

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape without time."""
        return (input_shape[0], 1, input_shape[2]) if self.keepdims else (input_shape[0], input_shape[2])

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "keepdims": self.keepdims}


@keras.saving.register_keras_serializable(package="addons")
class MaskedMeanPooling1D(_MaskedPooling1D):
    """Mean over time of what is not masked: `y = sum_t m_t x_t / sum_t m_t`, and 0 where everything is masked.

    `keras.layers.GlobalAveragePooling1D` knows the mask, too, but is NaN for a sequence that is masked as a whole, and
    sums in half precision where that is computed in.

    Args:
        keepdims: keep the time axis, of length 1.

    Call arguments:
        inputs: `(batch, time, channels)`.
        mask: boolean, `(batch, time)`; taken from the inputs where Keras has one.

    Returns:
        `(batch, channels)`.

    Raises:
        ValueError: for another rank.

    References:
        Su, 2019. kexue.fm/archives/6810
    """

    def _pool(self, x: Any, real: Any) -> Any:
        dtype = at_least_float32(self.compute_dtype)
        count = ops.sum(ops.cast(real, dtype), axis=1, keepdims=True)
        total = ops.sum(ops.cast(x, dtype), axis=1, keepdims=True)
        return ops.cast(total / ops.maximum(count, 1), x.dtype)


@keras.saving.register_keras_serializable(package="addons")
class MaskedMaxPooling1D(_MaskedPooling1D):
    """Greatest value over time of what is not masked, by channel, and 0 where everything is masked.

    `keras.layers.GlobalMaxPooling1D` does not look at the mask.

    Args:
        keepdims: keep the time axis, of length 1.

    Call arguments:
        inputs: `(batch, time, channels)`.
        mask: boolean, `(batch, time)`; taken from the inputs where Keras has one.

    Returns:
        `(batch, channels)`.

    Raises:
        ValueError: for another rank.

    References:
        Su, 2019. kexue.fm/archives/6810
    """

    def _pool(self, x: Any, real: Any) -> Any:
        dtype = at_least_float32(self.compute_dtype)
        top = greatest(ops.where(real, ops.cast(x, dtype), LOWEST), axis=1, keepdims=True)
        return ops.cast(ops.where(ops.any(real, axis=1, keepdims=True), top, 0), x.dtype)


@keras.saving.register_keras_serializable(package="addons")
class MaskedSoftmaxPooling1D(_MaskedPooling1D):
    """Mean over time with learned weights (attention pooling), of what is not masked; 0 where everything is.

    `y = sum_t a_t x_t` with `a = softmax_t(s)` over the unmasked positions and scores `s_t = w . x_t`, or
    `s_t = w . tanh(V x_t + b)` where `units` are given. `w` starts at zero: the layer starts as the mean.

    Args:
        units: width of the hidden layer that scores a position; no hidden layer when None.
        keepdims: keep the time axis, of length 1.

    Call arguments:
        inputs: `(batch, time, channels)`.
        mask: boolean, `(batch, time)`; taken from the inputs where Keras has one.

    Returns:
        `(batch, channels)`.

    Raises:
        ValueError: for another rank, or `units` below 1.

    References:
        Yang et al., 2016. Hierarchical attention networks for document classification. NAACL
        Su, 2019. kexue.fm/archives/6810
    """

    def __init__(self, units: int | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(keepdims=keepdims, **kwargs)
        if units is not None:
            require_positive(self, "units", units)
        self.units = units

    def build(self, input_shape: Shape) -> None:
        """Create what scores a position."""
        super().build(input_shape)
        known_width(self, input_shape)
        shape = tuple(input_shape)
        if self.units is not None:
            self.hidden = keras.layers.Dense(self.units, activation="tanh", dtype=self.dtype_policy)
            self.hidden.build(shape)
            shape = (*shape[:-1], self.units)
        self.score = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros", dtype=self.dtype_policy)
        self.score.build(shape)

    def _pool(self, x: Any, real: Any) -> Any:
        dtype = at_least_float32(self.compute_dtype)
        scores = self.score(x if self.units is None else self.hidden(x))
        scores = ops.where(real, ops.cast(scores, dtype), LOWEST)
        # Not ops.softmax, which warns of a time axis of length 1.
        weights = ops.exp(scores - ops.stop_gradient(greatest(scores, axis=1, keepdims=True)))
        weights = weights / ops.sum(weights, axis=1, keepdims=True)
        return ops.cast(ops.sum(weights * ops.cast(x, dtype), axis=1, keepdims=True), x.dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "units": self.units}
