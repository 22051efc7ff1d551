"""A learning rate of its own for one layer, with any optimizer."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_addons.layers.reparameterized import ReparameterizedWeights, Replacement


@keras.saving.register_keras_serializable(package="addons")
class LearningRateMultiplier(ReparameterizedWeights):
    """Wrapper that gives a layer its own learning rate, whatever the optimizer: `multiplier` times the model's.

    `LearningRateMultiplier(Embedding(9000, 128), 0.1)`. The layer computes with `w = s * p`, and `p` is trained in
    place of `w`. A gradient step on `p` moves `w` by `s^2` times what it would otherwise, so `s = sqrt(multiplier)`;
    where the optimizer divides gradients by their size (Adam, RMSprop, Adagrad, Lion, ...) by `s` times, so
    `s = multiplier`. The start, `p = w / s`, leaves the model's outputs as they were; regularisers see `w`. In the
    wrapped layer's own weights `p` is stored: take what you need out of it before wrapping. To use several optimizers
    in one model see `keras.optimizers.MultiOptimizer`.

    Args:
        layer: any layer with weights.
        multiplier: of the learning rate, above 0. To stop learning set `layer.trainable = False`.
        adaptive: whether the optimizer divides gradients by their size.

    Call arguments:
        inputs: the layer's.

    Returns:
        What the layer does.

    Raises:
        ValueError: for a multiplier of 0 or less, and for a layer with constraints, which would hold for `p`.

    References:
        Su, 2019. kexue.fm/archives/6418
    """

    def __init__(
        self, layer: keras.layers.Layer, multiplier: float = 0.1, adaptive: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(layer, **kwargs)
        if not 0 < multiplier < math.inf:
            raise ValueError(f"LearningRateMultiplier(multiplier={multiplier}): multiplier must be above 0 and finite")
        self.multiplier = float(multiplier)
        self.adaptive = adaptive

    def build(self, input_shape: Any = None) -> None:
        """Build the layer and divide its weights."""
        super().build(input_shape)
        if any(variable.constraint is not None for variable in self.layer.trainable_variables):
            raise ValueError(f"LearningRateMultiplier: {type(self.layer).__name__} has constraints on its weights")
        self.scale = self.add_weight(name="scale", shape=(), initializer=self._divide, trainable=False, autocast=False)

    def _divide(self, shape: Any, dtype: Any) -> Any:
        # As an initialiser, since the layer's weights may get their values later than they are made: before this one.
        scale = self.multiplier if self.adaptive else math.sqrt(self.multiplier)
        for variable in self.layer.trainable_variables:
            variable.assign(variable.value / scale)
        return ops.full(shape, scale, dtype=dtype)

    def replacements(self) -> list[Replacement]:
        """Every trainable weight."""
        return [
            (variable, ops.cast(self.scale, variable.dtype) * variable.value)
            for variable in self.layer.trainable_variables
        ]

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "multiplier": self.multiplier, "adaptive": self.adaptive}
