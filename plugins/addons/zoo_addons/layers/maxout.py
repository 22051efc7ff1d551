"""The activation that is learned."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_addons.layers.arguments import Shape, greatest, known_width, require_positive


@keras.saving.register_keras_serializable(package="addons")
class Maxout(keras.layers.Layer):
    """Dense layer that takes the greatest of several linear pieces: `y_i = max_j (x . W_ij + b_ij)`.

    Args:
        units: width of the output.
        pieces: linear pieces of each unit.
        use_bias: whether they have a bias.
        kernel_initializer: of the weights, `(channels, units * pieces)`.
        kernel_regularizer: of the weights.

    Call arguments:
        inputs: `(batch, ..., channels)`.

    Returns:
        `(batch, ..., units)`; the mask goes on.

    Raises:
        ValueError: for `units` or `pieces` below 1.

    References:
        Goodfellow, Warde-Farley, Mirza, Courville, Bengio, 2013. Maxout networks. arXiv:1302.4389
    """

    def __init__(
        self,
        units: int,
        pieces: int = 2,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_positive(self, "units", units)
        require_positive(self, "pieces", pieces)
        self.units = units
        self.pieces = pieces
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Create the pieces."""
        known_width(self, input_shape)
        self.linear = keras.layers.Dense(
            self.units * self.pieces,
            use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer,
            kernel_regularizer=self.kernel_regularizer,
            dtype=self.dtype_policy,
        )
        self.linear.build(input_shape)

    def call(self, inputs: Any) -> Any:
        """The greatest piece."""
        parts = self.linear(inputs)
        return greatest(ops.reshape(parts, (*ops.shape(parts)[:-1], self.units, self.pieces)), axis=-1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The inputs' shape with `units` channels."""
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "pieces": self.pieces,
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }
