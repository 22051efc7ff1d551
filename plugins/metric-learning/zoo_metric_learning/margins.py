"""Margins: what is done to the cosine of the right class, so that its features come closer together than they need to.

Each takes a cosine in [-1, 1] and returns a lower one; all have finite gradients.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

from zoo_metric_learning.distances import safe_sqrt
from zoo_metric_learning.labels import require_range


def arc_face(cosine: Any, margin: float) -> Any:
    """cos(angle + margin); beyond an angle of pi - margin, where that would rise, cos(angle) - margin sin(margin)."""
    sine = safe_sqrt(1 - ops.square(cosine))
    moved = cosine * math.cos(margin) - sine * math.sin(margin)
    return ops.where(cosine >= -math.cos(margin), moved, cosine - margin * math.sin(margin))


def require_angle(margin: float) -> None:
    """Raise ValueError for a margin that is no angle between 0 and pi/2."""
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 <= margin <= math.pi / 2:
        raise ValueError(f"margin must be an angle between 0 and pi/2, in radians, got {margin!r}")


def am_softmax(cosine: Any, margin: float) -> Any:
    """cos(angle) - margin."""
    return cosine - margin


def simpler_a_softmax(cosine: Any) -> Any:
    """min(cos(4 angle), cos(angle)), without a case distinction and hardly a hyper-parameter."""
    square = ops.square(cosine)
    return ops.minimum(8 * square * (square - 1) + 1, cosine)


def with_margin(cosines: Any, labels: Any, margin: Any) -> Any:
    """Cosines (batch, classes) where that of each label (batch,) is changed by `margin`, a function of cosines.

    A label that is no class changes nothing where that cannot be seen; where it can, ValueError is raised.
    """
    classes = cosines.shape[-1]
    require_range(labels, classes)
    is_label = ops.arange(classes, dtype="int32")[None, :] == ops.cast(labels, "int32")[:, None]
    own = ops.sum(ops.where(is_label, cosines, 0), axis=1, keepdims=True)
    return ops.where(is_label, margin(own), cosines)
