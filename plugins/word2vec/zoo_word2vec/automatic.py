"""The same gradients, found automatically over the gathered rows: to compare the ones by hand with, in value and speed.

Set `model.automatic = True` before `fit`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras

from zoo_word2vec.objectives import Block, Rows

Tensor = Any
Loss = Callable[..., Tensor]


class AutomaticBlock(Block):
    """A block whose gradient is that of its loss by the backend's own differentiation."""

    __slots__ = ()

    def gradients(self, rows: Rows, weights: Tensor) -> tuple[Tensor, Rows]:
        """The loss summed over a block's terms, and its gradient by the rows."""
        loss, gradients = value_and_gradients(lambda *parts: self.loss(Rows(*parts), weights), rows)
        return loss, Rows(*gradients)


def value_and_gradients(function: Loss, tensors: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
    """A scalar function of some tensors, and its derivative by each of them."""
    return _BACKENDS[keras.backend.backend()](function, tensors)


def _on_tensorflow(function: Loss, tensors: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(tensors)
        value = function(*tensors)
    return value, list(tape.gradient(value, list(tensors)))


def _on_jax(function: Loss, tensors: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
    import jax

    value, gradients = jax.value_and_grad(function, argnums=tuple(range(len(tensors))))(*tensors)
    return value, list(gradients)


def _on_torch(function: Loss, tensors: tuple[Tensor, ...]) -> tuple[Tensor, list[Tensor]]:
    import torch

    with torch.enable_grad():
        sources = [tensor.detach().requires_grad_(True) for tensor in tensors]
        value = function(*sources)
        gradients = torch.autograd.grad(value, sources)
    return value.detach(), list(gradients)


_BACKENDS = {"tensorflow": _on_tensorflow, "jax": _on_jax, "torch": _on_torch}
