"""Numbers that JSON does not have, as JSON: NaN and the infinities."""

from __future__ import annotations

import math


def as_plain(value: float) -> float | str:
    """The number, or its name where it is not finite."""
    return value if math.isfinite(value) else str(value)


def from_plain(value: float | str) -> float:
    """The number that `as_plain` was given."""
    return float(value) if isinstance(value, str) else value
