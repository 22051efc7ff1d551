"""The networks inside couplings: free to be anything, since a coupling never inverts them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_glow.layers.bijector import Shape, require_rank


class _Network(keras.layers.Layer):
    """A network whose number of outputs is set by the coupling that owns it, unless given."""

    def __init__(self, outputs: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.outputs = outputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape with `outputs` channels."""
        return (*input_shape[:-1], self.outputs)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "outputs": self.outputs}


@keras.saving.register_keras_serializable(package="glow")
class ConvNetwork(_Network):
    """Convolutions 3x3, then `depth` residual blocks, then 3x3 with zero weights: `(batch, h, w, c)` to `outputs`.

    With `depth=0` this is Glow's network: 3x3, ReLU, 1x1, ReLU, 3x3 with zero weights.

    Args:
        filters: width of the hidden layers.
        depth: residual blocks (ReLU, 3x3, ReLU, 1x1) in place of Glow's single 1x1 convolution.
        positions: add a learned bias for every position after the first convolution, so that the network knows where
            in the frame it is.
        outputs: channels of the output; set by the coupling when None.
    """

    def __init__(self, filters: int = 64, depth: int = 0, positions: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if filters < 1 or depth < 0:
            raise ValueError(f"ConvNetwork(filters={filters}, depth={depth}): filters >= 1 and depth >= 0 are needed")
        self.filters = filters
        self.depth = depth
        self.positions = positions

    def build(self, input_shape: Shape) -> None:
        """Create the convolutions."""
        require_rank(self, input_shape, 4)
        assert self.outputs is not None
        options: dict[str, Any] = {"padding": "same", "dtype": self.dtype_policy}
        self.first = keras.layers.Conv2D(self.filters, 3, kernel_initializer="he_normal", **options)
        self.hidden = [
            keras.layers.Conv2D(self.filters, size, kernel_initializer="he_normal", **options)
            for size in ((3, 1) * self.depth or (1,))
        ]
        self.last = keras.layers.Conv2D(self.outputs, 3, kernel_initializer="zeros", **options)
        inner = (*input_shape[:-1], self.filters)
        self.first.build(input_shape)
        for layer in (*self.hidden, self.last):
            layer.build(inner)
        if self.positions:
            self.position = self.add_weight(name="position", shape=inner[1:], initializer="zeros")

    def call(self, x: Any) -> Any:
        """Apply the network."""
        y = self.first(x)
        if self.positions:
            y = y + ops.cast(self.position, y.dtype)
        if not self.depth:
            y = self.hidden[0](ops.relu(y))
        for wide, narrow in zip(self.hidden[::2], self.hidden[1::2], strict=False):
            y = y + narrow(ops.relu(wide(ops.relu(y))))
        return self.last(ops.relu(y))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        own = {"filters": self.filters, "depth": self.depth, "positions": self.positions}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="glow")
class DenseNetwork(_Network):
    """ReLU layers for vectors, with a last layer that starts at zero: `(batch, d)` to `(batch, outputs)`.

    Args:
        units: width of the hidden layers.
        depth: number of hidden layers.
        outputs: width of the output; set by the coupling when None.
    """

    def __init__(self, units: int = 256, depth: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if units < 1 or depth < 1:
            raise ValueError(f"DenseNetwork(units={units}, depth={depth}): both must be at least 1")
        self.units = units
        self.depth = depth

    def build(self, input_shape: Shape) -> None:
        """Create the layers."""
        require_rank(self, input_shape, 2)
        assert self.outputs is not None
        options: dict[str, Any] = {"dtype": self.dtype_policy}
        self.hidden = [
            keras.layers.Dense(self.units, activation="relu", kernel_initializer="he_normal", **options)
            for _ in range(self.depth)
        ]
        self.last = keras.layers.Dense(self.outputs, kernel_initializer="zeros", **options)
        shape = input_shape
        for layer in (*self.hidden, self.last):
            layer.build(shape)
            shape = (*shape[:-1], self.units)

    def call(self, x: Any) -> Any:
        """Apply the network."""
        for layer in self.hidden:
            x = layer(x)
        return self.last(x)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "units": self.units, "depth": self.depth}
