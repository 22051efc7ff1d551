"""Noise that is added in training alone."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_addons.layers.arguments import Shape, add_scalar, require_choice

DISTRIBUTIONS = ("normal", "uniform")


@keras.saving.register_keras_serializable(package="addons")
class TrainOnlyNoise(keras.layers.Layer):
    """Additive noise in training, nothing at inference: `y = x + stddev * e` with `e` of mean 0 and variance 1.

    Beyond `keras.layers.GaussianNoise`: the standard deviation is a variable, `layer.stddev`, which a callback may
    schedule while training runs (there it is a number, and compiled in); it may exceed 1; the noise may be uniform; and
    it may be relative to the size of each sample.

    Args:
        stddev: standard deviation at first, from 0.
        distribution: `normal`, or `uniform` (on `[-sqrt(3), sqrt(3)]` times `stddev`).
        relative: measure `stddev` in the sample's own root mean square. No gradient flows through that.
        seed: of the noise.

    Call arguments:
        inputs: `(batch, ...)`.
        training: whether to add noise.

    Returns:
        The inputs' shape; the mask goes on.

    Raises:
        ValueError: for a `stddev` that is negative or not finite, or an unknown distribution.

    References:
        Bishop, 1995. Training with noise is equivalent to Tikhonov regularization. Neural Computation 7(1)
        Su, 2018. kexue.fm/archives/5765
    """

    def __init__(
        self,
        stddev: float = 0.1,
        distribution: str = "normal",
        relative: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0 <= stddev < math.inf:
            raise ValueError(f"TrainOnlyNoise(stddev={stddev}): stddev must be 0 or more, and finite")
        require_choice(self, "distribution", distribution, DISTRIBUTIONS)
        self.initial_stddev = float(stddev)
        self.distribution = distribution
        self.relative = relative
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.stddev = add_scalar(self, "stddev", stddev)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Add noise in training."""
        if not training:
            return inputs
        size = ops.cast(self.stddev, inputs.dtype)
        if self.relative:
            size = size * self._root_mean_square(inputs)
        return inputs + size * self._draw(ops.shape(inputs), inputs.dtype)

    def _draw(self, shape: Any, dtype: Any) -> Any:
        if self.distribution == "normal":
            return keras.random.normal(shape, dtype=dtype, seed=self.seed_generator)
        return keras.random.uniform(shape, -(3**0.5), 3**0.5, dtype=dtype, seed=self.seed_generator)

    def _root_mean_square(self, inputs: Any) -> Any:
        x = ops.cast(ops.stop_gradient(inputs), "float32")
        axes = tuple(range(1, len(x.shape)))
        return ops.cast(ops.sqrt(ops.mean(ops.square(x), axis=axes, keepdims=True)), inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The inputs' shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        own = {"stddev": self.initial_stddev, "distribution": self.distribution, "relative": self.relative}
        return {**super().get_config(), **own, "seed": self.seed}
