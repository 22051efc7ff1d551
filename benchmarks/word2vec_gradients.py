"""Word2vec's gradients by hand beside automatic ones: the same updates of the same tables, in words a second.

Run: python benchmarks/word2vec_gradients.py [--seconds 5] [--words 30000]    (KERAS_BACKEND=tensorflow, jax or torch)

Skip-gram with negative sampling, 100 dimensions, window 5, 5 negatives, blocks of 64 words with 64 words drawn, 256
words an update; all compiled, save on PyTorch. All do plain SGD on the rows that an update uses:

- by hand: what `fit` does
- automatic, by blocks: the same blocks, differentiated by the backend; the saving of rows is in these, too
- automatic, by pairs: as usually written, with the rows of both words and of five negatives gathered for each pair

and, for what Keras does by itself on JAX and PyTorch, the gradient by the whole tables:

- automatic, whole tables: by pairs, too

Goal: by hand at least 5 times as fast as automatic by pairs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from zoo_core import backend

Array = np.ndarray[Any, Any]
Step = Callable[[int], object]

DIMENSION, WINDOW, NEGATIVES, RATE = 100, 5, 5, 0.025
GOAL = 5.0


def main() -> int:
    """Print words a second; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each")
    parser.add_argument("--words", type=int, default=30_000, help="in the vocabulary")
    arguments = parser.parse_args()
    name = backend.ensure()
    batches, pairs, words = data(arguments.words)
    speeds = {}
    for label, step in steps(arguments.words, batches, pairs).items():
        speeds[label] = measure(step, len(batches), words, arguments.seconds)
        print(f"{label:<26}{speeds[label]:12,.0f} words a second on {name}", flush=True)
    ratio = speeds["by hand"] / speeds["automatic, by pairs"]
    print(f"by hand, automatic by blocks: {speeds['by hand'] / speeds['automatic, by blocks']:.2f}")
    print(f"by hand, automatic by pairs:  {ratio:.1f}   (goal: at least {GOAL:.0f})")
    return int(ratio < GOAL)


def data(words: int) -> tuple[list[dict[str, Array]], list[dict[str, Array]], float]:
    """Batches as blocks, the same as pairs, and how many words a batch has after subsampling.

    The text is drawn by Zipf's law, and subsampled as a text is; its words count as they are trained on.
    """
    from zoo_word2vec import BlockMaker, Vocabulary

    random = np.random.Generator(np.random.Philox(0))
    counts = np.sort((3e6 / np.arange(1, words + 1)).astype(int))[::-1]
    vocabulary = Vocabulary.of_counts({f"w{index:07}": int(count) for index, count in enumerate(counts)})
    maker = BlockMaker.of_vocabulary(vocabulary)
    batches = []
    for _ in range(2):
        rows = random.choice(words, (64, 1024), p=counts / counts.sum()).astype(np.int32)
        batches.append(maker.make(rows, random))
    used = sum(int((batch["left"] + batch["right"] > 0).sum()) for batch in batches)
    return batches, [as_pairs(batch, random) for batch in batches], used / len(batches)


def as_pairs(batch: dict[str, Array], random: np.random.Generator) -> dict[str, Array]:
    """Each update's contexts, centres and five of its negatives for each pair, `(steps, pairs)`, zeros at the end."""
    most = batch["left"][0].size * 2 * WINDOW
    steps = int((batch["left"] + batch["right"]).any(axis=(1, 2)).sum())
    made = {name: np.zeros((steps, most), np.int32) for name in ("contexts", "centers", "mask")}
    made["noise"] = np.zeros((steps, most, NEGATIVES), np.int32)
    for step in range(steps):
        found = _pairs(*(batch[name][step] for name in ("words", "left", "right")))
        made["centers"][step, : len(found)], made["contexts"][step, : len(found)] = found.T
        made["mask"][step, : len(found)] = 1
        made["noise"][step] = random.choice(batch["noise"][step].reshape(-1), (most, NEGATIVES))
    longest = int(made["mask"].sum(axis=1).max())
    return {name: array[:, :longest] for name, array in made.items()}


def _pairs(words: Array, left: Array, right: Array) -> Array:
    found = []
    for away in (*range(-WINDOW, 0), *range(1, WINDOW + 1)):
        blocks, places = np.nonzero(left >= -away if away < 0 else right >= away)
        found.append(np.stack([words[blocks, places + WINDOW], words[blocks, places + WINDOW + away]], axis=1))
    return np.concatenate(found)


def steps(words: int, batches: list[dict[str, Array]], pairs: list[dict[str, Array]]) -> dict[str, Step]:
    """What is timed: a function of a batch's number, for each way."""
    from zoo_word2vec import Word2Vec

    made: dict[str, Step] = {}
    for label, automatic in (("by hand", False), ("automatic, by blocks", True)):
        model = Word2Vec(words, DIMENSION)
        model.automatic = automatic
        made[label] = _fitting(model, batches)
    made["automatic, by pairs"] = _by_pairs(words, pairs, whole=False)
    made["automatic, whole tables"] = _by_pairs(words, pairs, whole=True)
    return made


def _fitting(model: Any, batches: list[dict[str, Array]]) -> Step:
    import keras

    model.compile(keras.optimizers.SGD(RATE))
    return lambda index: model.train_on_batch(batches[index])


