"""Draws every schedule of addons, as the parts themselves compute it, into docs/pictures/schedules.png."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import zoo_addons as za

STEPS = 100
FILE = Path(__file__).with_suffix(".png")

Panel = tuple[str, str, dict[str, Callable[[int], object]]]


def panels() -> list[Panel]:
    """Title, how it was made, and the curves by their labels."""
    one_cycle = za.OneCycle(1.0, total_steps=STEPS)
    return [
        ("StepSchedule", "[1, 0.3, 0.1], [40, 75]", {"": za.StepSchedule([1.0, 0.3, 0.1], [40, 75])}),
        ("LinearSchedule", "1, 0.1, duration=80", {"": za.LinearSchedule(1.0, 0.1, 80)}),
        ("CosineSchedule", "1, 0.1, duration=80", {"": za.CosineSchedule(1.0, 0.1, 80)}),
        ("CyclicSchedule", "0.1, 1, period=40", {"": za.CyclicSchedule(0.1, 1.0, 40)}),
        (
            "CyclicSchedule",
            '..., shape="cosine", decay=0.6',
            {"": za.CyclicSchedule(0.1, 1.0, 40, shape="cosine", decay=0.6)},
        ),
        ("WarmUp", "steps=30, learning_rate=1", {"": za.WarmUp(steps=30, learning_rate=1.0).value}),
        ("OneCycle", "1, total_steps=100", {"learning rate": one_cycle.value, "momentum": one_cycle.momentum_at}),
        ("PiecewiseLinear", "1, {20: 1, 60: 0.3, 100: 0.1}", {"": za.PiecewiseLinear(1.0, {20: 1, 60: 0.3, 100: 0.1})}),
    ]


def main() -> None:
    """Write the picture."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, 4, figsize=(11, 4.6), sharex=True, sharey=True, layout="constrained")
    for axis, (title, arguments, curves) in zip(axes.flat, panels(), strict=True):
        for (label, curve), style in zip(curves.items(), ("-", "--"), strict=False):
            axis.plot([float(curve(step)) for step in range(STEPS)], style, color="#1f5fa8", label=label)  # type: ignore[arg-type]
        axis.set_title(title, fontsize=11, loc="left", pad=16, fontweight="bold")
        axis.text(0, 1.03, arguments, transform=axis.transAxes, fontsize=8.5, color="#555555")
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
        if len(curves) > 1:
            axis.legend(frameon=False, fontsize=8.5)
    figure.supxlabel("step, or epoch", fontsize=10)
    figure.savefig(FILE, dpi=110)


if __name__ == "__main__":
    main()
