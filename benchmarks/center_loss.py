"""What center loss does to two features of Fashion-MNIST: classes never seen in training told apart by neighbours.

Two classes are held out, a small convolutional classifier is trained on the other eight with and without center loss,
and the test images of the two are told apart by their five nearest neighbours among training images, by features.
Prints that accuracy, the one among all ten classes and the classifier's own on the eight; mean and range over three
seeds, for three pairs of classes. Needs Fashion-MNIST ($ZOO_DATA, or a download). About fifteen minutes on two cores.
`--picture FILE` draws the features of all ten classes, trained with and without, in place of all this.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from zoo_core import backend, loading, training
from zoo_core.recipes import find_recipe, make_recipe

PAIRS: Mapping[str, tuple[int, int]] = {
    "Bag, Ankle boot": (8, 9),
    "Dress, Sandal": (3, 5),
    "Pullover, Shirt": (2, 6),
}
WEIGHTS = (0.0, 0.02)
METRICS = {
    "unseen_knn_accuracy": "among the two unseen",
    "knn_accuracy": "among all ten",
    "accuracy": "softmax, eight seen",
}


def main() -> int:
    """Print the table, or draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--picture", type=Path)
    chosen = parser.parse_args()
    backend.ensure()
    if chosen.picture:
        return draw(chosen.picture, chosen.epochs)
    print(f"| held out | center loss | {' | '.join(METRICS.values())} |\n|{' --- |' * (2 + len(METRICS))}")
    for name, pair in PAIRS.items():
        for weight in WEIGHTS:
            runs = [measure(pair, weight, chosen.epochs, seed) for seed in range(chosen.seeds)]
            cells = []
            for metric in METRICS:
                values = [run[metric] for run in runs]
                cells.append(f"{np.mean(values):.3f} ({min(values):.3f} to {max(values):.3f})")
            print(f"| {name} | {f'weight {weight:g}' if weight else 'without'} | {' | '.join(cells)} |", flush=True)
    return 0


def measure(held_out: tuple[int, int], weight: float, epochs: int, seed: int) -> Mapping[str, float]:
    """The metrics of a classifier trained like this."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        settings = {"held_out": held_out, "center_weight": weight, "epochs": epochs, "seed": seed}
        training.train("center-classifier", settings=settings, out=run, progress="none")
        recipe = make_recipe(find_recipe("center-classifier").recipe, "fashion-mnist", settings)
        return recipe.evaluate(loading.load(run), recipe.load("fashion-mnist"), seed)


def draw(path: Path, epochs: int) -> int:
    """Both classifiers of all ten classes, side by side."""
    from zoo_metric_learning import pictures

    with tempfile.TemporaryDirectory() as folder:
        panels = []
        for weight in WEIGHTS:
            run = Path(folder, f"weight-{weight:g}")
            settings = {"center_weight": weight, "epochs": epochs}
            training.train("center-classifier", settings=settings, out=run, progress="none")
            panels.append(pictures.panel(str(run), "", "test", 2000))
        pictures.write_scatter(path, panels)
    print(f"{path} is written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
