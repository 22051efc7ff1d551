"""Calls compiled by XLA, as `jit_compile=True` has it: `tf.function(jit_compile=True)` and `jax.jit`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zoo_core.conformance.arrays import as_arrays, dtype, tensors
from zoo_core.conformance.results import Undecided

if TYPE_CHECKING:
    import keras

    from zoo_core.conformance.arrays import Arrays

Function = Callable[[], Any]
Variables = Sequence["keras.Variable"]


def call(layer: Any, arguments: tuple[Any, ...]) -> tuple[Arrays, Arrays]:
    """The outputs of a layer, and the gradients of its trainable weights by the mean squares of its real outputs."""
    trained = list(layer.trainable_variables)
    others = [variable for variable in layer.variables if not any(variable is one for one in trained)]
    return _run(lambda: layer(*arguments), trained, others)


def call_by_last(function: Callable[..., Any], *arguments: Any) -> tuple[Arrays, Arrays]:
    """What a function returns, and its gradient by its last argument."""
    import keras

    last = keras.Variable(arguments[-1], trainable=False)
    return _run(lambda: function(*arguments[:-1], last.value), [last], [])


def require_compiler() -> None:
    """Raise Undecided on a backend whose Keras compiles with something else than XLA."""
    import keras

    if (name := keras.backend.backend()) not in _COMPILERS:
        raise Undecided(f"Keras has no XLA to compile with on {name}: run this on TensorFlow or JAX")


def _run(function: Function, trained: Variables, others: Variables) -> tuple[Arrays, Arrays]:
    import keras

    require_compiler()
    outputs, gradients = _COMPILERS[keras.backend.backend()](function, trained, others)
    return as_arrays(outputs), as_arrays(gradients)


def _on_tensorflow(function: Function, trained: Variables, _others: Variables) -> Any:
    import tensorflow as tf

    def program() -> Any:
        sources = [variable.value for variable in trained]
        with tf.GradientTape() as tape:
            tape.watch(sources)
            outputs = function()
            value = _mean_square(outputs)
        return outputs, tape.gradient(value, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    # Called as a tf.function it would warn that so many programs of the same code are made.
    return tf.function(program, jit_compile=True).get_concrete_function()()


def _on_jax(function: Function, trained: Variables, others: Variables) -> Any:
    import jax
    import keras

    def value_and_outputs(values: list[Any], states: list[Any]) -> Any:
        pairs = zip([*trained, *others], [*values, *states], strict=True)
        # What is assigned inside, to a seed generator say, must not outlive the tracing.
        with keras.StatelessScope(list(pairs)):
            outputs = function()
            return _mean_square(outputs), outputs

    values, states = ([variable.value for variable in variables] for variables in (trained, others))
    gradients, outputs = jax.jit(jax.grad(value_and_outputs, has_aux=True))(values, states)
    return outputs, gradients


def _mean_square(outputs: Any) -> Any:
    """Something to differentiate: the sum of the mean squares of all real outputs; zero where there are none."""
    import keras

    real = [keras.ops.cast(tensor, "float32") for tensor in tensors(outputs) if "float" in dtype(tensor)]
    return sum((keras.ops.mean(keras.ops.square(tensor)) for tensor in real), keras.ops.zeros(()))


_COMPILERS = {"tensorflow": _on_tensorflow, "jax": _on_jax}
