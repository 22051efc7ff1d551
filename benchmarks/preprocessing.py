"""What a flow's preprocessing is worth: the same small Glow after one epoch of MNIST, by preprocessing, over seeds.

Prints bits per dimension on the first 2,000 test images: mean and range over the seeds. Needs MNIST ($ZOO_DATA, or a
download). About ten minutes on two cores.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from zoo_core import backend, evaluation, training

SEEDS = (0, 1, 2)
SETTINGS = {"epochs": 1, "steps": (4,), "filters": (32,), "depth": 0, "average": 0.99, "sample_every": 0}


def main() -> int:
    """Train and measure; 0 if `gaussianize` needs the fewest bits under every seed, else 1."""
    backend.ensure()
    bits: dict[str, list[float]] = {}
    for name in ("none", "logit", "gaussianize"):
        values = bits[name] = [_bits(name, seed) for seed in SEEDS]
        spread = f"{min(values):.3f} to {max(values):.3f}, seeds {', '.join(map(str, SEEDS))}"
        print(f"{name:12} {statistics.mean(values):.3f} bits/dim   ({spread})", flush=True)
    return int(max(bits["gaussianize"]) >= min(bits["none"] + bits["logit"]))


def _bits(preprocess: str, seed: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        settings = {**SETTINGS, "preprocess": preprocess, "seed": seed}
        training.train("glow", "mnist", settings, out=run, progress="none")
        return evaluation.evaluate(run, limit=2000).metrics["bits_per_dim"]


if __name__ == "__main__":
    sys.exit(main())
