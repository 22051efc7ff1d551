"""SGD with a learning rate for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo_addons.optimizers.base import RowOptimizer, Tensor, check_between, check_decays, dense, dtype_of, norm_of


@keras.saving.register_keras_serializable(package="addons")
class LARS(RowOptimizer):
    """Layer-wise adaptive rate scaling: momentum SGD whose step is a fixed part of each weight's own norm.

    It lets batches of thousands be used with the learning rates that they need:

        d = g + weight_decay * w                            (not decoupled: it counts in the norm)
        d <- trust_coefficient * |w| / (|d| + epsilon) * d  (as it is where w or d is all zero)
        v <- momentum * v - learning_rate * d
        w <- w + v                                          (nesterov: w + momentum * v - learning_rate * d)

    Biases and the scales of normalisation layers (variables of rank 0 and 1) get neither the ratio nor weight decay, as
    is usual, unless `adapt_vectors` is set: for them the learning rate is that of plain SGD, for which 1 is much.

    Arguments:
        learning_rate: A float, or a `keras.optimizers.schedules.LearningRateSchedule`.
        momentum: Part of the last step that is taken again, in [0, 1).
        trust_coefficient: Step length as a part of the weight's norm, at a learning rate of 1.
        epsilon: Added to the norm of d.
        nesterov: Whether momentum is Nesterov's.
        adapt_vectors: Whether variables of rank 0 and 1 are treated like all others.
        **kwargs: As for any Keras optimizer: name, weight_decay, clipnorm, use_ema... Variables excluded from weight
            decay are still scaled.

    Raises:
        ValueError: A momentum outside [0, 1), a negative trust_coefficient or epsilon.

    References:
        You, Gitman and Ginsburg, 2017, arXiv:1708.03888.
    """

    def __init__(
        self,
        learning_rate: Any = 1.0,
        momentum: float = 0.9,
        trust_coefficient: float = 0.001,
        epsilon: float = 0.0,
        nesterov: bool = False,
        adapt_vectors: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        check_decays(momentum=momentum)
        check_between("trust_coefficient", trust_coefficient)
        check_between("epsilon", epsilon)
        self.momentum, self.trust_coefficient, self.epsilon = momentum, trust_coefficient, epsilon
        self.nesterov, self.adapt_vectors = nesterov, adapt_vectors

    def build(self, variables: list[keras.Variable]) -> None:
        """Make the velocities."""
        if self.built:
            return
        super().build(variables)
        self._velocities = self.add_optimizer_variables(variables, "velocity")

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        """Leave it to the step: it counts in the norm."""

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor) -> None:
        """One step of one variable."""
        gradient, dtype = dense(gradient, variable), dtype_of(variable)
        v = self._velocities[self._get_variable_index(variable)]
        if self.adapt_vectors or len(variable.shape) > 1:
            gradient = self._adapted(gradient, variable)
        change = ops.cast(learning_rate, dtype) * gradient
        velocity = self.momentum * v - change
        self.assign(v, velocity)
        self.assign_add(variable, self.momentum * velocity - change if self.nesterov else velocity)

    def _adapted(self, gradient: Tensor, variable: keras.Variable) -> Tensor:
        weights = ops.convert_to_tensor(variable)
        if self.weight_decay is not None and self._use_weight_decay(variable):
            gradient = gradient + self.weight_decay * weights
        norm, length = norm_of(weights), norm_of(gradient)
        still = ops.logical_or(norm == 0, length == 0)
        ratio = self.trust_coefficient * norm / (ops.where(still, ops.ones_like(length), length) + self.epsilon)
        return gradient * ops.cast(ops.where(still, ops.ones_like(ratio), ratio), gradient.dtype)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "trust_coefficient": self.trust_coefficient,
            "epsilon": self.epsilon,
            "nesterov": self.nesterov,
            "adapt_vectors": self.adapt_vectors,
        }
