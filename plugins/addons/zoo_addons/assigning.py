"""Updates and conditions that assign to variables, on TensorFlow, JAX and PyTorch, compiled or not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any
"""A tensor of whatever the backend is."""


def choose(
    condition: Tensor, then: Callable[[], None], otherwise: Callable[[], None], variables: Iterable[keras.Variable]
) -> None:
    """Call the one or the other, by a boolean scalar; both may assign to `variables`, and to no others."""
    if keras.backend.backend() != "jax":
        ops.cond(condition, then, otherwise)
        return
    import jax

    changing = list(variables)

    def branch(function: Callable[[], None]) -> Callable[[list[Tensor]], list[Tensor]]:
        # Branches of XLA are pure functions: what they assign is caught, and handed out.
        def changed(values: list[Tensor]) -> list[Tensor]:
            with keras.StatelessScope(list(zip(changing, values, strict=True))) as scope:
                function()
            return [scope.get_current_value(variable) for variable in changing]

        return changed

    values = [variable.value for variable in changing]
    for variable, value in zip(changing, jax.lax.cond(condition, branch(then), branch(otherwise), values), strict=True):
        variable.assign(value)


def when(condition: Tensor, function: Callable[[], None], variables: Iterable[keras.Variable]) -> None:
    """Call a function that assigns to `variables`, and to no others, where a boolean scalar is true."""
    choose(condition, function, lambda: None, variables)


def apply_gradients(
    optimizer: keras.optimizers.Optimizer, gradients: Sequence[Tensor], variables: Sequence[keras.Variable]
) -> None:
    """Update variables by an optimizer, which is built: all those that it was built with."""
    if keras.backend.backend() != "jax":
        optimizer.apply(gradients, variables)
        return
    # Some optimizers, LossScaleOptimizer for one, do not work on JAX in any other way.
    slots = optimizer.variables
    weights, state = optimizer.stateless_apply(
        [slot.value for slot in slots], list(gradients), [variable.value for variable in variables]
    )
    for variable, value in zip([*variables, *slots], [*weights, *state], strict=True):
        variable.assign(value)


def without_gradients() -> contextlib.AbstractContextManager[Any]:
    """Within it PyTorch records nothing but what `zoo_core.gradients` asks for; the others never do."""
    if keras.backend.backend() != "torch":
        return contextlib.nullcontext()
    import torch

    return torch.no_grad()
