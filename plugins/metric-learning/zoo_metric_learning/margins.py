"""Margins: what is done to the cosine of the right class, so that its features come closer together than they need to.

Each takes cosines (batch, classes), and 1 for the class of each sample beside 0 for the others, in the same shape. It
returns the cosines with the right one lowered; all have finite gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from keras import ops

from zoo_metric_learning.arguments import require_finite
from zoo_metric_learning.distances import safe_sqrt
from zoo_metric_learning.labels import require_range


def arc_face(cosines: Any, of_label: Any, margin: float) -> Any:
    """cos(angle + margin); beyond an angle of pi - margin, where that would rise, cos(angle) - margin sin(margin)."""

    def lower(cosine: Any) -> Any:
        sine = safe_sqrt(1 - ops.square(cosine))
        moved = cosine * math.cos(margin) - sine * math.sin(margin)
        return ops.where(cosine >= -math.cos(margin), moved, cosine - margin * math.sin(margin))

    return _with(lower, cosines, of_label)


def require_angle(margin: float) -> None:
    """Raise ValueError for a margin that is no angle between 0 and pi/2."""
    require_finite(margin=margin)
    if not 0 <= margin <= math.pi / 2:
        raise ValueError(f"margin must be an angle between 0 and pi/2, in radians, got {margin!r}")


def am_softmax(cosines: Any, of_label: Any, margin: float) -> Any:
    """cos(angle) - margin."""
    return cosines - margin * of_label


def simpler_a_softmax(cosines: Any, of_label: Any) -> Any:
    """min(cos(4 angle), cos(angle)), without a case distinction and hardly a hyper-parameter."""

    def lower(cosine: Any) -> Any:
        square = ops.square(cosine)
        return ops.minimum(8 * square * (square - 1) + 1, cosine)

    return _with(lower, cosines, of_label)


def one_hot(labels: Any, cosines: Any) -> Any:
    """1 for the class of each sample, else 0: (batch, classes), nothing but 0 for a label that is no class.

    Raises ValueError for such a label where it can be seen.
    """
    classes = cosines.shape[-1]
    require_range(labels, classes)
    is_label = ops.arange(classes, dtype="int32")[None, :] == ops.cast(labels, "int32")[:, None]
    return ops.cast(is_label, cosines.dtype)


def _with(lower: Callable[[Any], Any], cosines: Any, of_label: Any) -> Any:
    """A costly margin is computed for the right class alone."""
    own = ops.sum(of_label * cosines, axis=1, keepdims=True)
    return cosines + of_label * (lower(own) - own)
