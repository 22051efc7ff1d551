"""The identity with another gradient."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_addons.layers.arguments import Shape, add_scalar


@keras.saving.register_keras_serializable(package="addons")
class GradientScale(keras.layers.Layer):
    """The identity, whose gradient is multiplied by `scale` on its way back: `y = x`, `dL/dx = scale * dL/dy`.

    Everything before the layer learns from what comes after it at `scale` times the rate under SGD: 0 stops the
    gradient, -1 reverses it, as adversarial domain adaptation does. Optimizers that normalise gradients (Adam and its
    kin) undo a scale that all gradients of a weight share: for the learning rate of single layers see
    `LearningRateMultiplier`.

    Args:
        scale: any finite number, at first. A variable, `layer.scale`, which a callback may schedule.

    Call arguments:
        inputs: `(batch, ...)`.

    Returns:
        The inputs; the mask goes on.

    Raises:
        ValueError: for a scale that is not finite.

    References:
        Ganin, Lempitsky, 2015. Unsupervised domain adaptation by backpropagation. arXiv:1409.7495
        Su, 2019. kexue.fm/archives/6418
    """

    def __init__(self, scale: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not math.isfinite(scale):
            raise ValueError(f"GradientScale(scale={scale}): scale must be finite")
        self.initial_scale = float(scale)
        self.scale = add_scalar(self, "scale", scale)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """The inputs."""
        held = ops.stop_gradient(inputs)
        # The difference is exactly zero, so that the value is untouched, as scale * x + (1 - scale) * x is not. Where
        # it would be NaN, as of the -inf that masks a score, no gradient flows.
        nothing = ops.where(ops.isfinite(held), inputs - held, 0)
        return held + ops.cast(self.scale, inputs.dtype) * nothing

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The inputs' shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "scale": self.initial_scale}
