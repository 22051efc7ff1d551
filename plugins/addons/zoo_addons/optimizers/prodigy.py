"""Adam that finds its own learning rate."""

from __future__ import annotations

from collections.abc import Sequence
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
class Prodigy(RowOptimizer):
    """Adam with a learning rate that it estimates: how far the weights have to go from where they started.

    The distance d only grows. With the weights w0 of the first step, over all variables at once,

        rate = learning_rate * d * sqrt(1 - b2^t) / (1 - b1^t)
        r <- b3 * r + d / d0 * rate * <g, w0 - w>       s <- b3 * s + d / d0 * rate * g
        m <- b1 * m + (1 - b1) * d * g                  v <- b2 * v + (1 - b2) * (d * g)^2
        d <- max(d, growth * r / |s|_1)
        w <- w - rate * (m / (sqrt(v) + d * epsilon) + weight_decay * w)

    Leave the learning rate at 1, or let a schedule bring it from 1 to 0. With a warm-up set `safeguard_warmup`, or d
    starts too high.

    Arguments:
        learning_rate: A factor of the estimated rate; a float or a `keras.optimizers.schedules.LearningRateSchedule`.
        beta_1: Decay of the first moment, in [0, 1).
        beta_2: Decay of the second moment, in [0, 1).
        beta_3: Decay of the estimate's two sums, in [0, 1); by default the root of beta_2.
        epsilon: Added to the root of the second moment, times d.
        initial_distance: The d0 to start with: less than the true one, more than rounding.
        growth: Factor of the estimate: 0.5 for smaller steps, 2 for larger ones.
        safeguard_warmup: Whether the sum s leaves out the learning rate.
        use_bias_correction: Whether the rate has Adam's two corrections, as above. The paper leaves them out.
        **kwargs: As for any Keras optimizer: name, weight_decay (decoupled), clipnorm, use_ema...

    Raises:
        ValueError: A decay outside [0, 1), a negative epsilon, an initial_distance or growth that is not positive.

    References:
        Mishchenko and Defazio, 2023, arXiv:2306.06101.
    """

    def __init__(
        self,
        learning_rate: Any = 1.0,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        beta_3: float | None = None,
        epsilon: float = 1e-8,
        initial_distance: float = 1e-6,
        growth: float = 1.0,
        safeguard_warmup: bool = False,
        use_bias_correction: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        check_decays(beta_1=beta_1, beta_2=beta_2, **({} if beta_3 is None else {"beta_3": beta_3}))
        check_between("epsilon", epsilon)
        check_between("initial_distance", initial_distance, 1e-30)
        check_between("growth", growth, 1e-30)
        self.beta_1, self.beta_2, self.beta_3, self.epsilon = beta_1, beta_2, beta_3, epsilon
        self.initial_distance, self.growth = initial_distance, growth
        self.safeguard_warmup, self.use_bias_correction = safeguard_warmup, use_bias_correction

    def build(self, variables: list[keras.Variable]) -> None:
        """Make the moments, the sum of gradients, the starting point, and the estimate."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._velocities, self._sums, self._starts = self.add_optimizer_variables(
            variables, ["momentum", "velocity", "gradient_sum", "start"]
        )
        wide = "float64" if keras.config.floatx() == "float64" else "float32"
        self._distance = self.add_variable((), self._first_distance, dtype=wide, name="distance")
        self._progress = self.add_variable((), "zeros", dtype=wide, name="progress")

    def _first_distance(self, _shape: Any, dtype: str) -> Tensor:
        # Keras' constant initializer rounds to single precision on TensorFlow.
        return ops.convert_to_tensor(self.initial_distance, dtype=dtype)

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        """Leave it to the step, whose rate it shares."""

    def _backend_update_step(
        self, grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable], learning_rate: Tensor
    ) -> None:
        """Estimate the distance from all variables, then move each."""
        grads = [dense(gradient, variable) for gradient, variable in zip(grads, trainable_variables, strict=True)]
        wide = self._distance.dtype
        before = ops.convert_to_tensor(self._distance)
        rate = before * ops.cast(learning_rate, wide) * self._correction(wide)
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self._accumulate(gradient, variable, before, rate)
        self._estimate(grads, trainable_variables, before, rate)
        super()._backend_update_step(grads, trainable_variables, rate)

    def _correction(self, dtype: str) -> Tensor:
        if not self.use_bias_correction:
            return ops.ones((), dtype)
        step = ops.cast(self.iterations + 1, dtype)
        first, second = 1 - power(self.beta_1, step), 1 - power(self.beta_2, step)
        return ops.sqrt(second) / first

    def _accumulate(self, gradient: Tensor, variable: keras.Variable, distance: Tensor, rate: Tensor) -> None:
        """Bring moments and sum up to date with the distance as it was."""
        dtype, index = dtype_of(variable), self._get_variable_index(variable)
        start = self._starts[index]
        self.assign(
            start, ops.where(self.iterations == 0, ops.convert_to_tensor(variable), ops.convert_to_tensor(start))
        )
        scaled = ops.cast(distance, dtype) * gradient
        m, v, total = self._momentums[index], self._velocities[index], self._sums[index]
        self.assign_add(m, (scaled - m) * (1 - self.beta_1))
        self.assign_add(v, (ops.square(scaled) - v) * (1 - self.beta_2))
        weight = (distance if self.safeguard_warmup else rate) * distance / self.initial_distance
        self.assign(total, total * self._third + ops.cast(weight, dtype) * gradient)

    def _estimate(
        self, grads: Sequence[Tensor], variables: Sequence[keras.Variable], distance: Tensor, rate: Tensor
    ) -> None:
        wide, towards, length = self._distance.dtype, [], []
        for gradient, variable in zip(grads, variables, strict=True):
            index = self._get_variable_index(variable)
            way = ops.cast(self._starts[index] - variable, wide)
            towards.append(ops.sum(ops.cast(gradient, wide) * way))
            length.append(ops.sum(ops.abs(ops.cast(self._sums[index], wide))))
        progress = self._third * self._progress + distance / self.initial_distance * rate * sum(towards)
        norm = sum(length)
        # All gradients were zero so far: nothing is known yet.
        safe = ops.where(norm > 0, norm, ops.ones_like(norm))
        estimate = ops.where(norm > 0, self.growth * progress / safe, ops.zeros_like(safe))
        self.assign(self._progress, progress)
        self.assign(self._distance, ops.maximum(distance, estimate))

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor) -> None:
        """Move one variable. `learning_rate` is the estimated one."""
        dtype, index = dtype_of(variable), self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]
        epsilon = ops.cast(self._distance * self.epsilon, dtype)
        # Where the gradient was always zero, and epsilon is rounded to zero, this keeps 0 / 0 away.
        root = ops.maximum(ops.sqrt(v) + epsilon, at_least_tiny(1e-30, variable))
        change = m / root
        if self.weight_decay is not None and self._use_weight_decay(variable):
            change = change + self.weight_decay * variable
        self.assign_sub(variable, ops.cast(learning_rate, dtype) * change)

    @property
    def _third(self) -> float:
        return float(self.beta_2**0.5) if self.beta_3 is None else self.beta_3

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "beta_3": self.beta_3,
            "epsilon": self.epsilon,
            "initial_distance": self.initial_distance,
            "growth": self.growth,
            "safeguard_warmup": self.safeguard_warmup,
            "use_bias_correction": self.use_bias_correction,
        }
