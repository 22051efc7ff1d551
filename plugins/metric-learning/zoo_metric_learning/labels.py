"""Labels: one whole number for each embedding."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops


def flat_labels(labels: Any) -> Any:
    """Labels of shape (batch,), given as (batch,) or (batch, 1). Raises ValueError for any other shape."""
    labels = ops.convert_to_tensor(labels)
    shape = tuple(labels.shape)
    if len(shape) == 2 and shape[1] == 1:
        return ops.squeeze(labels, axis=1)
    if len(shape) != 1:
        raise ValueError(
            f"labels must be whole numbers of shape (batch,) or (batch, 1), got shape {shape}; of one-hot labels give "
            f"keras.ops.argmax(labels, axis=-1)"
        )
    return labels


def require_as_many(labels: Any, embeddings: Any) -> None:
    """Raise ValueError where it is known that there is not one label for each embedding."""
    found, wanted = labels.shape[0], embeddings.shape[0]
    if found is not None and wanted is not None and found != wanted:
        raise ValueError(f"there must be one label for each embedding, got {found} labels and {wanted} embeddings")


def require_range(labels: Any, classes: int) -> None:
    """Raise ValueError where a label is not one of `0 .. classes - 1`; nothing where labels have no values yet."""
    if not _is_visible(labels) or labels.shape[0] == 0:
        return
    values = ops.convert_to_numpy(labels)
    wrong = sorted({value.item() for value in values[(values < 0) | (values >= classes)]})
    if wrong:
        listed = ", ".join(str(value) for value in wrong[:5])
        raise ValueError(f"with {classes} classes the labels are 0 to {classes - 1}, got {listed}")


def _is_visible(tensor: Any) -> bool:
    """Whether a tensor has values now: not while a program is traced, nor in a symbolic model."""
    if isinstance(tensor, keras.KerasTensor):
        return False
    if isinstance(tensor, np.ndarray):
        return True
    backend = keras.backend.backend()
    if backend == "tensorflow":
        return hasattr(tensor, "numpy")
    if backend == "jax":
        import jax

        return not isinstance(tensor, jax.core.Tracer)
    # Reading a label from another device would wait for it in every step.
    return tensor.device.type == "cpu"
