"""Bijections that only move values: squeezing space into channels, and permuting channels."""

from __future__ import annotations

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from zoo_glow.layers.bijector import Bijector, Shape, known, per_sample, product, require_rank


@keras.saving.register_keras_serializable(package="glow")
class Squeeze(Bijector):
    """Trade space for channels: `(batch, h, w, c)` to `(batch, h/block, w/block, c*block*block)`.

    Args:
        block: side of the square that becomes channels.

    Raises:
        ValueError: where height or width is no multiple of `block`.

    References:
        Dinh, Sohl-Dickstein, Bengio, 2017. Density estimation using Real NVP. arXiv:1605.08803
    """

    def __init__(self, block: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if block < 1:
            raise ValueError(f"Squeeze(block={block}): block must be at least 1")
        self.block = block

    def build(self, input_shape: Shape) -> None:
        """Check that the image divides into blocks."""
        height, width, _ = require_rank(self, input_shape, 4)
        if height % self.block or width % self.block:
            raise ValueError(
                f"Squeeze(block={self.block}) needs height and width to be multiples of {self.block}, "
                f"got {height}x{width}: crop or pad the images, or use fewer levels"
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Smaller by `block` in space, larger by `block` squared in channels."""
        batch, height, width, channels = input_shape
        height, width, channels = known(height), known(width), known(channels)
        return (batch, height // self.block, width // self.block, channels * self.block**2)

    def call(self, x: Any) -> tuple[Any, Any]:
        """Space to channels."""
        _, height, width, channels = x.shape
        block = self.block
        y = ops.reshape(x, (-1, height // block, block, width // block, block, channels))
        y = ops.transpose(y, (0, 1, 3, 5, 2, 4))
        y = ops.reshape(y, (-1, height // block, width // block, channels * block * block))
        return y, per_sample(ops.zeros((), self.compute_dtype), x)

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Channels to space."""
        _, height, width, channels = y.shape
        block = self.block
        x = ops.reshape(y, (-1, height, width, channels // block**2, block, block))
        x = ops.transpose(x, (0, 1, 4, 2, 5, 3))
        x = ops.reshape(x, (-1, height * block, width * block, channels // block**2))
        return x, per_sample(ops.zeros((), self.compute_dtype), y)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "block": self.block}


@keras.saving.register_keras_serializable(package="glow")
class Permute(Bijector):
    """Reorder the last axis, reversed or by a fixed random permutation; any rank from 2 on.

    Args:
        order: "reverse" or "random".
        seed: of the random permutation, the same on every backend and machine.
    """

    def __init__(self, order: Literal["reverse", "random"] = "reverse", seed: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if order not in ("reverse", "random"):
            raise ValueError(f"Permute(order={order!r}): order must be 'reverse' or 'random'")
        self.order = order
        self.seed = seed
        self._forward: list[int] = []
        self._backward: list[int] = []

    def build(self, input_shape: Shape) -> None:
        """Draw the permutation."""
        channels = known(input_shape[-1])
        order = np.arange(channels)[::-1]
        if self.order == "random":
            order = np.random.Generator(np.random.Philox(self.seed)).permutation(channels)
        self._forward = order.tolist()
        self._backward = np.argsort(order).tolist()

    def call(self, x: Any) -> tuple[Any, Any]:
        """Permute."""
        return ops.take(x, self._forward, axis=-1), per_sample(ops.zeros((), self.compute_dtype), x)

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Undo the permutation."""
        return ops.take(y, self._backward, axis=-1), per_sample(ops.zeros((), self.compute_dtype), y)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "order": self.order, "seed": self.seed}


@keras.saving.register_keras_serializable(package="glow")
class Flatten(Bijector):
    """Images as vectors: `(batch, height, width, channels)` to `(batch, height * width * channels)`."""

    def build(self, input_shape: Shape) -> None:
        """Remember the shape to go back to."""
        self._image_shape = require_rank(self, input_shape, 4)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """One long axis."""
        return (input_shape[0], product(input_shape[1:]))

    def call(self, x: Any) -> tuple[Any, Any]:
        """Flatten."""
        y = ops.reshape(x, (-1, product(self._image_shape)))
        return y, per_sample(ops.zeros((), self.compute_dtype), x)

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Restore the image's shape."""
        return ops.reshape(y, (-1, *self._image_shape)), per_sample(ops.zeros((), self.compute_dtype), y)
