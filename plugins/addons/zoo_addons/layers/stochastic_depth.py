"""Residual branches that are left out at random."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_addons.layers.arguments import Shape, add_scalar, require_choice

LEAST_SURVIVAL = 1e-3


@keras.saving.register_keras_serializable(package="addons")
class StochasticDepth(keras.layers.Layer):
    """Drop a residual branch, sample by sample, in training: `x + StochasticDepth(0.2)(branch(x))`.

    With `b` drawn from Bernoulli(1 - rate) for each sample, training gives `b * f / (1 - rate)` and inference `f`; as
    in the paper, with `scaling="inference"`, training gives `b * f` and inference `(1 - rate) * f`. The paper lets the
    rate grow linearly with depth, `rate_l = l / L * rate_L`.

    Args:
        rate: probability of dropping the branch, at first. A variable, `layer.rate`, which a callback may schedule.
        scaling: when to scale: in `training` or at `inference`.
        seed: of the draws.

    Call arguments:
        inputs: the branch, `(batch, ...)`.
        training: whether to drop.

    Returns:
        The inputs' shape; the mask goes on.

    Raises:
        ValueError: for a rate outside 0 to 1, or an unknown scaling.

    References:
        Huang, Sun, Liu, Sedra, Weinberger, 2016. Deep networks with stochastic depth. arXiv:1603.09382
    """

    def __init__(self, rate: float = 0.1, scaling: str = "training", seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not 0 <= rate <= 1:
            raise ValueError(f"StochasticDepth(rate={rate}): rate must lie between 0 and 1")
        require_choice(self, "scaling", scaling, ("training", "inference"))
        self.initial_rate = float(rate)
        self.scaling = scaling
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.rate = add_scalar(self, "rate", rate)
        self.supports_masking = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Drop in training."""
        survival = 1 - ops.convert_to_tensor(self.rate)
        if not training:
            return inputs * ops.cast(survival, inputs.dtype) if self.scaling == "inference" else inputs
        shape = (ops.shape(inputs)[0],) + (1,) * (len(inputs.shape) - 1)
        kept = ops.cast(keras.random.uniform(shape, dtype="float32", seed=self.seed_generator) < survival, "float32")
        if self.scaling == "training":
            kept = kept / ops.maximum(survival, LEAST_SURVIVAL)  # where nothing survives nothing is scaled either
        return inputs * ops.cast(kept, inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The inputs' shape."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "rate": self.initial_rate, "scaling": self.scaling, "seed": self.seed}
