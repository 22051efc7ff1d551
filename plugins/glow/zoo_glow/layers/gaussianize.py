"""An elementwise map that gives grey levels a standard normal marginal."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_glow.layers.bijector import Bijector, Shape, build_once, require_rank, sum_per_sample

UNIFORM_SHARE = 0.05
EDGE = 1e-5


@keras.saving.register_keras_serializable(package="glow")
class Gaussianize(Bijector):
    """Histogram equalisation into a Gaussian: `y = Phi^-1(F(x))`, on (-1/2, 1/2), with one F for each channel.

    F is the piecewise linear distribution function of a histogram of `bins` equal bins, which `initialise(batch)`
    counts; without that it is uniform. A twentieth of every histogram is uniform, so that no bin is too thin to invert.
    Where many pixels share one level, as the background of a drawing does, plain dequantisation asks a flow to stretch
    that level's narrow bin by two orders of magnitude; here all levels start at comparable scales.

    References:
        Chen, Gopinath, 2000. Gaussianization. Advances in Neural Information Processing Systems 13.
    """

    def __init__(self, bins: int = 256, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if bins < 1:
            raise ValueError(f"Gaussianize(bins={bins}): at least 1 bin is needed")
        self.bins = bins

    def build(self, input_shape: Shape) -> None:
        """Start with uniform histograms: probability of each bin, `(channels, bins)`."""
        shape = (require_rank(self, input_shape)[-1], self.bins)
        self.probability = self.add_weight(
            name="probability", shape=shape, initializer=keras.initializers.Constant(1 / self.bins), trainable=False
        )
        self.initialised = self.add_weight(name="initialised", shape=(), initializer="zeros", trainable=False)

    def initialise(self, x: Any) -> Any:
        """Count the levels of `x`, then map it."""
        build_once(self, tuple(x.shape))
        rows = ops.reshape(self._bin(x), (-1, x.shape[-1]))
        counts = [ops.bincount(rows[:, channel], minlength=self.bins) for channel in range(x.shape[-1])]
        share = ops.cast(ops.stack(counts), self.compute_dtype) / rows.shape[0]
        self.probability.assign((1 - UNIFORM_SHARE) * share + UNIFORM_SHARE / self.bins)
        self.initialised.assign(ops.ones(()))
        return self(x)[0]

    def call(self, x: Any) -> tuple[Any, Any]:
        """Equalise."""
        bins = self._bin(x)
        before, probability = self._look_up(bins)
        inside = (x + 0.5) * self.bins - ops.cast(bins, self.compute_dtype)
        cumulative = EDGE + (1 - 2 * EDGE) * (before + probability * inside)
        y = math.sqrt(2) * ops.erfinv(2 * cumulative - 1)
        return y, sum_per_sample(self._log_slope(y, probability))

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Undo the equalisation."""
        cumulative = (0.5 * (1 + ops.erf(y / math.sqrt(2))) - EDGE) / (1 - 2 * EDGE)
        cumulative = ops.clip(cumulative, 0.0, 1.0)
        upper = self._cumulative()[:, :-1]
        found = [
            ops.searchsorted(upper[channel], ops.reshape(cumulative[..., channel], (-1,)), side="right")
            for channel in range(y.shape[-1])
        ]
        bins = ops.reshape(ops.cast(ops.stack(found, axis=-1), "int32"), ops.shape(y))
        before, probability = self._look_up(bins)
        inside = (cumulative - before) / probability
        x = (ops.cast(bins, self.compute_dtype) + inside) / self.bins - 0.5
        return x, -sum_per_sample(self._log_slope(y, probability))

    def _bin(self, x: Any) -> Any:
        return ops.cast(ops.clip(ops.floor((x + 0.5) * self.bins), 0, self.bins - 1), "int32")

    def _cumulative(self) -> Any:
        return ops.cumsum(self.probability, axis=-1)

    def _look_up(self, bins: Any) -> tuple[Any, Any]:
        """The probability below each bin, and of it."""
        probability = ops.reshape(self.probability, (-1,))
        below = ops.reshape(self._cumulative() - self.probability, (-1,))
        channels = bins.shape[-1]
        place = bins + self.bins * ops.arange(channels, dtype="int32")
        return ops.take(below, place), ops.take(probability, place)

    def _log_slope(self, y: Any, probability: Any) -> Any:
        constant = math.log(self.bins * (1 - 2 * EDGE)) + 0.5 * math.log(2 * math.pi)
        return ops.log(probability) + 0.5 * ops.square(y) + constant

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "bins": self.bins}
