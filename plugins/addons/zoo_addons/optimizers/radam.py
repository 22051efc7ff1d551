"""Adam whose first steps are held back."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from zoo_addons.optimizers.base import (
    RowOptimizer,
    Tensor,
    at_least_tiny,
    check_between,
    check_decays,
    dense,
    dtype_of,
    power,
)


@keras.saving.register_keras_serializable(package="addons")
class RAdam(RowOptimizer):
    """Rectified Adam: Adam without the need of a warm-up.

    Adam's second moment is an average of few numbers at first, and its inverse root varies without bound. RAdam scales
    the step by what that variance should be, and takes a step of momentum alone while it is not finite:

        m <- b1 * m + (1 - b1) * g                  v <- b2 * v + (1 - b2) * g^2
        rho = rho_inf - 2 t b2^t / (1 - b2^t)       rho_inf = 2 / (1 - b2) - 1
        r = sqrt((rho - 4) (rho - 2) rho_inf / ((rho_inf - 4) (rho_inf - 2) rho))
        w <- w - learning_rate * r * m' / (sqrt(v') + epsilon)    where rho >= threshold
        w <- w - learning_rate * m'                               elsewhere

    with m' = m / (1 - b1^t) and v' = v / (1 - b2^t). With the defaults the first five steps are momentum's.

    Arguments:
        learning_rate: A float, or a `keras.optimizers.schedules.LearningRateSchedule`.
        beta_1: Decay of the first moment, in [0, 1).
        beta_2: Decay of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment.
        threshold: The rho from which on the step is rectified, more than 4: the paper takes any above 4, its authors'
            code 5.
        **kwargs: As for any Keras optimizer: name, weight_decay (decoupled), clipnorm, use_ema...

    Raises:
        ValueError: A decay outside [0, 1), a negative epsilon, a threshold of 4 or less.

    References:
        Liu, Jiang, He, Chen, Liu, Gao and Han, 2019, arXiv:1908.03265.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        threshold: float = 5.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        check_decays(beta_1=beta_1, beta_2=beta_2)
        check_between("epsilon", epsilon)
        check_between("threshold", threshold, math.nextafter(4.0, 5.0))
        self.beta_1, self.beta_2, self.epsilon, self.threshold = beta_1, beta_2, epsilon, threshold

    def build(self, variables: list[keras.Variable]) -> None:
        """Make the moments."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities = self.add_optimizer_variables(variables, ["momentum", "velocity"])

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor) -> None:
        """One step of one variable."""
        gradient, dtype, step = dense(gradient, variable), dtype_of(variable), self._step(variable)
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1 - self.beta_2))
        beta_2_power = power(self.beta_2, step)
        rate = ops.cast(learning_rate, step.dtype) / (1 - power(self.beta_1, step))
        factor, rectified = self._rectification(step, beta_2_power)
        root = ops.sqrt(v / ops.cast(1 - beta_2_power, dtype)) + at_least_tiny(self.epsilon, variable)
        adaptive, plain = ops.cast(rate * factor, dtype) * m / root, ops.cast(rate, dtype) * m
        self.assign_sub(variable, ops.where(rectified, adaptive, plain))

    def _rectification(self, step: Tensor, beta_2_power: Tensor) -> tuple[Tensor, Tensor]:
        """The factor r, and whether it holds at this step."""
        limit = 2 / (1 - self.beta_2) - 1
        length = limit - 2 * step * beta_2_power / (1 - beta_2_power)
        rectified = length >= self.threshold
        safe = ops.where(rectified, length, ops.full_like(length, max(self.threshold, 5.0)))
        # With beta_2 of 0.6 and less the limit itself is below 4, and no step is ever rectified.
        scale = limit / ((limit - 4) * (limit - 2)) if limit > 4 else 0.0
        return ops.sqrt((safe - 4) * (safe - 2) / safe * scale), rectified

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "threshold": self.threshold,
        }
