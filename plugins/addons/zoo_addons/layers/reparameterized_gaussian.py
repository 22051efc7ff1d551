"""The latent variable of a variational autoencoder."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_addons.layers.arguments import Shape, add_scalar, at_least_float32


@keras.saving.register_keras_serializable(package="addons")
class ReparameterizedGaussian(keras.layers.Layer):
    """Draw `z = mean + exp(log_variance / 2) * e`, `e ~ N(0, 1)`, and add its KL divergence from N(0, 1) as a loss.

    `layer([mean, log_variance])` draws in training and gives the mean at inference. The loss that it adds is
    `kl_weight * sum 1/2 (mean^2 + exp(log_variance) - 1 - log_variance)`, summed over everything but the batch, of
    which the mean is taken; what is masked is left out. With `free_bits` each dimension's mean over the batch counts as
    that much at least, so that it is not pressed to zero (posterior collapse).

    Args:
        kl_weight: factor of the divergence at first, from 0. A variable, `layer.kl_weight`, which a callback may
            schedule, from 0 to 1 say.
        free_bits: nats that each dimension may cost unpunished.
        seed: of the draws.

    Call arguments:
        inputs: mean and log-variance, `(batch, ..., size)` each.
        training: whether to draw.

    Returns:
        `(batch, ..., size)`; the mask goes on.

    Raises:
        ValueError: for a weight or `free_bits` that is negative or not finite, or inputs that are no two tensors of one
            shape.

    References:
        Kingma, Welling, 2014. Auto-encoding variational Bayes. arXiv:1312.6114
        Kingma et al., 2016. Improving variational inference with inverse autoregressive flow. arXiv:1606.04934
            (free bits)
        Su, 2018. kexue.fm/archives/5332
    """

    def __init__(self, kl_weight: float = 1.0, free_bits: float = 0.0, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not all(0 <= number < math.inf for number in (kl_weight, free_bits)):
            raise ValueError(
                f"ReparameterizedGaussian(kl_weight={kl_weight}, free_bits={free_bits}): "
                "both must be 0 or more, and finite"
            )
        self.initial_kl_weight = float(kl_weight)
        self.free_bits = float(free_bits)
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.kl_weight = add_scalar(self, "kl_weight", kl_weight)
        self.supports_masking = True

    def build(self, input_shape: Any) -> None:
        """Refuse anything but two tensors of one shape."""
        _require_two(input_shape)

    def call(self, inputs: Any, training: bool = False, mask: Any = None) -> Any:
        """Draw, or take the mean."""
        mean, log_variance = inputs
        divergence = self.kl_divergence(mean, log_variance)
        if (real := _first_of(mask)) is not None:
            divergence = ops.where(ops.cast(real, "bool")[..., None], divergence, 0)
        self.add_loss(ops.cast(self.kl_weight, divergence.dtype) * self._total(divergence))
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed_generator)
        return mean + ops.exp(log_variance / 2) * noise

    @staticmethod
    def kl_divergence(mean: Any, log_variance: Any) -> Any:
        """That of `N(mean, exp(log_variance))` from N(0, 1), number by number, in float32 at least."""
        dtype = at_least_float32(keras.backend.standardize_dtype(mean.dtype))
        mean, log_variance = ops.cast(mean, dtype), ops.cast(log_variance, dtype)
        return (ops.square(mean) + ops.expm1(log_variance) - log_variance) / 2

    def _total(self, divergence: Any) -> Any:
        count = ops.cast(ops.maximum(ops.shape(divergence)[0], 1), divergence.dtype)
        each = ops.sum(divergence, axis=0) / count
        return ops.sum(ops.maximum(each, self.free_bits) if self.free_bits else each)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The first that there is."""
        return _first_of(mask)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        """That of the mean."""
        _require_two(input_shape)
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        own = {"kl_weight": self.initial_kl_weight, "free_bits": self.free_bits, "seed": self.seed}
        return {**super().get_config(), **own}


def _require_two(shapes: Any) -> None:
    two = len(shapes) == 2 and all(isinstance(shape, list | tuple) for shape in shapes)
    if not two or len(shapes[0]) != len(shapes[1]) or any(_differ(*sizes) for sizes in zip(*shapes, strict=True)):
        raise ValueError(f"ReparameterizedGaussian takes [mean, log_variance] of one shape, got {shapes}")


def _differ(one: int | None, other: int | None) -> bool:
    return None not in (one, other) and one != other


def _first_of(masks: Any) -> Any:
    if masks is None or not isinstance(masks, list | tuple):
        return masks
    return next((mask for mask in masks if mask is not None), None)
