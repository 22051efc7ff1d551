"""Weight normalisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo_addons.layers.arguments import at_least_float32
from zoo_addons.layers.reparameterized import ReparameterizedWeights, Replacement

EPSILON = 1e-12


@keras.saving.register_keras_serializable(package="addons")
class WeightNormalization(ReparameterizedWeights):
    """Wrapper that trains length and direction of a layer's weight vectors apart: `w = g * v / ||v||`.

    `WeightNormalization(Dense(64))(x)`. The norm is taken for each output unit; `g` starts as the norm of the layer's
    own initial weights, so that wrapping changes nothing at first. `initialise(batch)` sets `g` and the bias instead so
    that on that batch every unit has mean 0 and variance 1 before its activation. (Keras has SpectralNormalization,
    which divides by the largest singular value, and no length of its own.)

    Args:
        layer: with a `kernel` (Dense, convolutions) or `embeddings`.
        axis: the axis or axes of the weights along which every index has a vector of its own; by default that of the
            output units: the last, for transposed convolutions the last but one, for depthwise ones both, for an
            embedding the first.

    Call arguments:
        inputs: the layer's.

    Returns:
        What the layer does.

    Raises:
        ValueError: for a layer without such weights, or an axis that they don't have.

    References:
        Salimans, Kingma, 2016. Weight normalization. arXiv:1602.07868
        Su, 2018. kexue.fm/archives/6311
    """

    def __init__(self, layer: keras.layers.Layer, axis: int | Sequence[int] | None = None, **kwargs: Any) -> None:
        super().__init__(layer, **kwargs)
        self.axis = axis if axis is None or isinstance(axis, int) else list(axis)

    def build(self, input_shape: Any = None) -> None:
        """Create the lengths."""
        super().build(input_shape)
        rank = len(self._direction().shape)
        kept = _usual_axes(self.layer) if self.axis is None else self.axis
        kept = (kept,) if isinstance(kept, int) else tuple(kept)
        if not all(-rank <= axis < rank for axis in kept):
            raise ValueError(f"WeightNormalization(axis={self.axis}): the weights have {rank} axes")
        self._norm_axes = tuple(axis for axis in range(rank) if axis not in {each % rank for each in kept})
        shape = tuple(1 if axis in self._norm_axes else size for axis, size in enumerate(self._direction().shape))
        # A function, as the weights may get their values later than they are made.
        self.g = self.add_weight(name="g", shape=shape, initializer=lambda shape, dtype: self._norm(dtype))

    def _direction(self) -> keras.Variable:
        for name in ("kernel", "embeddings"):
            if isinstance(found := getattr(self.layer, name, None), keras.Variable):
                return found
        raise ValueError(f"WeightNormalization: {type(self.layer).__name__} has neither a kernel nor embeddings")

    def _norm(self, dtype: Any) -> Any:
        v = ops.cast(self._direction().value, at_least_float32(self.variable_dtype))
        squares = ops.sum(ops.square(v), axis=self._norm_axes, keepdims=True)
        return ops.cast(ops.sqrt(ops.maximum(squares, EPSILON**2)), dtype)

    def replacements(self) -> list[Replacement]:
        """The weights out of length and direction."""
        v, dtype = self._direction(), at_least_float32(self.variable_dtype)
        return [(v, ops.cast(self.g, dtype) * ops.cast(v.value, dtype) / self._norm(dtype))]

    def initialise(self, inputs: Any) -> None:
        """Set length and bias so that on this batch every unit has mean 0 and variance 1 before its activation.

        Call it outside of compiled code, on a layer whose output units are on the last axis.
        """
        if not self.built:
            self.build(inputs.shape)
        if math.prod(self.g.shape) != self.g.shape[-1]:
            raise ValueError("WeightNormalization.initialise needs output units on the last axis of the weights")
        mean, deviation = self._moments(inputs)
        self.g.assign(self.g.value / ops.reshape(deviation, self.g.shape))
        if getattr(self.layer, "bias", None) is not None:
            self.layer.bias.assign((self.layer.bias.value - mean) / deviation)

    def _moments(self, inputs: Any) -> tuple[Any, Any]:
        activation = getattr(self.layer, "activation", None)
        try:
            self.layer.activation = keras.activations.linear
            outputs = ops.cast(self(inputs), self.variable_dtype)
        finally:
            self.layer.activation = activation
        axes = tuple(range(len(outputs.shape) - 1))
        mean, variance = ops.moments(outputs, axes=axes)
        return mean, ops.sqrt(ops.maximum(variance, EPSILON))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        axis = self.axis if self.axis is None or isinstance(self.axis, int) else list(self.axis)
        return {**super().get_config(), "axis": axis}


def _usual_axes(layer: keras.layers.Layer) -> int | tuple[int, ...]:
    layers = keras.layers
    if isinstance(layer, layers.Embedding):
        return 0
    if isinstance(layer, layers.Conv1DTranspose | layers.Conv2DTranspose | layers.Conv3DTranspose):
        return -2
    if isinstance(layer, layers.DepthwiseConv1D | layers.DepthwiseConv2D):
        return (-2, -1)
    return -1
