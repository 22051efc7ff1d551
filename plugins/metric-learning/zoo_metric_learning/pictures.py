"""Scatter pictures of two-dimensional features, a colour for each class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from zoo_core.errors import DataError, UsageError
from zoo_core.text import clean, plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Array = np.ndarray[Any, Any]

CLASS_NAMES = {
    "fashion-mnist": (
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    )
}
"""What the classes of a data set are called; those of others go by their numbers."""
MOST_PANELS = 6
MOST_CLASSES = 20

_WIDTH, _HEIGHT = 5.2, 5.0
_CENTER, _MEAN = "center", "class mean"


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One model's features `(examples, 2)` with their labels `(examples,)`.

    `centers` are those that the model learned, by label; empty where it learned none. `unseen` are labels that it was
    not trained on.
    """

    title: str
    data: str
    features: Array
    labels: Array
    centers: dict[int, Array]
    unseen: frozenset[int] = frozenset()


def panel(reference: str, data: str, split: str, limit: int) -> Panel:
    """What a trained model makes of the first `limit` examples of a split; `data` "" is what it was trained on.

    Raises UsageError for a model without two-dimensional features, DataError, and whatever loading raises.
    """
    from zoo_core import backend
    from zoo_core.data import load_data
    from zoo_core.loading import load
    from zoo_core.pulling import pull
    from zoo_core.runs import read_record

    backend.loading_notice()
    model: Any = load(reference)
    if not hasattr(model, "features") or getattr(model, "dimensions", 0) != 2:
        raise UsageError(
            f"'{clean(reference)}' makes no two-dimensional features",
            "see `zoo list metric-learning` for models that do",
        )
    folder = pull(reference).path
    assert folder is not None  # it was loaded
    record = read_record(folder)
    splits = load_data(data or str(record["data"]["name"]))
    images, labels = splits.part(split)
    if labels is None:
        raise DataError(f"{splits.name} has no labels to colour its examples by")
    if images.shape[1:] != tuple(model.image_shape):
        raise DataError(f"{splits.name} has examples of shape {images.shape[1:]}, the model takes {model.image_shape}")
    held_out = {int(label) for label in record["settings"].get("held_out", ())}
    seen = [label for label in range(model.classes + len(held_out)) if label not in held_out]
    centers = dict(zip(seen, model.center_positions(), strict=False))
    weight = model.center_weight
    return Panel(
        title=f"softmax and center loss, weight {weight:g}" if weight else "softmax alone",
        data=f"{splits.name}, {split} split",
        features=model.features(images[:limit]),
        labels=np.asarray(labels[:limit]),
        centers=centers,
        unseen=frozenset(held_out),
    )


def check_output(path: Path) -> None:
    """Raise UsageError unless a PNG can be written there."""
    if path.suffix.lower() != ".png":
        raise UsageError(f"{clean(str(path))}: pictures are written as PNG", "give a name that ends in .png")
    folder = path.parent
    if not folder.is_dir():
        raise UsageError(f"{clean(str(folder))} is no folder", "make it first, or give another --output")
    if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"{clean(str(path))} cannot be written", "give another --output")


def write_scatter(path: Path, panels: Sequence[Panel]) -> None:
    """Draw the panels side by side into a PNG. Raises UsageError for too many of them, DataError.

    Several have one scale, whose unit is a panel's own spread, the root mean square of the distances to the mean: how
    far classes lie apart is to be compared with how wide they are, and softmax alone makes features of any size.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from zoo_core.files import replacing

    if not 0 < len(panels) <= MOST_PANELS:
        raise UsageError(f"{plural(len(panels), 'panel')}: a picture has room for 1 to {MOST_PANELS}")
    classes = sorted({int(label) for panel in panels for label in panel.labels})
    if len(classes) > MOST_CLASSES:
        raise DataError(f"{len(classes)} classes: colours for {MOST_CLASSES} can be told apart")
    figure = Figure(figsize=(_WIDTH * len(panels) + 1.5, _HEIGHT), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, len(panels), sharex=True, sharey=True, squeeze=False)[0]
    if len(panels) > 1:
        panels = [_to_unit_spread(shown) for shown in panels]
    lowest, highest = _limits(panels)
    for place, (axis, shown) in enumerate(zip(axes, panels, strict=True)):
        _draw(axis, shown, classes)
        axis.set(xlim=(lowest[0], highest[0]), ylim=(lowest[1], highest[1]), aspect="equal")
        axis.set_ylabel("feature 2" if place == 0 else "")
    marks = {name: mark for axis in axes for mark, name in zip(*axis.get_legend_handles_labels(), strict=True)}
    names = sorted(marks, key=lambda name: name in (_CENTER, _MEAN))
    legend = figure.legend([marks[name] for name in names], names, loc="outside right center", frameon=False)
    for handle, name in zip(legend.legend_handles, names, strict=True):
        assert handle is not None
        handle.set(sizes=[90 if name in (_CENTER, _MEAN) else 40], alpha=1)
    figure.suptitle(", ".join(dict.fromkeys(shown.data for shown in panels)))
    with replacing(path) as file:
        figure.savefig(file, format="png", dpi=120)


def _draw(axis: Axes, shown: Panel, classes: Sequence[int]) -> None:
    names = CLASS_NAMES.get(shown.data.partition(",")[0], ())
    colours = _colours(len(classes))
    for colour, label in zip(colours, classes, strict=True):
        points = shown.features[shown.labels == label]
        name = names[label] if label < len(names) else str(label)
        unseen = label in shown.unseen
        axis.scatter(
            points[:, 0],
            points[:, 1],
            s=5,
            color=colour,
            alpha=0.6,
            linewidths=0.6 if unseen else 0,
            marker="x" if unseen else "o",
            label=f"{name} (not trained on)" if unseen else name,
        )
    marks = np.array(
        list(shown.centers.values()) or [shown.features[shown.labels == label].mean(0) for label in classes]
    )
    axis.scatter(
        marks[:, 0],
        marks[:, 1],
        s=90,
        marker="*" if shown.centers else "P",
        color="white",
        edgecolors="black",
        linewidths=0.9,
        label=_CENTER if shown.centers else _MEAN,
        zorder=3,
    )
    axis.set_title(shown.title)
    axis.set_xlabel("feature 1")
    axis.grid(alpha=0.25)


def _to_unit_spread(shown: Panel) -> Panel:
    """The same panel around its mean, in units of its own spread."""
    mean = shown.features.mean(axis=0)
    spread = float(np.sqrt(np.square(shown.features - mean).sum(axis=1).mean())) or 1.0
    return replace(
        shown,
        title=f"{shown.title}\n(one unit: {spread:.3g})",
        features=(shown.features - mean) / spread,
        centers={label: (center - mean) / spread for label, center in shown.centers.items()},
    )


def _limits(panels: Sequence[Panel]) -> tuple[Array, Array]:
    """The corners of one square that has all points of all panels."""
    points = np.concatenate([each for shown in panels for each in (shown.features, *_rows(shown.centers))])
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    half = 0.55 * float((points.max(axis=0) - points.min(axis=0)).max()) or 1.0
    return middle - half, middle + half


def _rows(centers: dict[int, Array]) -> list[Array]:
    return [center[None] for center in centers.values()]


def _colours(count: int) -> list[Any]:
    from matplotlib import colormaps

    return [colormaps["tab10" if count <= 10 else "tab20"](place) for place in range(count)]
