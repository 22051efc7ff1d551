"""The losses of this plugin: where each lives, and how it is tried."""

from __future__ import annotations

LOSSES: dict[str, tuple[str, object]] = {
    "HingedBinaryCrossentropy": ("losses.hinged", "zoo_addons.examples.losses:hinged_binary"),
    "HingedCrossentropy": ("losses.hinged", "zoo_addons.examples.losses:hinged"),
    "LabelSmoothedCrossentropy": ("losses.label_smoothing", "zoo_addons.examples.losses:label_smoothed"),
    "MultiLabelSoftmaxCrossentropy": ("losses.multi_label", "zoo_addons.examples.losses:multi_label"),
    "UniformCrossentropy": ("losses.label_smoothing", "zoo_addons.examples.losses:uniform"),
}
"""Name -> its module within zoo_addons, and how `zoo check` tries it: an Example, or what makes one."""
