"""Elementwise affine bijections: activation normalisation and the diagonal scale of NICE."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_glow.layers.bijector import Bijector, Shape, build_once, per_sample, product, require_rank

CONSTANT = 1e-6
SHRINKAGE = 0.1


@keras.saving.register_keras_serializable(package="glow")
class ActNorm(Bijector):
    """Activation normalisation: `y = (x - mean) / deviation`, learned, started from the first batch.

    `initialise(batch)` makes every channel of its output zero-mean with unit variance. A channel that is constant in
    that batch keeps deviation 1, so it is centred and nothing divides by zero. Without initialisation the layer starts
    as the identity.

    Args:
        per_position: one mean and deviation for every position and channel instead of one a channel. For images that
            are centred in their frame this tells the border from the middle at once.

    References:
        Kingma, Dhariwal, 2018. Glow: generative flow with invertible 1x1 convolutions. arXiv:1807.03039
    """

    def __init__(self, per_position: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.per_position = per_position

    def build(self, input_shape: Shape) -> None:
        """Create mean, logarithm of the deviation, and the flag that says whether data has set them."""
        sizes = require_rank(self, input_shape)
        shape = sizes if self.per_position else sizes[-1:]
        self.mean = self.add_weight(name="mean", shape=shape, initializer="zeros")
        self.log_deviation = self.add_weight(name="log_deviation", shape=shape, initializer="zeros")
        self.initialised = self.add_weight(name="initialised", shape=(), initializer="zeros", trainable=False)
        self._repeats = 1.0 if self.per_position else float(product(sizes[:-1]))

    def call(self, x: Any) -> tuple[Any, Any]:
        """Normalise."""
        y = (x - self.mean) * ops.exp(-self.log_deviation)
        return y, per_sample(-self._log_deviation_sum(), x)

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Undo the normalisation."""
        x = y * ops.exp(self.log_deviation) + self.mean
        return x, per_sample(self._log_deviation_sum(), y)

    def initialise(self, x: Any) -> Any:
        """Set mean and deviation to those of `x`, then normalise it."""
        build_once(self, tuple(x.shape))
        axes = (0,) if self.per_position else tuple(range(len(x.shape) - 1))
        mean = ops.mean(x, axis=axes)
        variance = ops.mean(ops.square(x - mean), axis=axes)
        if self.per_position:
            variance = (1 - SHRINKAGE) * variance + SHRINKAGE * ops.mean(variance)
        deviation = ops.sqrt(variance)
        deviation = ops.where(deviation > CONSTANT, deviation, ops.ones_like(deviation))
        self.mean.assign(mean)
        self.log_deviation.assign(ops.log(deviation))
        self.initialised.assign(ops.ones(()))
        return self(x)[0]

    def _log_deviation_sum(self) -> Any:
        return ops.sum(self.log_deviation) * self._repeats

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "per_position": self.per_position}


@keras.saving.register_keras_serializable(package="glow")
class DiagonalScale(Bijector):
    """Scale every dimension by its own positive factor: `y = x * exp(log_scale)`, any rank.

    Under a standard normal prior a large scale marks a dimension that hardly matters. `initialise(batch)` starts from
    the inverse of each dimension's root mean square, drawn a little towards their mean, so that rare pixels do not
    start out with huge scales.

    References:
        Dinh, Krueger, Bengio, 2014. NICE: non-linear independent components estimation. arXiv:1410.8516
    """

    def build(self, input_shape: Shape) -> None:
        """Create one log-scale a dimension."""
        shape = require_rank(self, input_shape)
        self.log_scale = self.add_weight(name="log_scale", shape=shape, initializer="zeros")

        self.initialised = self.add_weight(name="initialised", shape=(), initializer="zeros", trainable=False)

    def initialise(self, x: Any) -> Any:
        """Set the scales from `x`, then scale it."""
        build_once(self, tuple(x.shape))
        power = ops.mean(ops.square(x), axis=0)
        power = (1 - SHRINKAGE) * power + SHRINKAGE * ops.mean(power)
        self.log_scale.assign(-0.5 * ops.log(ops.maximum(power, CONSTANT**2)))
        self.initialised.assign(ops.ones(()))
        return self(x)[0]

    def call(self, x: Any) -> tuple[Any, Any]:
        """Scale."""
        return x * ops.exp(self.log_scale), per_sample(ops.sum(self.log_scale), x)

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Unscale."""
        return y * ops.exp(-self.log_scale), per_sample(-ops.sum(self.log_scale), y)
