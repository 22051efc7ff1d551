"""Labels that are out of range, refused where their values can be seen."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


def require_labels(what: str, labels: Any, count: int, mask: Any) -> None:
    """Raise ValueError where an unmasked label is not one of `0 .. count - 1`; nothing in compiled code."""
    if not (is_visible(labels) and is_visible(mask)):
        return
    seen = ops.convert_to_numpy(labels)[ops.convert_to_numpy(mask)]
    if wrong := sorted({value.item() for value in np.unique(seen[(seen < 0) | (seen >= count)])}):
        listed = ", ".join(str(value) for value in wrong[:5])
        raise ValueError(f"{what} knows the labels 0 to {count - 1}, got {listed}")


def is_visible(tensor: Any) -> bool:
    """Whether a tensor has values now: not while a program is traced, nor in a symbolic model."""
    if isinstance(tensor, keras.KerasTensor):
        return False
    if keras.backend.backend() == "tensorflow":
        return hasattr(tensor, "numpy")
    if keras.backend.backend() == "jax":
        import jax

        return not isinstance(tensor, jax.core.Tracer)
    return bool(tensor.device.type != "meta")
