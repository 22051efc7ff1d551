"""Value and gradients of a function of Keras variables, on TensorFlow, JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zoo_core.errors import BackendError, UsageError

if TYPE_CHECKING:
    import keras

Tensor = Any
"""A tensor of whatever the backend is."""

Function = Callable[[], Tensor]
"""A function without arguments, which reads variables and returns a scalar."""


def value_and_gradients(
    function: Function, variables: Sequence[keras.Variable], *, state: Sequence[keras.Variable] = ()
) -> tuple[Tensor, list[Tensor]]:
    """The scalar that `function()` returns and its derivative by each of `variables`, in their order and shapes.

    A variable that the function does not use has zero as its gradient. To differentiate by an input, put it into a
    `keras.Variable` (`trainable=False` will do).

    Works eagerly, and inside `train_step` and `tf.function` on TensorFlow and PyTorch. On JAX a function may not have
    side effects while it is differentiated: what it assigns is dropped, except to the variables listed in `state`
    (moving averages, seed generators: `model.non_trainable_variables`), which are given their new values afterwards.
    Inside a stateless `train_step` on JAX, `variables` and `state` together must be all the variables that the function
    reads: others have their old values there.

    Raises UsageError where the value is no scalar, BackendError on any other backend.
    """
    import keras

    backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise BackendError(f"gradients are not available on Keras' backend '{backend}'")
    return _BACKENDS[backend](function, list(variables), list(state))


def _on_tensorflow(
    function: Function, variables: list[keras.Variable], _state: list[keras.Variable]
) -> tuple[Tensor, list[Tensor]]:
    import tensorflow as tf

    sources = [variable.value for variable in variables]
    with tf.GradientTape() as tape:
        tape.watch(sources)
        value = _scalar(function())
    gradients = tape.gradient(value, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    # An embedding's gradient is a sparse IndexedSlices.
    return value, [tf.convert_to_tensor(gradient) for gradient in gradients]


def _on_jax(
    function: Function, variables: list[keras.Variable], state: list[keras.Variable]
) -> tuple[Tensor, list[Tensor]]:
    import jax
    import keras

    held = [(variable, variable.value) for variable in state]

    def of_values(values: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        with keras.StatelessScope([*held, *zip(variables, values, strict=True)]) as scope:
            value = _scalar(function())
        return value, [scope.get_current_value(variable) for variable in state]

    differentiate = jax.value_and_grad(of_values, has_aux=True)
    (value, updated), gradients = differentiate([variable.value for variable in variables])
    for variable, new in zip(state, updated, strict=True):
        variable.assign(new)
    return value, gradients


def _on_torch(
    function: Function, variables: list[keras.Variable], _state: list[keras.Variable]
) -> tuple[Tensor, list[Tensor]]:
    import torch

    sources = [variable.value for variable in variables]
    frozen = [source for source in sources if not source.requires_grad]
    for source in frozen:
        source.requires_grad_(True)
    try:
        with torch.enable_grad():
            value = _scalar(function())
        gradients = _torch_gradients(value, sources)
    finally:
        for source in frozen:
            source.requires_grad_(False)
    return value.detach(), gradients


def _torch_gradients(value: Tensor, sources: list[Tensor]) -> list[Tensor]:
    import torch

    if not value.requires_grad:
        return [torch.zeros_like(source) for source in sources]
    gradients = torch.autograd.grad(value, sources, allow_unused=True)
    return [
        torch.zeros_like(source) if gradient is None else gradient
        for source, gradient in zip(sources, gradients, strict=True)
    ]


def _scalar(value: Tensor) -> Tensor:
    import keras

    tensor = keras.ops.convert_to_tensor(value)
    if len(tensor.shape) != 0:
        shape = tuple(tensor.shape)
        raise UsageError(
            f"gradients need a scalar, and the function returned shape {shape}", "keras.ops.mean or sum it"
        )
    return tensor


_BACKENDS = {"tensorflow": _on_tensorflow, "jax": _on_jax, "torch": _on_torch}
