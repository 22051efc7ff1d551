"""Adam that takes long steps where gradients are as expected."""

from __future__ import annotations

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
class AdaBelief(RowOptimizer):
    """Adam whose second moment is the gradient's deviation from its running mean.

    Where the gradient is what the mean foretold, the step is long, however large the gradient; where it surprises,
    it is short:

        m <- b1 * m + (1 - b1) * g
        s <- b2 * s + (1 - b2) * (g - m)^2 + epsilon
        w <- w - learning_rate * m' / (sqrt(s') + epsilon)

    with m' = m / (1 - b1^t) and s' = s / (1 - b2^t).

    Arguments:
        learning_rate: A float, or a `keras.optimizers.schedules.LearningRateSchedule`.
        beta_1: Decay of the first moment, in [0, 1).
        beta_2: Decay of the second moment, in [0, 1).
        epsilon: Added to s at every step, and to its root. The authors' 1e-16 suits Adam's problems; they take 1e-8
            where SGD is the better choice. Pure float16 rounds either to zero: 6.2e-5 is the least there.
        **kwargs: As for any Keras optimizer: name, weight_decay (decoupled), clipnorm, use_ema...

    Raises:
        ValueError: A decay outside [0, 1), an epsilon that is not positive.

    References:
        Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris and Duncan, 2020, arXiv:2010.07468.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-16,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        check_decays(beta_1=beta_1, beta_2=beta_2)
        check_between("epsilon", epsilon, 1e-30)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def build(self, variables: list[keras.Variable]) -> None:
        """Make the mean and the deviation."""
        if self.built:
            return
        super().build(variables)
        self._momentums, self._deviations = self.add_optimizer_variables(variables, ["momentum", "deviation"])

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor) -> None:
        """One step of one variable."""
        gradient, dtype, step = dense(gradient, variable), dtype_of(variable), self._step(variable)
        index = self._get_variable_index(variable)
        m, s = self._momentums[index], self._deviations[index]
        epsilon = at_least_tiny(self.epsilon, variable)
        self.assign_add(m, (gradient - m) * (1 - self.beta_1))
        self.assign(s, s * self.beta_2 + ops.square(gradient - m) * (1 - self.beta_2) + epsilon)
        first, second = 1 - power(self.beta_1, step), 1 - power(self.beta_2, step)
        root = ops.sqrt(s / ops.cast(second, dtype)) + epsilon
        rate = ops.cast(ops.cast(learning_rate, step.dtype) / first, dtype)
        self.assign_sub(variable, rate * m / root)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {**super().get_config(), "beta_1": self.beta_1, "beta_2": self.beta_2, "epsilon": self.epsilon}
