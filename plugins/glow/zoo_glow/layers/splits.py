"""Ways to split a tensor into the part that conditions a coupling and the part that it moves."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from zoo_glow.layers.bijector import Shape, flow_dtype, known, require_rank


class Split(keras.layers.Layer):
    """What a coupling needs of a split: `call(x) -> (kept, moved)`, `merge(kept, moved) -> x`.

    `select(moved)` zeroes what is padding in `moved`, so that a coupling counts only the entries that it moved.
    """

    def __init__(self, swap: bool = False, **kwargs: Any) -> None:
        kwargs.setdefault("dtype", flow_dtype())
        super().__init__(**kwargs)
        self.swap = swap

    def shapes(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """The shapes of `kept` and `moved`."""
        raise NotImplementedError(f"{type(self).__name__} does not define shapes(input_shape)")

    def compute_output_shape(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """The shapes of `kept` and `moved`."""
        return self.shapes(input_shape)

    def merge(self, kept: Any, moved: Any) -> Any:
        """Put the two parts together again."""
        raise NotImplementedError(f"{type(self).__name__} does not define merge(kept, moved)")

    def select(self, moved: Any) -> Any:
        """Zero the entries of `moved` that belong to `kept`."""
        return moved

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "swap": self.swap}


@keras.saving.register_keras_serializable(package="glow")
class ChannelSplit(Split):
    """Split the last axis in two: the first half is kept and the second moved; any rank from 2 on.

    Args:
        swap: keep the second half and move the first.
        interleave: take even and odd entries instead of halves, as NICE does with pixels.

    Raises:
        ValueError: where the last axis holds fewer than two entries.
    """

    def __init__(self, swap: bool = False, interleave: bool = False, **kwargs: Any) -> None:
        super().__init__(swap, **kwargs)
        self.interleave = interleave

    def build(self, input_shape: Shape) -> None:
        """Check that there is something to split."""
        if len(input_shape) < 2 or input_shape[-1] is None or input_shape[-1] < 2:
            raise ValueError(f"ChannelSplit needs at least 2 entries on a known last axis, got shape {input_shape}")

    def shapes(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """Half the channels each; the first part has the odd one."""
        channels = known(input_shape[-1])
        sizes = [channels - channels // 2, channels // 2]
        if self.swap:
            sizes.reverse()
        return (*input_shape[:-1], sizes[0]), (*input_shape[:-1], sizes[1])

    def call(self, x: Any) -> tuple[Any, Any]:
        """Split into `(kept, moved)`."""
        middle = x.shape[-1] - x.shape[-1] // 2
        first, second = (x[..., ::2], x[..., 1::2]) if self.interleave else (x[..., :middle], x[..., middle:])
        return (second, first) if self.swap else (first, second)

    def merge(self, kept: Any, moved: Any) -> Any:
        """The inverse of the split."""
        first, second = (moved, kept) if self.swap else (kept, moved)
        together = ops.concatenate([first, second], axis=-1)
        if not self.interleave:
            return together
        order = np.argsort(np.r_[0 : together.shape[-1] : 2, 1 : together.shape[-1] : 2])
        return ops.take(together, order.tolist(), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "interleave": self.interleave}


@keras.saving.register_keras_serializable(package="glow")
class CheckerboardSplit(Split):
    """Split the pixels of `(batch, height, width, channels)` like the fields of a chessboard.

    Both parts keep the full shape, with zeros on the other part's fields, so that a convolution sees true distances.

    Args:
        swap: keep the odd fields and move the even ones.

    References:
        Dinh, Sohl-Dickstein, Bengio, 2017. Density estimation using Real NVP. arXiv:1605.08803
    """

    def build(self, input_shape: Shape) -> None:
        """Lay out the board."""
        height, width, _ = require_rank(self, input_shape, 4)
        rows, columns = np.indices((height, width))
        self._even = ((rows + columns) % 2 == int(self.swap)).astype("float32")[None, :, :, None]

    def shapes(self, input_shape: Shape) -> tuple[Shape, Shape]:
        """The full shape, twice."""
        return input_shape, input_shape

    def call(self, x: Any) -> tuple[Any, Any]:
        """Split into `(kept, moved)`."""
        board = ops.cast(self._even, x.dtype)
        return x * board, x * (1 - board)

    def merge(self, kept: Any, moved: Any) -> Any:
        """The inverse of the split."""
        return kept + self.select(moved)

    def select(self, moved: Any) -> Any:
        """Zero the kept fields."""
        return moved * (1 - ops.cast(self._even, moved.dtype))
