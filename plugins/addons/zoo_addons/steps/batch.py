"""A batch on which a training step looks at the loss and its gradients, once or more often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from zoo_addons.steps.step import TrainStep

Tensor = Any
"""A tensor of whatever the backend is."""

Objective = Callable[["Batch"], tuple[Tensor, Any]]
"""What is differentiated, a scalar, and whatever else the evaluation is to carry as `y_pred`."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What one look at a batch gives: the loss (a scalar), its gradients, and what the model predicted.

    `gradients` are in the order of `step.trainable_variables`, dense, and never scaled: a loss scale is out again.
    """

    loss: Tensor
    gradients: list[Tensor]
    y_pred: Any


class Batch:
    """A batch under way: `x`, `y`, `sample_weight`, and the loss and gradients on it, as often as one likes."""

    def __init__(self, step: TrainStep, x: Any, y: Any, sample_weight: Any) -> None:
        """Remembers where random numbers and moving averages stand, if the step looks more than once."""
        self.x, self.y, self.sample_weight = x, y, sample_weight
        self._step = step
        self._state = [*step.model.non_trainable_variables, *step.metrics_variables]
        self._before = [ops.copy(variable.value) for variable in self._state] if step.looks_again else []
        self._seen = False

    @property
    def size(self) -> Tensor:
        """The number of examples, an integer."""
        return ops.shape(next(leaf for leaf in keras.tree.flatten(self.x) if leaf is not None))[0]

    def evaluate(self, at: Sequence[Tensor] | None = None, objective: Objective | None = None) -> Evaluation:
        """The loss and its gradients at the current weights, or at those given.

        Each evaluation sees the same dropout masks and random numbers. The first one updates the moving averages of
        batch normalisation and all other state; later ones leave everything as it is.

        Arguments:
            at: Instead of the current ones, a tensor for each of `step.trainable_variables`. The variables themselves
                are not touched.
            objective: Instead of `step.loss_and_predictions`, a function of the batch that returns a scalar to
                differentiate and whatever the evaluation is to have as its `y_pred`.
        """
        step = self._step
        objective = step.loss_and_predictions if objective is None else objective
        held = None if at is None else list(zip(step.trainable_variables, at, strict=True))
        if not self._seen:
            self._seen = True
            return step.differentiate(self, objective, state=self._state, at=held)
        if not step.looks_again:
            raise RuntimeError(f"{type(step).__name__} has looks_again = False, and looks again")
        return step.differentiate(self, objective, at=[*zip(self._state, self._before, strict=True), *(held or ())])
