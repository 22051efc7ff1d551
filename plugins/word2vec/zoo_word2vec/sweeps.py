"""Stochastic gradient descent over blocks of text, one update after the other, within a single training step.

A step of Keras costs a millisecond of its own, and adding up the gradients of many blocks makes frequent words
overshoot. So a batch holds many updates, which are done in order inside of it, each on the rows that its blocks use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from zoo_core.rows import add_rows, take_rows
from zoo_word2vec.numeric import ops
from zoo_word2vec.objectives import Rows

if TYPE_CHECKING:
    from zoo_word2vec.objectives import Block

Tensor = Any
Batch = Mapping[str, Tensor]
"""What `BlockMaker.make` gives, as tensors."""

Tables = tuple[keras.Variable, ...]
"""The tables of inputs and of outputs, or one for both."""

Sums = tuple[Tensor, Tensor]
"""A loss, summed over its terms, and how many there are."""


def sweep(block: Block, tables: Tables, batch: Batch, rate: Tensor) -> Sums:
    """Do the updates of a batch, in place; the loss is that before each update. `rate` is the learning rate."""
    return _SWEEPS[keras.backend.backend()](block, tables, batch, rate)


def evaluate(block: Block, tables: Tables, batch: Batch) -> Sums:
    """The loss of a batch as the tables are."""
    indices, weights = block_rows(batch), pair_weights(batch, tables[0].dtype)
    rows = Rows(*(take_rows(table, index) for table, index in zip(_by_part(tables), indices, strict=True)))
    return block.loss(rows, weights), block.terms(weights)


def block_rows(batch: Batch) -> Rows:
    """Which rows of the tables a batch's blocks use."""
    words, centers = batch["words"], batch["left"].shape[-1]
    window = (words.shape[-1] - centers) // 2
    return Rows(words, words[..., window : window + centers], batch["noise"])


def pair_weights(batch: Batch, dtype: str) -> Tensor:
    """1 for each pair of a context and a centre, 0 for all others, `(..., contexts, centers)`."""
    contexts, centers = batch["words"].shape[-1], batch["left"].shape[-1]
    away = np.arange(contexts)[:, None] - np.arange(centers) - (contexts - centers) // 2
    distance = np.where(away == 0, contexts, abs(away)).astype(np.int32)
    left, right = batch["left"][..., None, :], batch["right"][..., None, :]
    reach = ops.where(keras.ops.convert_to_tensor(away < 0), left, right)
    return ops.cast(reach >= keras.ops.convert_to_tensor(distance), dtype)


def _by_part(tables: Tables) -> Tables:
    """The tables of contexts, centres and negatives."""
    return tables[0], tables[-1], tables[-1]


def _used(batch: Batch) -> Tensor:
    """How many of the updates come before those that only fill the arrays."""
    pairs = ops.cast(ops.any(batch["left"] + batch["right"] > 0, axis=(1, 2)), "int32")
    return ops.max(ops.cumsum(ops.ones_like(pairs), axis=0) * pairs)


def _update(
    block: Block, batch: Batch, step: Tensor, take: Callable[[Rows], Rows], tables: int
) -> tuple[list[tuple[Tensor, Tensor]], Tensor, Tensor]:
    """What an update needs: for each table the rows and their gradient; the loss; the number of its terms."""
    own = {name: array[step] for name, array in batch.items()}
    indices = block_rows(own)
    rows = take(indices)
    weights = pair_weights(own, keras.backend.standardize_dtype(rows.contexts.dtype))
    loss, by_rows = block.gradients(rows, weights)
    parts = list(zip(indices, by_rows, strict=True))
    grouped = [parts] if tables == 1 else [parts[:1], parts[1:]]
    return [_joined(group) for group in grouped], loss, block.terms(weights)


def _joined(parts: list[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    rows = [ops.reshape(index, (-1,)) for index, _ in parts]
    changes = [ops.reshape(change, (-1, change.shape[-1])) for _, change in parts]
    return (rows[0], changes[0]) if len(parts) == 1 else (ops.concatenate(rows), ops.concatenate(changes))


def _on_tensorflow(block: Block, tables: Tables, batch: Batch, rate: Tensor) -> Sums:
    import tensorflow as tf

    def take(indices: Rows) -> Rows:
        return Rows(*(take_rows(table, index) for table, index in zip(_by_part(tables), indices, strict=True)))

    def update(step: Tensor, loss: Tensor, terms: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        gradients, found, count = _update(block, batch, step, take, len(tables))
        for table, (rows, gradient) in zip(tables, gradients, strict=True):
            add_rows(table, rows, -rate * gradient)
        return step + 1, loss + found, terms + count

    used, zero = _used(batch), tf.zeros((), tables[0].dtype)
    start = (tf.constant(0), zero, zero)
    _, loss, terms = tf.while_loop(lambda step, *_: step < used, update, start, parallel_iterations=1)
    return loss, terms


def _on_jax(block: Block, tables: Tables, batch: Batch, rate: Tensor) -> Sums:
    import jax
    import jax.numpy as jnp

    def update(step: Tensor, state: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        values, loss, terms = state

        # Without the barriers XLA reads rows once more while they are written to, and copies the tables for that.
        def take(indices: Rows) -> Rows:
            rows = (value[index] for value, index in zip(_by_part(values), indices, strict=True))
            return Rows(*jax.lax.optimization_barrier(tuple(rows)))

        gradients, found, count = _update(block, batch, step, take, len(values))
        changes = jax.lax.optimization_barrier([(rows, -rate * gradient) for rows, gradient in gradients])
        values = tuple(value.at[rows].add(change) for value, (rows, change) in zip(values, changes, strict=True))
        return values, loss + found, terms + count

    zero = jnp.zeros((), tables[0].dtype)
    start = (tuple(table.value for table in tables), zero, zero)
    values, loss, terms = jax.lax.fori_loop(0, _used(batch), update, start)
    for table, value in zip(tables, values, strict=True):
        table.assign(value)
    return loss, terms


def _on_torch(block: Block, tables: Tables, batch: Batch, rate: Tensor) -> Sums:
    import torch
    from torch.nn.functional import embedding

    values = tuple(table.value.detach() for table in tables)

    def take(indices: Rows) -> Rows:
        return Rows(*(embedding(index, value) for value, index in zip(_by_part(values), indices, strict=True)))

    rate = float(rate)
    loss = terms = torch.zeros((), dtype=values[0].dtype, device=values[0].device)
    with torch.no_grad():
        for step in range(int(_used(batch))):
            gradients, found, count = _update(block, batch, step, take, len(values))
            for value, (rows, gradient) in zip(values, gradients, strict=True):
                value.index_add_(0, rows, gradient, alpha=-rate)
            loss, terms = loss + found, terms + count
    return loss, terms


_SWEEPS = {"tensorflow": _on_tensorflow, "jax": _on_jax, "torch": _on_torch}
