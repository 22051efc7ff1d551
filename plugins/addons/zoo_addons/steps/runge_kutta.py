"""Training as the solution of a differential equation, by methods of a higher order than gradient descent's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from zoo_addons.steps.step import Batch, Evaluation, Tensor, TrainStep

Gradients = Sequence[Tensor]
"""One for each weight."""


class RungeKutta(TrainStep):
    """An explicit Runge-Kutta method for dw/dt = -gradient of the loss on one batch. For subclasses.

    A stage is the gradients at a point that the stages before lead to; the step is along a mean of all stages.
    """

    def stages(self) -> Sequence[Sequence[float]]:
        """For each stage but the first, how far it goes along each one before, in learning rates."""
        raise NotImplementedError

    def means(self) -> Sequence[float]:
        """What each stage counts in the end; together 1."""
        raise NotImplementedError

    def update(self, batch: Batch) -> Evaluation:
        """One step of the method."""
        rate, here = self.learning_rate(), batch.evaluate()
        found: list[Gradients] = [here.gradients]
        for parts in self.stages():
            found.append(batch.evaluate(at=self.moved(-rate, mixed(parts, found))).gradients)
        self.apply_gradients(mixed(self.means(), found))
        return here


def mixed(parts: Sequence[float], gradients: Sequence[Gradients]) -> list[Tensor]:
    """The sum of parts of each stage, weight by weight."""
    used = [(part, stage) for part, stage in zip(parts, gradients, strict=True) if part]
    return [sum(part * gradient for (part, _), gradient in zip(used, row, strict=True)) for row in _by_weight(used)]


def _by_weight(used: Sequence[tuple[float, Gradients]]) -> Sequence[Gradients]:
    return list(zip(*(stage for _, stage in used), strict=True))


@keras.saving.register_keras_serializable(package="addons")
class Heun(RungeKutta):
    """A training step by Heun's method, of order 2: it looks where the gradient leads, and goes the mean of both.

        model = Heun(model)
        model.compile(keras.optimizers.SGD(0.1), loss="mse")
        model.fit(x, y)

    Gradient descent is Euler's method for dw/dt = -g(w), with the learning rate h as the step of time. This is

        w' = w - h g(w)
        w <- w - h / 2 (g(w) + g(w'))

    with both gradients on the same batch, under the same dropout masks; statistics of batch normalisation move once. It
    follows the gradient flow more closely, at twice the cost of a step. That it gets to a better place is not said: the
    post that it is from saw it overfit. With another optimizer than SGD without momentum, that one is given the mean
    gradient.

    Arguments:
        model: The model to train.
        **kwargs: `name`.

    Raises:
        ValueError: `model` is no Keras model, or a training step itself.

    References:
        Su, 2018, https://kexue.fm/archives/5879.
    """

    def stages(self) -> Sequence[Sequence[float]]:
        """A whole step along the gradient."""
        return [[1.0]]

    def means(self) -> Sequence[float]:
        """Half of each."""
        return [0.5, 0.5]


@keras.saving.register_keras_serializable(package="addons")
class RK2(RungeKutta):
    """A training step by a Runge-Kutta method of order 2: the midpoint method, Ralston's or Heun's.

        model = RK2(model)
        model.compile(keras.optimizers.SGD(0.1), loss="mse")

    With the learning rate h as the step of time, and a = `node`,

        w' = w - a h g(w)
        w <- w - h ((1 - 1 / (2 a)) g(w) + 1 / (2 a) g(w'))

    both gradients on the same batch, under the same dropout masks; statistics of batch normalisation move once. With
    another optimizer than SGD without momentum, that one is given the mean gradient.

    Arguments:
        model: The model to train.
        node: Where the second gradient is taken: 1/2 is the midpoint method, 2/3 Ralston's, 1 Heun's. In (0, 1].
        **kwargs: `name`.

    Raises:
        ValueError: A node outside (0, 1]; `model` is no Keras model, or a training step itself.

    References:
        Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, 1993, section II.1.
    """

    def __init__(self, model: keras.Model, node: float = 0.5, **kwargs: Any) -> None:
        super().__init__(model, **kwargs)
        if not 0 < node <= 1:
            raise ValueError(f"`node` must be more than 0 and at most 1. Received: node={node}")
        self.node = node

    def stages(self) -> Sequence[Sequence[float]]:
        """To the node."""
        return [[self.node]]

    def means(self) -> Sequence[float]:
        """What makes the order 2."""
        return [1 - 1 / (2 * self.node), 1 / (2 * self.node)]

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {**super().get_config(), "node": self.node}


@keras.saving.register_keras_serializable(package="addons")
class RK4(RungeKutta):
    """A training step by the classical Runge-Kutta method, of order 4.

        model = RK4(model)
        model.compile(keras.optimizers.SGD(0.1), loss="mse")

    With the learning rate h as the step of time,

        g1 = g(w)    g2 = g(w - h/2 g1)    g3 = g(w - h/2 g2)    g4 = g(w - h g3)
        w <- w - h / 6 (g1 + 2 g2 + 2 g3 + g4)

    all on the same batch, under the same dropout masks; statistics of batch normalisation move once. A step costs four
    gradients. With another optimizer than SGD without momentum, that one is given the mean gradient.

    Arguments:
        model: The model to train.
        **kwargs: `name`.

    Raises:
        ValueError: `model` is no Keras model, or a training step itself.

    References:
        Kutta, 1901; Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, 1993, section II.1.
    """

    def stages(self) -> Sequence[Sequence[float]]:
        """Twice half a step, then a whole one."""
        return [[0.5], [0.0, 0.5], [0.0, 0.0, 1.0]]

    def means(self) -> Sequence[float]:
        """The two in the middle count double."""
        return [1 / 6, 1 / 3, 1 / 3, 1 / 6]
