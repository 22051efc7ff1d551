"""Containers: a chain of bijectors, and levels that factor latents out on the way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo_glow.layers.bijector import Bijector, Shape, build_once, product


def _serialise(layers: Sequence[keras.layers.Layer]) -> list[Any]:
    return [keras.saving.serialize_keras_object(layer) for layer in layers]


@keras.saving.register_keras_serializable(package="glow")
class Chain(Bijector):
    """Apply bijectors one after the other, and backwards; their log-determinants add up.

    Args:
        bijectors: layers by the `Bijector` contract. Only the last one may be a `FactorOut`.
    """

    def __init__(self, bijectors: Sequence[Bijector], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not bijectors:
            raise ValueError("Chain needs at least one bijector")
        self.bijectors = list(bijectors)

    def build(self, input_shape: Shape) -> None:
        """Build every bijector for the shape that reaches it."""
        shape: Any = input_shape
        for bijector in self.bijectors:
            build_once(bijector, shape)
            shape = bijector.compute_output_shape(shape)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        """The last bijector's output shape."""
        shape: Any = input_shape
        for bijector in self.bijectors:
            shape = bijector.compute_output_shape(shape)
        return shape

    def call(self, x: Any) -> tuple[Any, Any]:
        """Forward, first to last."""
        total = ops.zeros((ops.shape(x)[0],), self.compute_dtype)
        for bijector in self.bijectors:
            x, log_det = bijector(x)
            total = total + log_det
        return x, total

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Backward, last to first."""
        first = y[0] if isinstance(y, tuple) else y
        total = ops.zeros((ops.shape(first)[0],), self.compute_dtype)
        for bijector in reversed(self.bijectors):
            y, log_det = bijector.inverse(y)
            total = total + log_det
        return y, total

    def initialise(self, x: Any) -> Any:
        """Initialise each bijector with what reaches it."""
        build_once(self, tuple(x.shape))
        for bijector in self.bijectors:
            x = bijector.initialise(x)
        return x

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "bijectors": _serialise(self.bijectors)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Chain:
        """Rebuild the bijectors first."""
        revive = keras.saving.deserialize_keras_object
        return cls(**{**config, "bijectors": [revive(item) for item in config["bijectors"]]})


@keras.saving.register_keras_serializable(package="glow")
class MultiScale(Bijector):
    """Levels in a row, each factoring out latents: `(batch, ...)` to one flat latent `(batch, dimensions)`.

    Every level but the last ends in a `FactorOut`; what it keeps goes on to the next level.

    Args:
        levels: chains, the finest first.

    References:
        Dinh, Sohl-Dickstein, Bengio, 2017. Density estimation using Real NVP. arXiv:1605.08803
    """

    def __init__(self, levels: Sequence[Chain], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not levels:
            raise ValueError("MultiScale needs at least one level")
        self.levels = list(levels)

    def build(self, input_shape: Shape) -> None:
        """Build the levels and note the shape of the latent that each one lets out."""
        self._latent_shapes: list[tuple[int, ...]] = []
        shape: Any = input_shape
        for level in self.levels[:-1]:
            build_once(level, shape)
            shape, latent = level.compute_output_shape(shape)
            self._latent_shapes.append(latent[1:])
        build_once(self.levels[-1], shape)
        self._latent_shapes.append(self.levels[-1].compute_output_shape(shape)[1:])
        self._sizes = [product(shape) for shape in self._latent_shapes]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """One flat latent of as many dimensions as the input has."""
        return (input_shape[0], product(input_shape[1:]))

    def call(self, x: Any) -> tuple[Any, Any]:
        """Image to latent."""
        total = ops.zeros((ops.shape(x)[0],), self.compute_dtype)
        latents = []
        for level in self.levels[:-1]:
            (x, latent), log_det = level(x)
            latents.append(latent)
            total = total + log_det
        x, log_det = self.levels[-1](x)
        return self._join([*latents, x]), total + log_det

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Latent to image."""
        latents = self._separate(y)
        x, total = self.levels[-1].inverse(latents[-1])
        for level, latent in zip(reversed(self.levels[:-1]), reversed(latents[:-1]), strict=True):
            x, log_det = level.inverse((x, latent))
            total = total + log_det
        return x, total

    def initialise(self, x: Any) -> Any:
        """Initialise each level with what reaches it."""
        build_once(self, tuple(x.shape))
        latents = []
        for level in self.levels[:-1]:
            x, latent = level.initialise(x)
            latents.append(latent)
        return self._join([*latents, self.levels[-1].initialise(x)])

    def _join(self, latents: Sequence[Any]) -> Any:
        flat = [ops.reshape(z, (-1, size)) for z, size in zip(latents, self._sizes, strict=True)]
        return ops.concatenate(flat, axis=-1)

    def _separate(self, y: Any) -> list[Any]:
        latents, start = [], 0
        for shape, size in zip(self._latent_shapes, self._sizes, strict=True):
            latents.append(ops.reshape(y[:, start : start + size], (-1, *shape)))
            start += size
        return latents

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "levels": _serialise(self.levels)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> MultiScale:
        """Rebuild the levels first."""
        revive = keras.saving.deserialize_keras_object
        return cls(**{**config, "levels": [revive(item) for item in config["levels"]]})
