"""Arguments and shapes, refused with a message that names them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any


def require_finite(**values: float) -> None:
    """Raise ValueError for one that is infinite or not a number."""
    for name, value in values.items():
        if not _is_number(value):
            raise ValueError(f"{name} must be a finite number, got {value!r}")


def require_not_negative(**values: float) -> None:
    """Raise ValueError for one below zero, infinite or not a number."""
    for name, value in values.items():
        if not _is_number(value) or value < 0:
            raise ValueError(f"{name} must be a number of at least 0, got {value!r}")


def require_positive(**values: float) -> None:
    """Raise ValueError for one of zero or less, infinite or not a number."""
    for name, value in values.items():
        if not _is_number(value) or value <= 0:
            raise ValueError(f"{name} must be a number above 0, got {value!r}")


def require_count(**values: Any) -> None:
    """Raise ValueError for one that is no whole number of at least 1."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")


def require_fraction(**values: float) -> None:
    """Raise ValueError for one outside [0, 1]."""
    for name, value in values.items():
        if not _is_number(value) or not 0 <= value <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {value!r}")


def require_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Raise ValueError for a word that is none of those known."""
    if value not in known:
        listed = ", ".join(f"'{word}'" for word in known)
        raise ValueError(f"{name} must be one of {listed}, got {value!r}")


def require_matrix(what: str, tensor: Any) -> None:
    """Raise ValueError where a tensor is known not to be (batch, dimensions)."""
    if len(tensor.shape) != 2:
        raise ValueError(f"{what} must have shape (batch, dimensions), got {tuple(tensor.shape)}")


def require_as_large(one: Any, other: Any) -> None:
    """Raise ValueError where two tensors are known to differ in shape."""
    found, wanted = tuple(one.shape), tuple(other.shape)
    if len(found) != len(wanted) or any(
        None not in sizes and len(set(sizes)) > 1 for sizes in zip(found, wanted, strict=True)
    ):
        raise ValueError(f"both must have the same shape, got {found} and {wanted}")


def _is_number(value: Any) -> bool:
    # NumPy's numbers are Real and Integral, but neither int nor, in single precision, float.
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
