"""Lazy Adam beside Keras' Adam and SGD and PyTorch's SparseAdam, by the size of the embedding; and accumulation.

Run: python benchmarks/optimizers.py [--rounds 3] [--steps 40] [--rows 10000 100000 1000000]

An embedding of V x 64, mean pooling, a dense layer; batches of 256 x 20 row numbers, drawn evenly. Keras trains through
`model.fit`, the time is that between the ends of batches; PyTorch in a plain loop. Every cell is a process of its own;
the cells take turns, so that whatever else the machine does meets all of them alike. Shown are the median of all steps,
without the first ten of a process, and the least and largest median of a round.

Goals, on TensorFlow: at a million rows at or below SparseAdam and 40 times as fast as Keras' Adam, no more than twice
as long as at ten thousand; accumulation within 5% of Keras' own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WIDTH, BATCH, LENGTH, WARM_UP = 64, 256, 20, 10
LEAST, MOST = 10_000, 1_000_000
WINDOW = 4


@dataclass(frozen=True, slots=True)
class Cell:
    """What one process measures."""

    backend: str
    optimizer: str
    rows: int = 0

    @property
    def name(self) -> str:
        """As in the table."""
        return f"{self.optimizer} ({self.backend})"


EMBEDDING = (
    ("tensorflow", "LazyAdam"),
    ("tensorflow", "LazyAdam, all moments"),
    ("tensorflow", "Keras Adam"),
    ("tensorflow", "Keras SGD"),
    ("torch alone", "SparseAdam"),
    ("jax", "LazyAdam"),
    ("jax", "Keras Adam"),
)
ACCUMULATION = tuple(
    (backend, name) for backend in ("tensorflow", "jax") for name in ("GradientAccumulation", "Keras accumulation")
)


def main() -> int:
    """Print a table and the ratios; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="processes of each cell")
    parser.add_argument("--steps", type=int, default=40, help="steps measured in each process")
    parser.add_argument("--rows", type=int, nargs="+", default=[LEAST, 100_000, MOST], help="sizes of the embedding")
    parser.add_argument("--cell", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.cell:
        print(json.dumps(measure(Cell(*json.loads(arguments.cell)), arguments.steps)))
        return 0
    cells = [Cell(*pair, rows) for pair in EMBEDDING for rows in arguments.rows]
    cells += [Cell(*pair) for pair in ACCUMULATION]
    found: dict[Cell, list[list[float]]] = {cell: [] for cell in cells}
    for number in range(arguments.rounds):
        for cell in cells:
            print(f"round {number + 1}: {cell.name} {cell.rows or ''}", end="\r", file=sys.stderr, flush=True)
            found[cell].append(in_a_process(cell, arguments.steps))
    print(" " * 60, end="\r", file=sys.stderr)
    return report(found)


def in_a_process(cell: Cell, steps: int) -> list[float]:
    """Milliseconds of each step."""
    checkout = Path(__file__).resolve().parents[1]
    path = os.pathsep.join(map(str, [checkout, checkout / "plugins" / "addons"]))
    backend = "torch" if cell.backend == "torch alone" else cell.backend
    environment = os.environ | {"KERAS_BACKEND": backend, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    text = json.dumps([cell.backend, cell.optimizer, cell.rows])
    command = [sys.executable, __file__, "--steps", str(steps), "--cell", text]
    result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return list(json.loads(result.stdout.splitlines()[-1]))


def report(found: dict[Cell, list[list[float]]]) -> int:
    """The table, the ratios, and whether a goal was missed."""
    medians = {cell: statistics.median(itertools.chain.from_iterable(rounds)) for cell, rounds in found.items()}
    for cell, rounds in found.items():
        low, *_, high = sorted(statistics.median(values) for values in [*rounds, *rounds])
        size = f"V = {cell.rows:>9,}" if cell.rows else f"{WINDOW} batches  "
        print(f"{cell.name:<36}{size} {medians[cell]:8.2f} ms   ({low:.2f} to {high:.2f}, {len(rounds)} rounds)")
    met = [goal(medians, *each) for each in _goals(medians)]
    return int(not all(met))


def _goals(medians: dict[Cell, float]) -> list[tuple[str, Cell, Cell, float]]:
    """What is said, of which two cells, and at most what their ratio may be."""
    lazy = Cell("tensorflow", "LazyAdam", MOST)
    goals = [
        ("LazyAdam / SparseAdam, a million rows", lazy, Cell("torch alone", "SparseAdam", MOST), 1.0),
        ("LazyAdam / Keras Adam, a million rows", lazy, Cell("tensorflow", "Keras Adam", MOST), 1 / 40),
        ("LazyAdam, a million / ten thousand rows", lazy, Cell("tensorflow", "LazyAdam", LEAST), 2.0),
    ]
    for backend in ("tensorflow", "jax"):
        pair = (Cell(backend, "GradientAccumulation"), Cell(backend, "Keras accumulation"))
        goals.append((f"accumulation / Keras' own ({backend})", *pair, 1.05))
    return [each for each in goals if each[1] in medians and each[2] in medians]


def goal(medians: dict[Cell, float], text: str, one: Cell, other: Cell, most: float) -> bool:
    """Print a ratio beside the goal."""
    ratio = medians[one] / medians[other]
    print(f"{text:<44}{ratio:6.3f}   (goal: at most {most:.3f}: {'met' if ratio <= most else 'missed'})")
    return ratio <= most


def measure(cell: Cell, steps: int) -> list[float]:
    """Milliseconds of each step, in this process."""
    if cell.backend == "torch alone":
        return with_torch(cell.rows, steps)
    if cell.rows:
        return through_fit(embedding_model(cell), *embedding_data(cell.rows, steps), BATCH, 1)
    return through_fit(dense_model(cell), *dense_data(steps), 32, WINDOW)


def embedding_data(rows: int, steps: int) -> tuple[Any, Any]:
    """Enough for the warm-up too."""
    import numpy as np

    rng, count = np.random.default_rng(0), BATCH * (steps + WARM_UP)
    return rng.integers(0, rows, (count, LENGTH)).astype("int32"), rng.normal(size=(count, 1)).astype("float32")


def dense_data(steps: int) -> tuple[Any, Any]:
    """As many windows as there would be steps."""
    import numpy as np

    rng, count = np.random.default_rng(0), 32 * WINDOW * (steps + WARM_UP)
    return rng.normal(size=(count, 784)).astype("float32"), rng.integers(0, 10, count)


def embedding_model(cell: Cell) -> Any:
    """Compiled with the cell's optimizer."""
    import keras

    from zoo_addons import LazyAdam

    optimizers: dict[str, Callable[[], Any]] = {
        "LazyAdam": LazyAdam,
        "LazyAdam, all moments": lambda: LazyAdam(moments="all"),
        "Keras Adam": keras.optimizers.Adam,
        "Keras SGD": keras.optimizers.SGD,
    }
    layers = [keras.layers.Embedding(cell.rows, WIDTH), keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    model.compile(optimizers[cell.optimizer](), loss="mse")
    return model


def dense_model(cell: Cell) -> Any:
    """A million weights, accumulating."""
    import keras

    from zoo_addons import GradientAccumulation

    layers = [keras.layers.Dense(units, activation="relu") for units in (720, 580)]
    model = keras.Sequential([keras.Input((784,)), *layers, keras.layers.Dense(10, activation="softmax")])
    steps = None
    if cell.optimizer == "GradientAccumulation":
        model = GradientAccumulation(model, steps=WINDOW)
    else:
        steps = WINDOW
    optimizer = keras.optimizers.Adam(gradient_accumulation_steps=steps)
    model.compile(optimizer, loss="sparse_categorical_crossentropy")
    return model


def through_fit(model: Any, x: Any, y: Any, batch_size: int, window: int) -> list[float]:
    """Milliseconds between the ends of batches; of `window` batches together, for what updates in every one."""
    import keras

    def note(batch: int, logs: Any) -> None:
        # JAX would otherwise be asked for the next batch before this one is done.
        float(logs["loss"])
        if (batch + 1) % window == 0:
            times.append(time.perf_counter())

    times: list[float] = []
    clock = keras.callbacks.LambdaCallback(on_train_batch_end=note)
    model.fit(x, y, batch_size=batch_size, verbose=0, shuffle=False, callbacks=[clock])
    return _between(times)


def with_torch(rows: int, steps: int) -> list[float]:
    """The same model in PyTorch, with a sparse gradient."""
    import torch

    embedding, dense = torch.nn.Embedding(rows, WIDTH, sparse=True), torch.nn.Linear(WIDTH, 1)
    optimizers = [torch.optim.SparseAdam(embedding.parameters()), torch.optim.Adam(dense.parameters())]
    x, y = map(torch.from_numpy, embedding_data(rows, steps))
    times = []
    for inputs, targets in zip(x.split(BATCH), y.split(BATCH), strict=True):
        for optimizer in optimizers:
            optimizer.zero_grad()
        torch.nn.functional.mse_loss(dense(embedding(inputs).mean(1)), targets).backward()
        for optimizer in optimizers:
            optimizer.step()
        times.append(time.perf_counter())
    return _between(times)


def _between(times: list[float]) -> list[float]:
    return [1000 * (end - start) for start, end in zip(times[WARM_UP - 1 :], times[WARM_UP:], strict=False)]


if __name__ == "__main__":
    sys.exit(main())
