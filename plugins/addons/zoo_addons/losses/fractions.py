"""Targets from 0 to 1, one for each output."""

from __future__ import annotations

from typing import Any

from keras import ops

from zoo_addons.layers.labels import is_visible

Tensor = Any
"""A tensor of whatever the backend is."""


def fractions(loss: Any, y_true: Tensor, y_pred: Tensor, ignore_class: int | None) -> tuple[Tensor, Tensor]:
    """The targets in the shape of the outputs, those left out being 0, and which of them are kept.

    Raises ValueError for other shapes, and targets outside [0, 1] where their values can be seen; elsewhere they are
    clipped.
    """
    shape = tuple(y_pred.shape)
    if len(y_true.shape) == len(shape) - 1 and shape[-1] == 1:
        y_true = ops.expand_dims(y_true, -1)
    if len(y_true.shape) != len(shape) or any(
        None not in pair and pair[0] != pair[1] for pair in zip(y_true.shape, shape, strict=True)
    ):
        raise ValueError(
            f"{type(loss).__name__} takes one target for each output: got shape {tuple(y_true.shape)} for {shape}"
        )
    kept = ops.ones_like(y_true, dtype="bool") if ignore_class is None else y_true != ignore_class
    targets = ops.where(kept, y_true, 0)
    require_fractions(type(loss).__name__, targets)
    return ops.clip(targets, 0, 1), kept


def require_fractions(what: str, targets: Tensor) -> None:
    """Raise ValueError for targets outside [0, 1]; nothing in compiled code."""
    if not is_visible(targets):
        return
    values = ops.convert_to_numpy(targets)
    if wrong := sorted({value.item() for value in values[(values < 0) | (values > 1)].ravel()[:5]}):
        listed = ", ".join(f"{value:g}" for value in wrong)
        raise ValueError(f"{what} takes targets from 0 to 1, got {listed}")
