"""Loops that should be compiled even where nothing around them is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops


def compiled(function: Callable[..., Any], *, is_small: bool = False) -> Callable[..., Any]:
    """The function compiled by XLA on TensorFlow and JAX, unless the work is not worth the seconds that this takes.

    TensorFlow has a kernel for each of a loop's operations, which move much more memory than one for all of them; and
    JAX would compile a loop anew at every call, where nothing around it is compiled. On PyTorch it stays as it is.
    """
    backend = keras.backend.backend()
    if is_small or backend == "torch":
        return function
    if backend == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function, jit_compile=True, autograph=False)


def repeat(count: Any, step: Callable[..., tuple[Any, ...]], state: tuple[Any, ...]) -> tuple[Any, ...]:
    """`state = step(number, *state)` for the numbers 0, 1, ... below `count`, an integer tensor."""
    if keras.backend.backend() == "jax" and not _is_traced(count):
        # Small work outside of compiled code: see `compiled`.
        for number in range(int(count)):
            state = step(number, *state)
        return state
    results = ops.while_loop(
        lambda number, *_state: number < count,
        lambda number, *state: (number + 1, *step(number, *state)),
        (ops.zeros((), "int32"), *state),
    )
    return tuple(results[1:])


def _is_traced(tensor: Any) -> bool:
    import jax

    return isinstance(tensor, jax.core.Tracer)
