"""The base of every flow over images: likelihood, sampling, encoding, training."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import chain
from types import GeneratorType
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo_glow.layers.bijector import Bijector
from zoo_glow.layers.chain import MultiScale
from zoo_glow.layers.dequantize import Dequantize, Logit
from zoo_glow.layers.gaussianize import Gaussianize
from zoo_glow.programs import Programs

BATCH = 250
MULTI_SCALE_LIMITS = {
    "image_shape": (1, 1024),
    "levels": (1, 8),
    "filters": (1, 2048),
    "depth": (0, 32),
    "bound": (0.01, 20),
}
"""Bounds of the arguments that flows over several scales share, for `argument_limits`."""


def bits_per_dim(log_prob: Any, dimensions: int, width: float = 1.0, levels: int = 256) -> Any:
    """Bits per dimension of a log-likelihood in nats, for data of `levels` grey levels scaled to a range of `width`.

    `width` is 1 for pixels on [0, 1] and 2 for pixels on [-1, 1]: there each level takes `width / levels`.
    """
    return math.log2(levels / width) - log_prob / (dimensions * math.log(2))


@keras.saving.register_keras_serializable(package="glow")
class Flow(keras.Model):
    """A normalising flow over uint8 images `(batch, height, width, channels)` with a standard normal prior.

    A subclass hands its `MultiScale` of bijectors to this constructor, which builds every variable at once.
    `compile(optimizer)` and `fit(images)` are enough to train: the loss is the mean of the bits per dimension, under
    fresh uniform dequantisation noise in every step, evaluation included.

    Calling the model gives the log-density in nats of each image, `(batch,)`, so a compiled loss may be
    `NegativeLogLikelihood`.

    Args:
        image_shape: `(height, width, channels)`.
        bijector: from dequantised images in [-1/2, 1/2) to flat latents `(batch, height * width * channels)`.
    """

    def __init__(self, image_shape: tuple[int, int, int], bijector: MultiScale, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.image_shape = check_image_shape(image_shape)
        self.dimensions = math.prod(self.image_shape)
        self.dequantize = Dequantize()
        self.bijector = bijector
        self.noise = keras.random.SeedGenerator(seed=0)
        shape = (None, *self.image_shape)
        self.dequantize.build(shape)
        self.bijector.build(shape)
        self.built = True
        self._programs = Programs()
        self._arguments: dict[str, Any] | None = None

    def keep_arguments(self, **arguments: Any) -> None:
        """Remember a subclass' constructor arguments for `get_config`, in plain JSON types."""
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()}
        self._arguments = {"image_shape": list(self.image_shape), **plain}

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        if self._arguments is not None:
            return dict(self._arguments)
        return {"image_shape": self.image_shape, "bijector": keras.saving.serialize_keras_object(self.bijector)}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Flow:
        """Rebuild the bijector first, where the config holds one."""
        if "bijector" in config:
            config = {**config, "bijector": keras.saving.deserialize_keras_object(config["bijector"])}
        return cls(**config)

    # Likelihood

    def call(self, x: Any) -> Any:
        """Log-density in nats of each image under fresh dequantisation noise: `(batch,)`."""
        self._check_type(x)
        return self._log_prob(x, self.dequantize.random(ops.shape(x), self.noise))

    def _log_prob(self, x: Any, noise: Any) -> Any:
        y, log_det = self.dequantize(x, noise=noise)
        z, inner = self.bijector(y)
        return standard_normal_log_prob(z) + log_det + inner

    def log_prob(self, x: Any, seed: int = 0) -> np.ndarray:
        """Log-density in nats of each uint8 image, `(batch,)`, with dequantisation noise drawn from `seed`.

        The noise depends on `seed` and an image's place alone, so one image's figure does not change with the others,
        and is the same on every backend.
        """
        x = self._check_images(x)
        generator = np.random.Generator(np.random.Philox(seed))
        batches = ((rows, self.dequantize.draw(rows.shape, generator)) for rows in in_batches(x))
        return np.concatenate([self._run(self._log_prob, len(x), *batch) for batch in batches])

    def bits_per_dim(self, x: Any, seed: int = 0) -> np.ndarray:
        """Bits per dimension of each uint8 image over the image's own dimensions, `(batch,)`; see `log_prob`."""
        return np.asarray(bits_per_dim(self.log_prob(x, seed), self.dimensions, levels=1))

    # Latents

    def encode(self, x: Any) -> np.ndarray:
        """The latents of uint8 images, taken at the middle of each grey level: `(batch, dimensions)`."""
        x = self._check_images(x)
        return np.concatenate([self._run(self._encode, len(x), rows) for rows in in_batches(x)])

    def _encode(self, x: Any) -> Any:
        return self.bijector(self.dequantize(x)[0])[0]

    def decode(self, z: Any) -> np.ndarray:
        """The uint8 images `(batch, height, width, channels)` of latents `(batch, dimensions)`."""
        z = np.asarray(z)
        if z.ndim != 2 or z.shape[1] != self.dimensions:
            raise ValueError(f"decode takes latents of shape (batch, {self.dimensions}), got {z.shape}")
        return np.concatenate([self._run(self._decode, len(z), rows) for rows in in_batches(z)])

    def _decode(self, z: Any) -> Any:
        z = ops.cast(z, self.bijector.compute_dtype)
        return self.dequantize.inverse(self.bijector.inverse(z)[0])[0]

    def sample(self, n: int, temperature: float = 1.0, seed: int = 0) -> np.ndarray:
        """Draw `n` uint8 images; `temperature` scales the latents' standard deviation.

        The noise is drawn with NumPy's Philox: one seed, one picture, on every backend.
        """
        if n < 1:
            raise ValueError(f"sample(n={n}): at least one image must be asked for")
        if not 0 <= temperature < math.inf:
            raise ValueError(f"sample(temperature={temperature}): the temperature must be finite and not negative")
        generator = np.random.Generator(np.random.Philox(seed))
        return self.decode(temperature * generator.standard_normal((n, self.dimensions), dtype=np.float32))

    def interpolate(self, a: Any, b: Any, steps: int = 8) -> np.ndarray:
        """Images on the straight line between the latents of images `a` and `b` `(h, w, c)`, both ends included."""
        if steps < 2:
            raise ValueError(f"interpolate(steps={steps}): at least 2 steps are needed, the two ends")
        first, last = self.encode(np.stack([np.asarray(a), np.asarray(b)]))
        weights = np.linspace(0, 1, steps, dtype=first.dtype)[:, None]
        return self.decode(first * (1 - weights) + last * weights)

    # Training

    def initialise(self, x: Any) -> None:
        """Set data-dependent state from the uint8 images `x`, layer by layer; `fit` does it on its first batch."""
        x = self._check_images(x)
        noise = self.dequantize.draw(x.shape, np.random.Generator(np.random.Philox(0)))
        self.bijector.initialise(self.dequantize(x, noise=noise)[0])

    @property
    def initialised(self) -> bool:
        """Whether data-dependent state has been set."""
        flags = [layer.initialised for layer in walk(self.bijector) if hasattr(layer, "initialised")]
        return all(bool(ops.convert_to_numpy(flag.value)) for flag in flags)

    def fit(self, x: Any = None, y: Any = None, batch_size: int | None = None, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.fit`; initialises from the first batch where that has not been done."""
        if not self.initialised:
            batch, x = first_batch(x, batch_size or 64)
            self.initialise(batch)
        return super().fit(x, y, batch_size, *args, **kwargs)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Mean bits per dimension, unless a loss was compiled; either one weighted where weights are given."""
        if self._compile_loss is not None:
            y = ops.zeros_like(y_pred) if y is None else y
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        bits = bits_per_dim(y_pred, self.dimensions, levels=1)
        return ops.mean(bits if sample_weight is None else bits * ops.cast(sample_weight, bits.dtype))

    # Inside

    def _run(self, function: Callable[..., Any], rows: int, *arrays: np.ndarray) -> np.ndarray:
        return self._programs.run(self, function, arrays, compiled=rows > 4 * BATCH)

    def _check_images(self, x: Any) -> np.ndarray:
        x = np.asarray(x)
        self._check_type(x)
        if not len(x):
            raise ValueError(f"{type(self).__name__} got no images: shape {x.shape}")
        return x

    def _check_type(self, x: Any) -> None:
        dtype = keras.backend.standardize_dtype(x.dtype)
        if dtype != "uint8":
            raise TypeError(f"{type(self).__name__} takes uint8 images with values 0-255, got {dtype}")
        if len(x.shape) != 4 or tuple(x.shape[1:]) != self.image_shape:
            expected = ", ".join(str(size) for size in self.image_shape)
            raise ValueError(f"{type(self).__name__} takes images of shape (batch, {expected}), got {tuple(x.shape)}")


def register_flow(flow: type[Flow]) -> type[Flow]:
    """Register a flow with Keras as `glow>ClassName`."""
    registered: type[Flow] = keras.saving.register_keras_serializable(package="glow")(flow)
    return registered


def preprocessing(name: str) -> list[Bijector]:
    """The bijectors that prepare dequantised pixels: "none", "logit" or "gaussianize"."""
    if name not in ("none", "logit", "gaussianize"):
        raise ValueError(f"preprocess={name!r}: it must be 'none', 'logit' or 'gaussianize'")
    return [] if name == "none" else [Logit()] if name == "logit" else [Gaussianize()]


def check_image_shape(shape: Any) -> tuple[int, int, int]:
    """`(height, width, channels)` as a tuple of positive integers, or ValueError."""
    sizes = tuple(int(size) for size in shape)
    if len(sizes) != 3 or min(sizes) < 1:
        raise ValueError(f"image_shape must be (height, width, channels), all positive, got {tuple(shape)}")
    height, width, channels = sizes
    return height, width, channels


def standard_normal_log_prob(z: Any) -> Any:
    """Log-density in nats of flat latents `(batch, dimensions)` under N(0, 1): `(batch,)`."""
    constant = 0.5 * math.log(2 * math.pi) * z.shape[-1]
    return -0.5 * ops.sum(ops.square(z), axis=-1) - constant


def in_batches(x: np.ndarray, size: int = BATCH) -> Iterator[np.ndarray]:
    """Consecutive slices of at most `size` rows."""
    return (x[start : start + size] for start in range(0, len(x), size))


def first_batch(x: Any, size: int) -> tuple[np.ndarray, Any]:
    """The first images of what `fit` was given, and what to fit: `x`, or a generator that yields that batch again."""
    if isinstance(x, GeneratorType):
        batch = next(x)
        x = (item for item in chain([batch], x))
    elif isinstance(x, keras.utils.PyDataset):
        batch = x[0]
    else:
        batch = x[:size] if hasattr(x, "shape") else next(iter(x))
    images = batch[0] if isinstance(batch, tuple) else batch
    return np.asarray(ops.convert_to_numpy(images)), x


def walk(layer: keras.layers.Layer) -> Iterator[Bijector]:
    """Every bijector inside `layer`."""
    for inner in layer._flatten_layers():
        if isinstance(inner, Bijector):
            yield inner
