"""Outputs as NumPy arrays: flat, finite, and compared with one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zoo_core.conformance.results import CheckFailed

if TYPE_CHECKING:
    import numpy as np

    Arrays = list[np.ndarray[Any, Any]]

TOLERANCE = 1e-4
"""How far outputs may differ, relative to the largest number: compiled sums are added in another order."""


def tensors(structure: Any) -> list[Any]:
    """The tensors in a structure of tuples, lists and dictionaries, in order; whatever is None is left out."""
    import keras

    return [leaf for leaf in keras.tree.flatten(structure) if leaf is not None]


def dtype(tensor: Any) -> str:
    """A tensor's dtype as Keras calls it."""
    import keras

    name: str = keras.backend.standardize_dtype(tensor.dtype)
    return name


def as_arrays(structure: Any) -> Arrays:
    """The tensors in a structure as NumPy arrays, those of half precision as float32."""
    import keras
    import numpy as np

    def array(tensor: Any) -> np.ndarray[Any, Any]:
        if dtype(tensor) in ("bfloat16", "float16"):
            tensor = keras.ops.cast(tensor, "float32")
        # A copy, since what Keras gives may be a view of what changes.
        return np.array(keras.ops.convert_to_numpy(tensor))

    return [array(tensor) for tensor in tensors(structure)]


def require_finite(arrays: Sequence[Any], what: str) -> None:
    """Raise CheckFailed where a number is NaN or infinite."""
    import numpy as np

    for array in arrays:
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            count = int(array.size - np.isfinite(array).sum())
            raise CheckFailed(f"{what}: {count} of {array.size} numbers are NaN or infinite")


def require_equal(found: Sequence[Any], expected: Sequence[Any], what: str, tolerance: float = TOLERANCE) -> None:
    """Raise CheckFailed where arrays differ in number, shape, or value by more than the tolerance."""
    import numpy as np

    require_same_shapes(found, expected, what)
    for one, other in zip(found, expected, strict=True):
        scale = max(1.0, float(np.max(np.abs(other), initial=0))) if other.dtype.kind in "fiu" else 1.0
        if not np.allclose(one, other, rtol=tolerance, atol=tolerance * scale, equal_nan=True):
            apart = float(np.max(np.abs(one.astype("float64") - other.astype("float64"))))
            raise CheckFailed(f"{what} differ: by up to {apart:.3g}, where the largest number is {scale:.3g}")


def require_same_shapes(found: Sequence[Any], expected: Sequence[Any], what: str) -> None:
    """Raise CheckFailed where arrays differ in number or shape."""
    if [array.shape for array in found] != [array.shape for array in expected]:
        shapes = [[list(array.shape) for array in arrays] for arrays in (found, expected)]
        raise CheckFailed(f"{what} differ: shapes {shapes[0]} instead of {shapes[1]}")
