"""The layer with several outputs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import keras
from keras import ops

from zoo_addons.layers.arguments import Shape, require_positive


@keras.saving.register_keras_serializable(package="addons")
class Split(keras.layers.Layer):
    """Cut one axis into parts: `Split()(x)` gives the two halves of the last axis, `x[..., :d/2]` and `x[..., d/2:]`.

    What `keras.ops.split` does, as a layer: with sizes instead of cutting points, refused when the model is built
    rather than when it runs, and with the mask going on to every part (cut with it along the time axis).

    Args:
        parts: how many equal parts, or their sizes, as in `[1, 3]`; one of them may be -1, for what is left.
        axis: which axis to cut; not 0, the batch.

    Call arguments:
        inputs: `(batch, ..., size, ...)`.

    Returns:
        A tuple of tensors.

    Raises:
        ValueError: for parts that do not fit the axis, or an axis of unknown size.

    References:
        Su, 2018. kexue.fm/archives/5765
    """

    def __init__(self, parts: int | Sequence[int] = 2, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if isinstance(parts, int):
            require_positive(self, "parts", parts)
        elif not _are_sizes(parts):
            raise ValueError(f"Split(parts={parts}): sizes must be whole numbers from 1, one of them -1 at most")
        if axis == 0:
            raise ValueError("Split(axis=0): the batch cannot be cut")
        self.parts = parts if isinstance(parts, int) else list(parts)
        self.axis = axis
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Refuse parts that do not fit."""
        self._sizes(input_shape)

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, ...]:
        """The parts' shapes."""
        axis = self._axis(input_shape)
        return tuple((*input_shape[:axis], size, *input_shape[axis + 1 :]) for size in self._sizes(input_shape))

    def call(self, inputs: Any) -> tuple[Any, ...]:
        """Cut."""
        return self._cut(inputs, inputs.shape)

    def compute_mask(self, inputs: Any, mask: Any = None) -> tuple[Any, ...] | None:
        """The mask for every part; cut along with the inputs where it has that axis."""
        if mask is None:
            return None
        if self._axis(inputs.shape) < len(mask.shape):
            return self._cut(mask, inputs.shape)
        return (mask,) * len(self._sizes(inputs.shape))

    def _cut(self, x: Any, shape: Any) -> tuple[Any, ...]:
        cuts = list(accumulate(self._sizes(shape)))[:-1]
        return tuple(ops.split(x, cuts, axis=self._axis(shape))) if cuts else (x,)

    def _axis(self, shape: Any) -> int:
        rank = len(shape)
        if not -rank < self.axis < rank:
            raise ValueError(f"Split(axis={self.axis}) does not fit inputs of shape {tuple(shape)}")
        return self.axis % rank

    def _sizes(self, shape: Any) -> list[int]:
        size = shape[self._axis(shape)]
        if size is None:
            raise ValueError(f"Split needs an axis of known size, got shape {tuple(shape)}")
        if isinstance(self.parts, int):
            sizes = [size // self.parts] * self.parts
        else:
            rest = size - sum(part for part in self.parts if part != -1)
            sizes = [rest if part == -1 else part for part in self.parts]
        if sum(sizes) != size or min(sizes) < 1:
            raise ValueError(f"Split(parts={self.parts}) does not fit an axis of size {size}")
        return sizes

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        parts = self.parts if isinstance(self.parts, int) else list(self.parts)
        return {**super().get_config(), "parts": parts, "axis": self.axis}


def _are_sizes(parts: Any) -> bool:
    """Whether these are positive numbers, one of which may be -1."""
    if not isinstance(parts, list | tuple) or not parts:
        return False
    return parts.count(-1) <= 1 and all(size >= 1 or size == -1 for size in parts)
