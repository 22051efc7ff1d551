"""Training as the solution of a differential equation, with steps as long as an error allows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from zoo_addons.steps.runge_kutta import mixed
from zoo_addons.steps.step import Batch, Evaluation, Tensor, TrainStep

_SECOND, _THIRD = (0.5,), (0.0, 0.75)
_MEANS = (2 / 9, 1 / 3, 4 / 9)
_ERRORS = (-5 / 72, 1 / 12, 1 / 9, -1 / 8)
"""The means of the method less those of the embedded one of order 2."""


@keras.saving.register_keras_serializable(package="addons")
class RK23(TrainStep):
    """A training step of order 3 that finds its own length: Bogacki's and Shampine's pair of Runge-Kutta methods.

        model = RK23(model)
        model.compile(keras.optimizers.SGD(0.1), loss="mse")

    With h = factor * learning_rate as the step of time of dw/dt = -g(w), all on one batch,

        g1 = g(w)    g2 = g(w - h/2 g1)    g3 = g(w - 3h/4 g2)
        w' = w - h (2/9 g1 + 1/3 g2 + 4/9 g3)    g4 = g(w')
        error = h (-5/72 g1 + 1/12 g2 + 1/9 g3 - 1/8 g4)

    is a step, and its distance to one of order 2. The step is too long where for any variable the root mean square of
    error / (atol + rtol * max(|w|, |w'|)) is more than 1: then it is tried again with a smaller factor, on the same
    batch. Afterwards the factor becomes `safety` times what would have made it 1, but at most five times longer or
    shorter, and within its bounds. It is a variable, `step.factor`, which is saved.

    All gradients are under the same dropout masks; statistics of batch normalisation move once. A step costs four
    gradients, each further attempt three; `step.tries` counts attempts. Noise from batch to batch is no error here, so
    the steps get as long as stability allows, which is not always what training needs: `max_factor` is the brake. With
    another optimizer than SGD without momentum, that one is given the mean gradient, times the factor.

    Arguments:
        model: The model to train.
        rtol: Error allowed, as a part of each weight.
        atol: Error allowed in weights about zero.
        safety: Part of the length found that is taken, in (0, 1).
        min_factor: Lower bound of the factor: a step of this length is taken whatever its error.
        max_factor: Upper bound of the factor.
        attempts: How often at most a step is tried; the last try is taken.
        **kwargs: `name`.

    Raises:
        ValueError: A tolerance that is not positive, a safety outside (0, 1), bounds that do not have 1 between them,
            no attempts; `model` is no Keras model, or a training step itself.

    References:
        Bogacki and Shampine, A 3(2) pair of Runge-Kutta formulas, 1989; Su, 2018, https://kexue.fm/archives/5879.
    """

    def __init__(
        self,
        model: keras.Model,
        rtol: float = 1e-2,
        atol: float = 1e-3,
        safety: float = 0.9,
        min_factor: float = 1e-3,
        max_factor: float = 10.0,
        attempts: int = 8,
        **kwargs: Any,
    ) -> None:
        super().__init__(model, **kwargs)
        if rtol <= 0 or atol <= 0:
            raise ValueError(f"`rtol` and `atol` must be positive. Received: rtol={rtol}, atol={atol}")
        if not 0 < safety < 1:
            raise ValueError(f"`safety` must be between 0 and 1. Received: safety={safety}")
        if not 0 < min_factor <= 1 <= max_factor:
            bounds = f"min_factor={min_factor}, max_factor={max_factor}"
            raise ValueError(f"`min_factor` must be in (0, 1] and `max_factor` at least 1. Received: {bounds}")
        if attempts < 1:
            raise ValueError(f"`attempts` must be at least 1. Received: attempts={attempts}")
        self.rtol, self.atol, self.safety = rtol, atol, safety
        self.min_factor, self.max_factor, self.attempts = min_factor, max_factor, attempts

    def make_variables(self) -> None:
        """Make the factor, and count attempts."""
        self.factor = self.add_weight(shape=(), initializer="ones", trainable=False, dtype=_wide(), name="factor")
        self.tries = self.add_weight(shape=(), initializer="zeros", trainable=False, dtype="int32", name="tries")

    def update(self, batch: Batch) -> Evaluation:
        """One step, tried until its error is small enough."""
        here = batch.evaluate()
        before = ops.convert_to_tensor(self.factor)
        first = self._try(batch, here.gradients, before)
        tries = ops.convert_to_tensor(1, dtype="int32")
        last = ops.while_loop(
            lambda tries, *attempt: ops.logical_and(tries < self.attempts, self._is_too_long(*attempt)),
            lambda tries, *attempt: (tries + 1, *self._try(batch, here.gradients, self._next(*attempt))),
            (tries, *first),
        )
        tries, factor, error, direction = last
        self.tries.assign_add(tries)
        self.apply_gradients([ops.cast(factor, gradient.dtype) * gradient for gradient in direction])
        # Where the first gradient itself is not finite, no length is to blame: float16 has run over.
        known = ops.logical_or(ops.isfinite(error), _are_finite(here.gradients))
        self.factor.assign(ops.where(known, self._next(factor, error, direction), before))
        return here

    def _try(self, batch: Batch, first: Sequence[Tensor], factor: Tensor) -> _Attempt:
        """The direction to go, and the error of going there."""
        rate = factor * ops.cast(self.learning_rate(), factor.dtype)
        second = batch.evaluate(at=self.moved(-rate, mixed(_SECOND, [first]))).gradients
        third = batch.evaluate(at=self.moved(-rate, mixed(_THIRD, [first, second]))).gradients
        direction = mixed(_MEANS, [first, second, third])
        there = self.moved(-rate, direction)
        fourth = batch.evaluate(at=there).gradients
        return _Attempt(factor, self._error(rate, mixed(_ERRORS, [first, second, third, fourth]), there), direction)

    def _error(self, rate: Tensor, differences: Sequence[Tensor], there: Sequence[Tensor]) -> Tensor:
        """The largest of the variables' errors, each the root of the mean square of error / allowed."""
        errors = []
        for variable, difference, new in zip(self.trainable_variables, differences, there, strict=True):
            size = ops.cast(ops.maximum(ops.abs(variable.value), ops.abs(new)), _wide())
            relative = rate * ops.cast(difference, _wide()) / (self.atol + self.rtol * size)
            # Not ops.mean, which rounds float64 to float32 on JAX.
            errors.append(ops.sqrt(ops.sum(ops.square(relative)) / max(1, math.prod(relative.shape))))
        return ops.max(ops.stack(errors))

    def _is_too_long(self, factor: Tensor, error: Tensor, _direction: Sequence[Tensor]) -> Tensor:
        # Also where the error is not a number.
        return ops.logical_and(ops.logical_not(error <= 1.0), factor > self.min_factor)

    def _next(self, factor: Tensor, error: Tensor, _direction: Sequence[Tensor]) -> Tensor:
        """The factor to go on with."""
        known = ops.where(ops.isfinite(error), ops.maximum(error, 1e-12), ops.full_like(error, 1e12))
        change = ops.clip(self.safety * ops.power(known, -1 / 3), 0.2, 5.0)
        return ops.clip(factor * change, self.min_factor, self.max_factor)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {
            **super().get_config(),
            "rtol": self.rtol,
            "atol": self.atol,
            "safety": self.safety,
            "min_factor": self.min_factor,
            "max_factor": self.max_factor,
            "attempts": self.attempts,
        }


class _Attempt(NamedTuple):
    """A step that was tried: how long in learning rates, its error as a multiple of the allowed one, and where to."""

    factor: Tensor
    error: Tensor
    direction: list[Tensor]


def _wide() -> str:
    """The type of the factor and the error."""
    return "float64" if keras.config.floatx() == "float64" else "float32"


def _are_finite(tensors: Sequence[Tensor]) -> Tensor:
    return ops.all(ops.stack([ops.all(ops.isfinite(tensor)) for tensor in tensors]))
