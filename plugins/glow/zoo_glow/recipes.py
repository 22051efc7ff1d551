"""How the flows are trained and measured: settings by data set, schedule, metrics, baselines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from zoo_core.errors import DataError, RecipeError
from zoo_core.recipes import ImageRecipe
from zoo_glow.levels import each_level

if TYPE_CHECKING:
    import keras

    from zoo_core.data import Splits

INITIAL_IMAGES = 512
SHEET: dict[str, Any] = {"count": 64, "temperature": 0.7, "seed": 0}


@dataclass(frozen=True, kw_only=True)
class FlowRecipe(ImageRecipe):
    """Maximum likelihood with Adam: warm-up, cosine decay, clipped gradients, averaged weights.

    The loss is bits per dimension under fresh uniform dequantisation noise; what is saved are the averaged weights.
    """

    data: str = "fashion-mnist"
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 2e-3
    warmup: int = 200
    """Steps in which the learning rate rises to its full height."""
    clipnorm: float = 1.0
    """Largest global norm of the gradient."""
    average: float = 0.998
    """Momentum of the moving average of the weights."""

    def initialise(self, model: keras.Model, data: Splits) -> None:
        """Start activation normalisation from the first images."""
        model.initialise(data.train[:INITIAL_IMAGES])

    def compile(self, model: keras.Model, steps: int) -> None:
        """Adam under a cosine schedule."""
        import keras

        warmup = min(self.warmup, steps // 2)
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, steps - warmup), warmup_target=self.learning_rate, warmup_steps=warmup
        )
        model.compile(
            keras.optimizers.Adam(schedule, global_clipnorm=self.clipnorm, use_ema=True, ema_momentum=self.average)
        )

    def sample(self, model: keras.Model, folder: Path, epoch: int) -> None:
        """A sheet of samples."""
        from zoo_glow.callbacks import write_sample_sheet

        write_sample_sheet(model, folder / f"epoch-{epoch:04d}.png", **SHEET)

    def evaluate(self, model: keras.Model, data: Splits, seed: int, limit: int | None = None) -> dict[str, float]:
        """Bits per dimension of the test images, and how many of them an encode-decode round trip does not restore."""
        images = data.test[:limit]
        bits = model.bits_per_dim(images, seed=seed)
        restored = model.decode(model.encode(images))
        return {
            "bits_per_dim": float(bits.mean()),
            "bits_per_dim_standard_error": float(bits.std() / math.sqrt(len(bits))),
            "images_not_restored": float((restored != images).any(axis=(1, 2, 3)).sum()),
        }

    def tolerance(self, metric: str, standard_error: float) -> float:
        """Another processor rounds otherwise, so one image in a thousand may be restored here and not there."""
        return 10.0 if metric == "images_not_restored" else super().tolerance(metric, standard_error)

    def baselines(self, data: Splits) -> dict[str, float]:
        """A histogram of grey levels for each pixel, the pixels independent of one another."""
        return {"per_pixel_histogram_bits_per_dim": histogram_bits_per_dim(data.train, data.test)}


@dataclass(frozen=True, kw_only=True)
class MultiScaleRecipe(FlowRecipe):
    """What Glow and RealNVP share; `levels` must be no more than the images' sides can be halved."""

    levels: int = 2
    filters: tuple[int, ...] = (64,)
    """Width of the coupling networks; one number for all levels, or one for each."""
    depth: int = 1
    """Residual blocks in each coupling network; 0 is Glow's own network."""
    bound: float = 2.0
    positions: bool = True
    preprocess: str = "gaussianize"

    def arguments(self, data: Splits) -> dict[str, Any]:
        """The constructor arguments that both models have."""
        return {
            "image_shape": image_shape(data, self.levels),
            "levels": self.levels,
            "filters": for_levels("filters", self.filters, self.levels),
            "depth": self.depth,
            "bound": self.bound,
            "positions": self.positions,
            "preprocess": self.preprocess,
        }


@dataclass(frozen=True, kw_only=True)
class GlowRecipe(MultiScaleRecipe):
    """Glow on small images."""

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "flowers32": {"levels": 3, "positions": False, "epochs": 100},
        "flowers64": {"levels": 4, "positions": False, "epochs": 100},
        "cifar10-jpeg": {"levels": 3, "positions": False},
    }

    steps: tuple[int, ...] = (8,)
    """Flow steps in each level; one number for all, or one for each."""
    coupling: str = "affine"

    def arguments(self, data: Splits) -> dict[str, Any]:
        """The model's constructor arguments."""
        steps = for_levels("steps", self.steps, self.levels)
        return {**super().arguments(data), "steps": steps, "coupling": self.coupling}


@dataclass(frozen=True, kw_only=True)
class RealNVPRecipe(MultiScaleRecipe):
    """RealNVP on small images."""

    filters: tuple[int, ...] = (32, 64)
    couplings: tuple[int, ...] = (3,)
    """Couplings of each kind in each level; one number for all, or one for each."""

    def arguments(self, data: Splits) -> dict[str, Any]:
        """The model's constructor arguments."""
        couplings = for_levels("couplings", self.couplings, self.levels)
        return {**super().arguments(data), "couplings": couplings}


@dataclass(frozen=True, kw_only=True)
class NICERecipe(FlowRecipe):
    """NICE on small images."""

    data: str = "mnist"
    batch_size: int = 128
    couplings: int = 4
    units: int = 384
    depth: int = 3
    preprocess: str = "gaussianize"

    def arguments(self, data: Splits) -> dict[str, Any]:
        """The model's constructor arguments."""
        return {
            "image_shape": image_shape(data, 0),
            "couplings": self.couplings,
            "units": self.units,
            "depth": self.depth,
            "preprocess": self.preprocess,
        }


def image_shape(data: Splits, levels: int) -> tuple[int, int, int]:
    """The shape of the images, which must divide into `levels` halvings; raises DataError otherwise."""
    shape = data.shape
    if len(shape) != 3:
        raise DataError(
            f"{data.name} holds examples of shape {shape}, and flows learn images (height, width, channels)"
        )
    block = 2**levels
    if shape[0] % block or shape[1] % block:
        raise DataError(
            f"images of {shape[0]}x{shape[1]} cannot be halved {levels} times",
            f"crop them to multiples of {block}, or use fewer levels: --set levels=1",
        )
    height, width, channels = shape
    return height, width, channels


def for_levels(setting: str, values: tuple[int, ...], levels: int) -> tuple[int, ...]:
    """One value for each level; raises RecipeError, with the setting's name, where there are too many or too few."""
    try:
        return each_level(values, levels)
    except ValueError as error:
        raise RecipeError(f"setting {setting}: {error}") from error


def histogram_bits_per_dim(train: Any, test: Any) -> float:
    """Bits per dimension of `test` when each pixel has its own histogram of `train`, one count added to each level."""
    import numpy as np

    pixels = np.arange(math.prod(train.shape[1:]))
    counts = np.ones((len(pixels), 256))
    for image in train.reshape(len(train), -1):
        counts[pixels, image] += 1
    bits = -np.log2(counts / counts.sum(axis=1, keepdims=True))
    return float(np.mean([bits[pixels, image].mean() for image in test.reshape(len(test), -1)]))
