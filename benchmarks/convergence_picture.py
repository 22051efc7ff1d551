"""Draw what benchmarks/convergence.py measured.

Run: python benchmarks/convergence_picture.py [--curves CURVES.json] [--out PICTURE.png]

Above the training loss by gradients used, the mean of the seeds and their range; below the test accuracy at the end, a
dot for each seed and a bar at the mean.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

COLOURS = {
    "Adam": "#000000",
    "SGD": "#7f7f7f",
    "LazyAdam": "#1f77b4",
    "Lookahead (Adam)": "#17becf",
    "RAdam": "#2ca02c",
    "AdaBelief": "#d62728",
    "Prodigy": "#9467bd",
    "LARS": "#bcbd22",
    "SAM (SGD)": "#8c564b",
    "Heun": "#ff7f0e",
    "RK23": "#e377c2",
}
TITLES = {"images": "Fashion-MNIST, 5,000 images, 784-64-10", "text": "Film sentences, embedding 5,000 x 32"}


def main() -> int:
    """Draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--curves", type=Path, default=Path("docs/pictures/convergence.json"))
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/convergence.png"))
    arguments = parser.parse_args()
    draw(json.loads(arguments.curves.read_text()), arguments.out)
    return 0


def draw(record: dict[str, Any], out: Path) -> None:
    """A column for each problem."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    figure = pyplot.figure(figsize=(10, 7.6))
    losses = figure.subplots(
        1, 2, gridspec_kw={"left": 0.06, "right": 0.85, "top": 0.955, "bottom": 0.5, "wspace": 0.52}
    )
    ends = figure.subplots(1, 2, gridspec_kw={"left": 0.18, "right": 0.98, "top": 0.4, "bottom": 0.065, "wspace": 0.58})
    for name, results, loss, end in zip(TITLES, record["problems"].values(), losses, ends, strict=True):
        draw_losses(loss, results, record["budget"])
        draw_accuracies(end, results)
        loss.set_title(TITLES[name], fontsize=10, loc="left")
    figure.savefig(out, dpi=100)


def draw_losses(axis: Any, results: dict[str, Any], budget: int) -> None:
    """Mean and range, with the names at the right end, moved apart."""
    ends = {}
    for name, result in results.items():
        used, losses = on_one_grid(result["curves"], budget)
        mean = losses.mean(0)
        axis.fill_between(used, losses.min(0), losses.max(0), color=COLOURS[name], alpha=0.15, linewidth=0)
        axis.plot(used, mean, color=COLOURS[name], linewidth=1.4)
        ends[name] = float(mean[-1])
    axis.set_yscale("log")
    top = max(np.log(2), *(result["curves"][0][0][1] for result in results.values()))
    low = min(ends.values())
    axis.set_ylim(low * 0.85, top * 1.15)
    axis.set_xlim(0, budget)
    axis.set_xlabel("gradients computed, each of a batch of 64")
    axis.set_ylabel("training loss")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("{x:g}")
    axis.tick_params(axis="y", which="minor", labelsize=7)
    label(axis, {name: min(end, top) for name, end in ends.items()}, budget)


def label(axis: Any, ends: dict[str, float], budget: int) -> None:
    """Names beside the ends of the lines, in their order, none over another."""
    bottom, top = np.log(axis.get_ylim())
    names = sorted(ends, key=lambda name: ends[name])
    wanted = np.array([(np.log(ends[name]) - bottom) / (top - bottom) for name in names])
    places = apart(wanted, 0.056)
    for name, start, place in zip(names, wanted, places, strict=True):
        axis.annotate(
            name,
            (budget, np.exp(bottom + start * (top - bottom))),
            (1.05, place),
            textcoords="axes fraction",
            color=COLOURS[name],
            fontsize=8,
            va="center",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": COLOURS[name], "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0},
        )


def apart(wanted: Any, distance: float) -> Any:
    """Places in the same order, at least so far from each other, near where they are wanted."""
    places = wanted.copy()
    for _ in range(500):
        gaps = np.diff(places)
        close = gaps < distance - 1e-6
        if not close.any():
            break
        push = np.where(close, (distance - gaps) / 2, 0.0)
        places[:-1] -= push
        places[1:] += push
        places = np.clip(places, 0.0, 1.04)
    return places


def on_one_grid(curves: list[list[list[float]]], budget: int) -> tuple[Any, Any]:
    """The seeds' curves at the same numbers of gradients: the adaptive method's differ."""
    grid = np.linspace(0, budget, 49)
    return grid, np.array([np.exp(np.interp(grid, *np.array([(x, np.log(y)) for x, y in c]).T)) for c in curves])


def draw_accuracies(axis: Any, results: dict[str, Any]) -> None:
    """Best above."""
    names = sorted(results, key=lambda name: np.mean(results[name]["test_accuracy"]))
    for row, name in enumerate(names):
        accuracy = 100 * np.array(results[name]["test_accuracy"])
        axis.plot(accuracy, [row] * len(accuracy), "o", color=COLOURS[name], markersize=4, alpha=0.6)
        axis.plot(accuracy.mean(), row, "|", color=COLOURS[name], markersize=12, markeredgewidth=2)
    axis.set_yticks(range(len(names)), [f"{name} ({results[name]['rate']:g})" for name in names], fontsize=8)
    axis.set_xlabel("test accuracy, % (in brackets the learning rate)")
    axis.grid(axis="x", linewidth=0.4)


if __name__ == "__main__":
    sys.exit(main())
