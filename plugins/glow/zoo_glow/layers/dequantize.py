"""From 8-bit images to real numbers and back: dequantisation and the logit."""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo_glow.layers.bijector import Bijector, Shape, per_sample, product, sum_per_sample

NOISE_STEPS = 2**15


@keras.saving.register_keras_serializable(package="glow")
class Dequantize(Bijector):
    """Spread each grey level over its bin: `y = (x + u) / levels - 1/2` with `u` uniform on [0, 1).

    With an explicit `noise` the map is deterministic, and `inverse` gives the very integers back. The noise is an odd
    multiple of 2^-16, which float32 can add to 255 without rounding and which is never 0 or 1. Unlike the other
    bijectors' its input is discrete: the log-determinant is that of the rescaling, `-dimensions * log(levels)`, so that
    densities downstream are densities of the quantised data (Theis et al., 2016, arXiv:1511.01844).

    Args:
        levels: number of grey levels.
    """

    def __init__(self, levels: int = 256, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if levels < 2:
            raise ValueError(f"Dequantize(levels={levels}): at least 2 levels are needed")
        self.levels = levels

    def build(self, input_shape: Shape) -> None:
        """Count the dimensions."""
        self._dimensions = product(input_shape[1:])

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
        """Noise for images of `shape`, float32 in [0, 1), the same on every backend."""
        steps = generator.integers(0, NOISE_STEPS, shape, dtype=np.uint16)
        return ((steps + np.float32(0.5)) / NOISE_STEPS).astype("float32")

    def random(self, shape: Any, seed: keras.random.SeedGenerator) -> Any:
        """Noise drawn inside a compiled step."""
        noise = keras.random.uniform(shape, dtype="float32", seed=seed)
        return (ops.floor(noise * NOISE_STEPS) + 0.5) / NOISE_STEPS

    def call(self, x: Any, noise: Any = 0.5) -> tuple[Any, Any]:
        """Integers to real numbers in [-1/2, 1/2); `noise` 0.5 is the middle of the bin."""
        y = (ops.cast(x, self.compute_dtype) + ops.cast(noise, self.compute_dtype)) / self.levels - 0.5
        return y, per_sample(ops.cast(-self._dimensions * math.log(self.levels), self.compute_dtype), x)

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Real numbers to the integers of their bins, as uint8 for up to 256 levels."""
        log_det = per_sample(ops.cast(self._dimensions * math.log(self.levels), self.compute_dtype), y)
        levels = ops.clip(ops.floor((y + 0.5) * self.levels), 0, self.levels - 1)
        return ops.cast(levels, "uint8" if self.levels <= 256 else "int32"), log_det

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "levels": self.levels}


@keras.saving.register_keras_serializable(package="glow")
class Logit(Bijector):
    """From (-1/2, 1/2) to the real line: `y = logit(alpha + (1 - 2 alpha) (x + 1/2))`.

    Args:
        alpha: how far the ends stay from 0 and 1.

    References:
        Papamakarios, Pavlakou, Murray, 2017. Masked autoregressive flow. arXiv:1705.07057
    """

    def __init__(self, alpha: float = 0.05, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 < alpha < 0.5:
            raise ValueError(f"Logit(alpha={alpha}): alpha must lie between 0 and 0.5")
        self.alpha = alpha

    def call(self, x: Any) -> tuple[Any, Any]:
        """Stretch."""
        p = self.alpha + (1 - 2 * self.alpha) * (x + 0.5)
        y = ops.log(p) - ops.log1p(-p)
        return y, sum_per_sample(self._log_slope(y))

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Squash."""
        x = (ops.sigmoid(y) - self.alpha) / (1 - 2 * self.alpha) - 0.5
        return x, -sum_per_sample(self._log_slope(y))

    def _log_slope(self, y: Any) -> Any:
        return ops.softplus(y) + ops.softplus(-y) + math.log(1 - 2 * self.alpha)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "alpha": self.alpha}
