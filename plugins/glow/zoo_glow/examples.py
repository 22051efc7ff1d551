"""Small examples of everything that the plugin provides, for `zoo check`."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo_core.conformance import Example

IMAGE_SHAPE = (8, 8, 2)


def loss() -> Example:
    """Any targets, and log-densities."""
    return Example(inputs=(np.zeros(4, "float32"), np.array([-1.5, 0.25, 2, -30], "float32")))


def chain() -> Example:
    """Two bijectors, one with weights."""
    from zoo_glow.layers.scaling import ActNorm
    from zoo_glow.layers.shapes import Squeeze

    return Example({"bijectors": [ActNorm(), Squeeze()]}, input_shape=IMAGE_SHAPE)


def multi_scale() -> Example:
    """Two levels."""
    from zoo_glow.layers.chain import Chain
    from zoo_glow.layers.factor_out import FactorOut
    from zoo_glow.layers.scaling import ActNorm
    from zoo_glow.layers.shapes import Squeeze

    levels = [Chain([Squeeze(), FactorOut()]), Chain([ActNorm()])]
    return Example({"levels": levels}, input_shape=IMAGE_SHAPE)


def additive_coupling() -> Example:
    """With a network that does something: by default it starts at zero."""
    return Example({"network": _network(outputs=1)}, input_shape=IMAGE_SHAPE)


def affine_coupling() -> Example:
    """On a chessboard, where both parts keep all channels."""
    from zoo_glow.layers.splits import CheckerboardSplit

    return Example({"network": _network(outputs=4), "split": CheckerboardSplit()}, input_shape=IMAGE_SHAPE)


def unit_interval() -> Example:
    """Pixels in (-1/2, 1/2)."""
    pixels = np.random.Generator(np.random.Philox(0)).uniform(-0.5, 0.5, (2, *IMAGE_SHAPE))
    return Example(inputs=pixels.astype("float32"))


def glow() -> Example:
    """Two levels of one step."""
    return _flow(levels=2, steps=1, filters=4)


def realnvp() -> Example:
    """One coupling of each kind."""
    return _flow(levels=1, couplings=1, filters=4, depth=1)


def nice() -> Example:
    """Two couplings."""
    return _flow(couplings=2, units=8, depth=1)


def sample_sheet() -> Example:
    """Sheets of the smallest flow."""
    images = _images()[:, :2, :2]

    def flow() -> Any:
        from zoo_glow.models.nice import NICE

        model = NICE(images.shape[1:], couplings=1, units=4, depth=1)
        model.compile(optimizer="sgd")
        return model

    return Example({"folder": "sheets", "count": 2}, inputs=images, model=flow)


def _network(outputs: int) -> Any:
    import keras

    return keras.layers.Conv2D(outputs, 3, padding="same", kernel_initializer="he_normal", activation="tanh")


def _flow(**arguments: Any) -> Example:
    # Gaussianize has no weights to start at zero, so that an untrained flow does something already.
    shape = [*IMAGE_SHAPE[:2], 1]
    return Example({"image_shape": shape, "preprocess": "gaussianize", **arguments}, inputs=_images())


def _images() -> np.ndarray:
    generator = np.random.Generator(np.random.Philox(0))
    return generator.integers(0, 256, (2, *IMAGE_SHAPE[:2], 1)).astype("uint8")
