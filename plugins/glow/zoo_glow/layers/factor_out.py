"""Factoring out half of the channels under a prior that is read off the other half."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_glow.layers.bijector import Bijector, Shape, bounded, known, require_rank, sum_per_sample


@keras.saving.register_keras_serializable(package="glow")
class FactorOut(Bijector):
    """Let half of the channels leave: `call(x) -> ((kept, z), log_det)`, `inverse((kept, z)) -> (x, log_det)`.

    The leaving half is normalised by a mean and a deviation that one convolution reads off the kept half,
    `z = (dropped - mean(kept)) / deviation(kept)`: still a bijection, and every latent has the prior N(0, 1). The
    convolution starts at zero, so that `z` starts as the dropped half.

    Args:
        bound: largest absolute log-deviation.

    References:
        Dinh, Sohl-Dickstein, Bengio, 2017. Density estimation using Real NVP. arXiv:1605.08803
        Kingma, Dhariwal, 2018. Glow. arXiv:1807.03039 (its `split2d`)
    """

    def __init__(self, bound: float = 6.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not bound > 0:
            raise ValueError(f"FactorOut(bound={bound}): bound must be positive")
        self.bound = bound

    def build(self, input_shape: Shape) -> None:
        """Create the convolution of the prior."""
        require_rank(self, input_shape, 4)
        kept, dropped = self.compute_output_shape(input_shape)
        if not dropped[-1]:
            raise ValueError(f"FactorOut needs at least 2 channels, got shape {input_shape}")
        self.prior = keras.layers.Conv2D(
            2 * dropped[-1], 3, padding="same", kernel_initializer="zeros", dtype=self.dtype_policy
        )
        self.prior.build(kept)

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """The shapes of `kept` and `z`."""
        channels = known(input_shape[-1])
        return (*input_shape[:-1], channels - channels // 2), (*input_shape[:-1], channels // 2)

    def _mean_and_log_deviation(self, kept: Any) -> tuple[Any, Any]:
        parameters = self.prior(kept)
        middle = parameters.shape[-1] // 2
        return parameters[..., :middle], bounded(parameters[..., middle:], self.bound)

    def call(self, x: Any) -> tuple[tuple[Any, Any], Any]:
        """Split off and normalise."""
        middle = x.shape[-1] - x.shape[-1] // 2
        kept, dropped = x[..., :middle], x[..., middle:]
        mean, log_deviation = self._mean_and_log_deviation(kept)
        z = (dropped - mean) * ops.exp(-log_deviation)
        return (kept, z), -sum_per_sample(log_deviation)

    def inverse(self, y: tuple[Any, Any]) -> tuple[Any, Any]:
        """Undo the normalisation and join."""
        kept, z = y
        mean, log_deviation = self._mean_and_log_deviation(kept)
        dropped = z * ops.exp(log_deviation) + mean
        return ops.concatenate([kept, dropped], axis=-1), sum_per_sample(log_deviation)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "bound": self.bound}
