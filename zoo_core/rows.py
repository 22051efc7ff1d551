"""Some rows of a large table: read and written in place, at a cost that does not depend on the table's length.

An embedding of a million rows of which a batch uses five thousand should cost five thousand rows. Everything here
works eagerly, inside `train_step`, and compiled, on TensorFlow, JAX and PyTorch; `variable` is a Keras variable, or a
tf.Variable, of shape (rows, ...); `rows` is an integer tensor of any shape; `values` has shape (*rows.shape, ...).

A row that is not there is an error on PyTorch and, unless compiled by XLA, on TensorFlow; on JAX it is ignored when it
is written, and its neighbour, the first or last row, is what is read. No row may be negative.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zoo_core.errors import BackendError, UsageError

if TYPE_CHECKING:
    import keras

Tensor = Any
"""A tensor of whatever the backend is."""


def take_rows(variable: keras.Variable, rows: Tensor) -> Tensor:
    """The rows as a tensor of shape (*rows.shape, ...), without a copy of the whole table, and without gradient."""
    backend = _backend()
    with _as_stored():
        if backend == "tensorflow":
            return _tensorflow_rows(variable, rows)
        if backend == "jax":
            import jax.numpy as jnp

            return jnp.take(variable.value, _integers(rows), axis=0, mode="clip")
        return variable.value.detach()[_integers(rows)]


def add_rows(variable: keras.Variable, rows: Tensor, values: Tensor) -> None:
    """Add `values` to the rows: `variable[rows] += values`, where a row that is named twice gets both values."""
    _write(variable, rows, values, "add")


def set_rows(variable: keras.Variable, rows: Tensor, values: Tensor) -> None:
    """Replace the rows: `variable[rows] = values`. Rows must differ: which of two values stays is not defined."""
    _write(variable, rows, values, "set")


def unique_rows(rows: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Each row once, in an order that depends on the backend, and the sum of its values.

    Shapes: rows (n,), values (n, ...) -> (m,), (m, ...) with m the number of different rows. On JAX, whose shapes are
    static, m is n: what is left over has zeros as its values and, as its row, the largest integer, which `add_rows` and
    `set_rows` ignore.
    """
    import keras

    backend = _backend()
    rows, values = _flat(_integers(rows), keras.ops.convert_to_tensor(values))
    if backend == "tensorflow":
        return _unique_on_tensorflow(rows, values)
    if backend == "jax":
        return _unique_on_jax(rows, values)
    import torch

    unique, position = torch.unique(rows, return_inverse=True)
    sums = torch.zeros((len(unique), *values.shape[1:]), dtype=values.dtype, device=values.device)
    return unique, sums.index_add_(0, position, values)


def _write(variable: keras.Variable, rows: Tensor, values: Tensor, how: str) -> None:
    import keras

    backend = _backend()
    with _as_stored():
        values = keras.ops.cast(keras.ops.convert_to_tensor(values), _stored_dtype(variable))
        rows, values = _flat(_integers(rows), values)
        if tuple(values.shape[1:]) != tuple(variable.shape[1:]):
            found, wanted = tuple(values.shape[1:]), tuple(variable.shape[1:])
            raise UsageError(f"rows of shape {found} do not fit into a table whose rows have shape {wanted}")
        _WRITERS[backend](variable, rows, values, how)


def _write_on_tensorflow(variable: Any, rows: Tensor, values: Tensor, how: str) -> None:
    import tensorflow as tf

    if _in_stateless_scope():
        write = tf.tensor_scatter_nd_add if how == "add" else tf.tensor_scatter_nd_update
        variable.assign(write(variable.value, rows[:, None], values))
        return
    table = _resource(variable)
    write = table.scatter_add if how == "add" else table.scatter_update
    write(tf.IndexedSlices(values, rows))
    # A variable that was ever scattered to copies itself whole at every later read, a layer's `ops.take` for one, until
    # it is told not to. XLA neither copies nor knows the operation.
    if not _in_xla():
        tf.raw_ops.DisableCopyOnRead(resource=table.handle)


def _write_on_jax(variable: Any, rows: Tensor, values: Tensor, how: str) -> None:
    # Where the old table is donated, as in `fit`, XLA writes in place.
    at = variable.value.at[rows]
    variable.assign(at.add(values, mode="drop") if how == "add" else at.set(values, mode="drop"))


def _write_on_torch(variable: Any, rows: Tensor, values: Tensor, how: str) -> None:
    import torch

    with torch.no_grad():
        scoped = _in_stateless_scope()
        table = variable.value.clone() if scoped else variable.value
        if how == "add":
            table.index_add_(0, rows, values)
        else:
            table.index_copy_(0, rows.long(), values)
        if scoped:
            variable.assign(table)


_WRITERS = {"tensorflow": _write_on_tensorflow, "jax": _write_on_jax, "torch": _write_on_torch}


def _tensorflow_rows(variable: Any, rows: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.gather(_resource(variable), _integers(rows))


def _unique_on_tensorflow(rows: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    import tensorflow as tf

    unique, position = tf.unique(rows)
    return unique, tf.math.unsorted_segment_sum(values, position, tf.size(unique))


def _unique_on_jax(rows: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    import jax
    import jax.numpy as jnp

    count = rows.shape[0]
    nowhere = jnp.iinfo(rows.dtype).max
    unique, position = jnp.unique(rows, return_inverse=True, size=count, fill_value=nowhere)
    return unique, jax.ops.segment_sum(values, position.reshape(-1), count)


def _flat(rows: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Rows as a vector, values as a list of rows."""
    from keras import ops

    rank = len(rows.shape)
    if tuple(values.shape[:rank]) != tuple(rows.shape):
        raise UsageError(f"{tuple(rows.shape)} rows were given values of shape {tuple(values.shape)}")
    if rank == 1:
        return rows, values
    return ops.reshape(rows, (-1,)), ops.reshape(values, (-1, *values.shape[rank:]))


def _integers(rows: Tensor) -> Tensor:
    import keras

    rows = keras.ops.convert_to_tensor(rows)
    dtype = keras.backend.standardize_dtype(rows.dtype)
    if dtype in ("int32", "int64"):
        return rows
    if "int" not in dtype:
        raise UsageError(f"rows are integers, not {dtype}")
    return keras.ops.cast(rows, "int32")


def _stored_dtype(variable: Any) -> str:
    import keras

    # Not `variable.dtype`, which is what it is cast to within a scope.
    return str(keras.backend.standardize_dtype(_resource(variable).dtype))


def _resource(variable: Any) -> Any:
    """What a Keras variable holds; an optimizer is given just that on TensorFlow, a tf.Variable."""
    import keras

    return variable.value if isinstance(variable, keras.Variable) else variable


def _in_xla() -> bool:
    import tensorflow as tf
    from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext

    return not tf.executing_eagerly() and bool(GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph()))


def _in_stateless_scope() -> bool:
    """Whether a variable may not be written itself, as while Keras builds a model by calling it."""
    from keras.src.backend import in_stateless_scope

    return bool(in_stateless_scope())


@contextlib.contextmanager
def _as_stored() -> Iterator[None]:
    """Within it a variable is read as it is stored, also inside a layer that computes in mixed precision."""
    from keras.src.backend import AutocastScope

    with AutocastScope(None):
        yield


def _backend() -> str:
    import keras

    backend: str = keras.backend.backend()
    if backend not in _WRITERS:
        raise BackendError(f"rows cannot be written in place on Keras' backend '{backend}'")
    return backend
