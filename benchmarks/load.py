"""Loading a preset of 42 MB in 400 variables, every byte hashed, beside Keras' own `load_weights` of the same model.

Run: python benchmarks/load.py [--repeat 7]    (KERAS_BACKEND=tensorflow, jax or torch)

Both give weights to the same model, which is built once, in the same process; each figure is the median of alternating
repetitions with the file in the page cache. The zoo reads, checks sizes and sha256, header, names, shapes, dtypes and
that every number is finite; Keras reads HDF5 and checks shapes. Goal: a ratio of at most 1.0.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import backend

if TYPE_CHECKING:
    import keras

LAYERS = 200
UNITS = 229
GOAL = 1.0


def main() -> int:
    """Print the medians and their ratio; 1 where the goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeat", type=int, default=7, help="repetitions of each")
    repeat = parser.parse_args().repeat
    name = backend.ensure()
    with tempfile.TemporaryDirectory() as folder:
        loaders = prepare(Path(folder))
        seconds = measure(loaders, repeat)
    ours, keras_own = (statistics.median(seconds[label]) for label in loaders)
    for label, values in seconds.items():
        spread = f"{1000 * min(values):.0f} to {1000 * max(values):.0f}"
        print(f"{label:<42}{1000 * statistics.median(values):8.1f} ms   ({spread}, {repeat} times)")
    print(f"ratio on {name}: {ours / keras_own:.2f}   (goal: at most {GOAL:.1f})")
    return int(ours > GOAL * keras_own)


def prepare(folder: Path) -> dict[str, Callable[[], Any]]:
    """Write the weights of one model in both formats; the two ways to give them to another one."""
    from zoo_core.config import Config
    from zoo_core.loading import load_weights
    from zoo_core.presets import write_preset
    from zoo_core.tensors import tensor_arrays

    source, target = build(), build()
    tensors = tensor_arrays(source)
    files = write_preset(folder / "preset", Config("benchmark/stack"), tensors)
    source.save_weights(folder / "model.weights.h5")
    print(f"{len(tensors)} variables, {sum(file.size for file in files) / 1e6:.1f} MB")
    return {
        "zoo: hashes, checks, safetensors, assign": lambda: load_weights(target, folder / "preset"),
        "keras: load_weights, HDF5": lambda: target.load_weights(folder / "model.weights.h5"),
    }


def build() -> keras.Model:
    """A stack of dense layers with all its variables."""
    import keras

    return keras.Sequential([keras.Input((UNITS,)), *(keras.layers.Dense(UNITS) for _ in range(LAYERS))])


def measure(loaders: dict[str, Callable[[], Any]], repeat: int) -> dict[str, list[float]]:
    """Seconds of each loader, taken in turn so that both meet the same machine; the first round warms up."""
    seconds: dict[str, list[float]] = {label: [] for label in loaders}
    for number in range(repeat + 1):
        for label, load in loaders.items():
            start = time.perf_counter()
            load()
            if number:
                seconds[label].append(time.perf_counter() - start)
    return seconds


if __name__ == "__main__":
    sys.exit(main())
