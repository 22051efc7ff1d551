"""Loops that should be compiled even where nothing around them is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras


def compiled(function: Callable[..., Any], *, is_small: bool = False) -> Callable[..., Any]:
    """The function compiled by XLA: on TensorFlow, unless the work is small, and on JAX. On PyTorch as it is.

    TensorFlow has a kernel for each of a loop's operations, which move much more memory than one for all of them; small
    work isn't worth the seconds that compiling takes. JAX compiles every loop, and without this anew at every call.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.jit(function)
    if backend == "tensorflow" and not is_small:
        import tensorflow as tf

        return tf.function(function, jit_compile=True, autograph=False)
    return function