def _by_pairs(words: int, pairs: list[dict[str, Array]], whole: bool) -> Step:
    """SGD on pairs, one update after the other; `whole` differentiates by the tables instead of the rows."""
    import keras

    initial = np.random.Generator(np.random.Philox(1)).uniform(-0.005, 0.005, (2, words, DIMENSION))
    tables = [keras.Variable(array, dtype="float32") for array in initial]
    update = {"tensorflow": _on_tensorflow, "jax": _on_jax, "torch": _on_torch}[keras.backend.backend()](tables, whole)

    def step(index: int) -> object:
        loss = None
        for number in range(len(pairs[index]["mask"])):
            loss = update({name: array[number] for name, array in pairs[index].items()})
        return float(keras.ops.convert_to_numpy(loss))

    return step


def pair_loss(x: Any, o: Any, noise: Any, mask: Any) -> Any:
    """Negative sampling, summed over pairs: x and o `(pairs, dimension)`, noise `(pairs, negatives, dimension)`."""
    from keras import ops

    positive, negative = ops.sum(x * o, axis=-1), ops.einsum("pd,pnd->pn", x, noise)
    return ops.sum(ops.cast(mask, x.dtype) * (ops.softplus(-positive) + ops.sum(ops.softplus(negative), axis=-1)))


def _gradients(tables: Any, rows: dict[str, Any], whole: bool, take: Callable[[Any, Any], Any]) -> Any:
    """The loss; its gradients by the two tables, or by the rows of contexts, centres and negatives."""
    from zoo_word2vec.automatic import value_and_gradients

    def of_rows(x: Any, o: Any, noise: Any) -> Any:
        return pair_loss(x, o, noise, rows["mask"])

    def of_tables(inputs: Any, outputs: Any) -> Any:
        return of_rows(take(inputs, rows["contexts"]), take(outputs, rows["centers"]), take(outputs, rows["noise"]))

    inputs, outputs = tables
    if whole:
        return value_and_gradients(of_tables, (inputs, outputs))
    gathered = (take(inputs, rows["contexts"]), take(outputs, rows["centers"]), take(outputs, rows["noise"]))
    return value_and_gradients(of_rows, gathered)


def _on_tensorflow(tables: list[Any], whole: bool) -> Callable[[dict[str, Array]], Any]:
    import tensorflow as tf

    from zoo_core.rows import add_rows

    def update(rows: dict[str, Any]) -> Any:
        values = [tf.convert_to_tensor(table.value) for table in tables] if whole else [table.value for table in tables]
        loss, gradients = _gradients(values, rows, whole, tf.gather)
        if whole:
            for table, gradient in zip(tables, gradients, strict=True):
                table.value.assign_sub(RATE * tf.convert_to_tensor(gradient))
            return loss
        for table, name, gradient in zip((tables[0], tables[1], tables[1]), _ROWS, gradients, strict=True):
            add_rows(table, rows[name], -RATE * gradient)
        return loss

    compiled = tf.function(update, reduce_retracing=True)
    return lambda rows: compiled({name: tf.constant(array) for name, array in rows.items()})


def _on_jax(tables: list[Any], whole: bool) -> Callable[[dict[str, Array]], Any]:
    import jax

    def update(values: Any, rows: Any) -> Any:
        loss, gradients = _gradients(values, rows, whole, lambda table, index: table[index])
        if whole:
            return [value - RATE * gradient for value, gradient in zip(values, gradients, strict=True)], loss
        inputs, outputs = values
        changes = jax.lax.optimization_barrier(gradients)
        for name, gradient in zip(_ROWS[1:], changes[1:], strict=True):
            outputs = outputs.at[rows[name]].add(-RATE * gradient)
        return [inputs.at[rows["contexts"]].add(-RATE * changes[0]), outputs], loss

    compiled = jax.jit(update, donate_argnums=0)
    state = [[table.value + 0 for table in tables]]

    def run(rows: dict[str, Array]) -> Any:
        state[0], loss = compiled(state[0], rows)
        return loss

    return run


def _on_torch(tables: list[Any], whole: bool) -> Callable[[dict[str, Array]], Any]:
    import torch
    from torch.nn.functional import embedding

    values = [table.value.detach() for table in tables]

    def update(rows: dict[str, Array]) -> Any:
        given = {name: torch.from_numpy(array) for name, array in rows.items()}
        loss, gradients = _gradients(values, given, whole, lambda table, index: embedding(index, table))
        if whole:
            for value, gradient in zip(values, gradients, strict=True):
                value.sub_(gradient, alpha=RATE)
            return loss
        for value, name, gradient in zip((values[0], values[1], values[1]), _ROWS, gradients, strict=True):
            value.index_add_(0, given[name].reshape(-1), gradient.reshape(-1, DIMENSION), alpha=-RATE)
        return loss

    return update


_ROWS = ("contexts", "centers", "noise")


def measure(step: Step, batches: int, words: float, seconds: float) -> float:
    """Words a second: the median over repetitions, after each batch was seen once."""
    for index in range(batches):
        step(index)
    found: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(found) < 3:
        start = time.perf_counter()
        step(len(found) % batches)
        found.append(words / (time.perf_counter() - start))
    return statistics.median(found)


if __name__ == "__main__":
    sys.exit(main())
