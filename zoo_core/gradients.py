"""Value and gradients of a function of Keras variables, on TensorFlow, JAX and PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo_core.errors import BackendError, UsageError

if TYPE_CHECKING:
    import keras

Tensor = Any
"""A tensor of whatever the backend is."""

Function = Callable[[], Any]
"""A function without arguments, which reads variables and returns a scalar; with `has_aux`, a scalar and the rest."""


def value_and_gradients(
    function: Function,
    variables: Sequence[keras.Variable],
    *,
    state: Sequence[keras.Variable] = (),
    at: Sequence[tuple[keras.Variable, Tensor]] | None = None,
    has_aux: bool = False,
    sparse: bool = False,
) -> tuple[Any, list[Tensor]]:
    """The scalar that `function()` returns and its derivative by each of `variables`, in their order and shapes.

    A variable that the function does not use has zero as its gradient. To differentiate by an input, put it into a
    `keras.Variable` (`trainable=False` will do).

    Works eagerly, and inside `train_step` and `tf.function` on TensorFlow and PyTorch. On JAX a function may not have
    side effects while it is differentiated: what it assigns is dropped, except to the variables listed in `state`
    (moving averages, seed generators: `model.non_trainable_variables`), which are given their new values afterwards.
    Inside a stateless `train_step` on JAX, `variables` and `state` and those in `at` together must be all the variables
    that the function reads: others have their old values there.

    Arguments:
        function: What to differentiate.
        variables: By what.
        state: Variables that may be assigned to.
        at: Pairs of a variable and the value that it has while the function runs, in place of its own: to see the
            gradient elsewhere, or to run a step again with the same random numbers. The variables themselves keep their
            values, and on every backend what the function assigns is dropped, except to `state`.
        has_aux: The function returns `(scalar, rest)`, and so `((scalar, rest), gradients)` comes back.
        sparse: On TensorFlow leave an embedding's gradient a `tf.IndexedSlices`, whose rows can repeat. Elsewhere
            gradients are dense, and so they are here by default.

    Raises:
        UsageError: The value is no scalar.
        BackendError: Any other backend.
    """
    import keras

    backend = keras.backend.backend()
    if backend not in _BACKENDS:
        raise BackendError(f"gradients are not available on Keras' backend '{backend}'")
    task = _Task(function, list(variables), list(state), None if at is None else list(at), sparse)
    (value, rest), gradients = _BACKENDS[backend](task if has_aux else task.without_rest())
    return (value, rest) if has_aux else value, gradients


@dataclass(frozen=True, slots=True)
class _Task:
    """What to differentiate by what, and where; the function returns `(scalar, rest)`."""

    function: Function
    variables: list[keras.Variable]
    state: list[keras.Variable]
    at: list[tuple[keras.Variable, Tensor]] | None
    sparse: bool

    def without_rest(self) -> _Task:
        """The same for a function that returns nothing but the scalar."""
        return _Task(lambda: (self.function(), None), self.variables, self.state, self.at, self.sparse)

    def run(self) -> tuple[Tensor, Any]:
        """The scalar, and the rest; raises UsageError where it is none."""
        value, rest = self.function()
        return _scalar(value), rest

    def run_at(self, values: list[Tensor]) -> tuple[Tensor, tuple[Any, list[Tensor]]]:
        """The same where the variables have these values, and nothing is assigned; with what `state` would become."""
        import keras

        held = [(variable, variable.value) for variable in self.state]
        pairs = [*held, *(self.at or ()), *zip(self.variables, values, strict=True)]
        with keras.StatelessScope(pairs, collect_losses=True) as scope:
            value, rest = self.run()
        return value, (rest, [scope.get_current_value(variable) for variable in self.state])

    def values(self) -> list[Tensor]:
        """Where to differentiate."""
        given = {id(variable): value for variable, value in self.at or ()}
        return [given.get(id(variable), variable.value) for variable in self.variables]

    def keep(self, updated: list[Tensor]) -> None:
        """Give `state` its new values."""
        for variable, value in zip(self.state, updated, strict=True):
            variable.assign(value)


def _on_tensorflow(task: _Task) -> tuple[tuple[Tensor, Any], list[Tensor]]:
    import tensorflow as tf

    sources = [tf.identity(value) for value in task.values()] if task.at is not None else task.values()
    with tf.GradientTape() as tape:
        tape.watch(sources)
        value, rest = task.run() if task.at is None else task.run_at(sources)
    gradients = tape.gradient(value, sources, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    if task.at is not None:
        rest, updated = rest
        task.keep(updated)
    # An embedding's gradient is a sparse IndexedSlices.
    return (value, rest), gradients if task.sparse else [tf.convert_to_tensor(gradient) for gradient in gradients]


def _on_jax(task: _Task) -> tuple[tuple[Tensor, Any], list[Tensor]]:
    import jax

    (value, (rest, updated)), gradients = jax.value_and_grad(task.run_at, has_aux=True)(task.values())
    task.keep(updated)
    return (value, rest), gradients


def _on_torch(task: _Task) -> tuple[tuple[Tensor, Any], list[Tensor]]:
    return _torch_in_place(task) if task.at is None else _torch_elsewhere(task)


def _torch_in_place(task: _Task) -> tuple[tuple[Tensor, Any], list[Tensor]]:
    import torch

    sources = task.values()
    frozen = [source for source in sources if not source.requires_grad]
    for source in frozen:
        source.requires_grad_(True)
    try:
        with torch.enable_grad():
            value, rest = task.run()
        gradients = _torch_gradients(value, sources)
    finally:
        for source in frozen:
            source.requires_grad_(False)
    return (value.detach(), rest), gradients


def _torch_elsewhere(task: _Task) -> tuple[tuple[Tensor, Any], list[Tensor]]:
    import torch

    sources = [value.detach().requires_grad_(True) for value in task.values()]
    with torch.enable_grad():
        value, (rest, updated) = task.run_at(sources)
    gradients = _torch_gradients(value, sources)
    task.keep([new.detach() for new in updated])
    return (value.detach(), rest), gradients


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
