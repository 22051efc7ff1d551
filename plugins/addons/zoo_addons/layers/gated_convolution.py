"""Convolutions with a gate of their own, in the two forms that language models use."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
from keras import ops

from zoo_addons.layers.arguments import Shape, known_width, name_of, require_choice, require_positive, require_rank

FORMS = ("glu", "highway")


class _GatedConv(keras.layers.Layer):
    """What the one- and the two-dimensional layer share: all but the convolution's class and paddings."""

    convolution: ClassVar[Any]
    paddings: ClassVar[tuple[str, ...]]
    axes: ClassVar[str]

    def __init__(
        self,
        filters: int | None = None,
        kernel_size: Any = 3,
        form: str = "glu",
        residual: bool = True,
        padding: str = "same",
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        kernel_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if filters is not None:
            require_positive(self, "filters", filters)
        require_choice(self, "form", form, FORMS)
        require_choice(self, "padding", padding, self.paddings)
        if form == "highway" and not residual:
            raise ValueError(f"{name_of(self)}(form='highway', residual=False): the highway form is residual")
        self.filters = filters
        self.kernel_size = kernel_size
        self.form = form
        self.residual = residual
        self.padding = padding
        self.dilation_rate = dilation_rate
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        """Create the convolution, which makes the values and the gate at once."""
        require_rank(self, input_shape, self.axes.count(",") + 1, self.axes)
        width = known_width(self, input_shape)
        filters = self.filters or width
        if self.residual and filters != width:
            raise ValueError(
                f"{name_of(self)}(filters={filters}) has a residual connection to {width} channels: "
                "make them the same, or use form='glu' with residual=False"
            )
        self.inner = self.convolution(
            2 * filters,
            self.kernel_size,
            padding=self.padding,
            dilation_rate=self.dilation_rate,
            use_bias=self.use_bias,
            kernel_initializer=self.kernel_initializer,
            kernel_regularizer=self.kernel_regularizer,
            data_format="channels_last",
            dtype=self.dtype_policy,
        )
        self.inner.build(input_shape)

    def call(self, inputs: Any, mask: Any = None) -> Any:
        """Convolve, gate, join."""
        real = None if mask is None else ops.cast(mask, "bool")[..., None]
        x = inputs if real is None else ops.where(real, inputs, 0)
        value, gate = ops.split(self.inner(x), 2, axis=-1)
        value = self.activation(value)
        if self.form == "highway":
            y = ops.sigmoid(gate) * x + ops.sigmoid(-gate) * value
        else:
            y = value * ops.sigmoid(gate)
            y = x + y if self.residual else y
        return y if real is None else ops.where(real, y, 0)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The input's shape with `filters` channels."""
        return (*input_shape[:-1], self.filters or input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "form": self.form,
            "residual": self.residual,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
        }


@keras.saving.register_keras_serializable(package="addons")
class GatedConv1D(_GatedConv):
    """Gated convolution over sequences: `(batch, time, channels)` to `(batch, time, filters)`.

    One convolution of twice the filters makes values `h` and a gate `g`. The GLU form is `y = x + h * sigmoid(g)`, or
    without `x` where `residual=False`; the highway form is `y = sigmoid(g) * x + sigmoid(-g) * h`, a mean of what was
    there and what is new. Masked positions count as zeros, as the padding at the ends does, and come out as zeros, so
    that a padded sequence gives what it gives alone; the mask goes on.

    Args:
        filters: channels of the output; those of the input when None, and in every residual form.
        kernel_size: positions that one output sees.
        form: `glu` or `highway`.
        residual: add the input, in the GLU form.
        padding: `same`, or `causal`, where no output sees what comes later.
        dilation_rate: distance of the positions that one output sees.
        activation: of the values; none in the papers.
        use_bias: whether the convolution has a bias.
        kernel_initializer: of the convolution.
        kernel_regularizer: of the convolution.

    Call arguments:
        inputs: `(batch, time, channels)`.
        mask: boolean, `(batch, time)`; taken from the inputs where Keras has one.

    Raises:
        ValueError: for an unknown form or padding, another rank, or a residual form that changes the channels.

    References:
        Dauphin, Fan, Auli, Grangier, 2017. Language modeling with gated convolutional networks. arXiv:1612.08083
        Srivastava, Greff, Schmidhuber, 2015. Highway networks. arXiv:1505.00387
        Su, 2018. kexue.fm/archives/5332 (GLU with a residual connection), 2019. kexue.fm/archives/6270 (highway)
    """

    convolution = keras.layers.Conv1D
    paddings = ("same", "causal")
    axes = "(batch, time, channels)"


@keras.saving.register_keras_serializable(package="addons")
class GatedConv2D(_GatedConv):
    """Gated convolution over images: `(batch, height, width, channels)` to `(batch, height, width, filters)`.

    As `GatedConv1D`: `y = x + h * sigmoid(g)` (GLU) or `y = sigmoid(g) * x + sigmoid(-g) * h` (highway), with `h` and
    `g` the two halves of one convolution.

    Args:
        filters: channels of the output; those of the input when None, and in every residual form.
        kernel_size: height and width that one output sees: a number, or two.
        form: `glu` or `highway`.
        residual: add the input, in the GLU form.
        padding: `same`.
        dilation_rate: distance of the pixels that one output sees: a number, or two.
        activation: of the values; none in the papers.
        use_bias: whether the convolution has a bias.
        kernel_initializer: of the convolution.
        kernel_regularizer: of the convolution.

    Call arguments:
        inputs: `(batch, height, width, channels)`.
        mask: boolean, `(batch, height, width)`; masked pixels count as zeros, and come out as zeros.

    Raises:
        ValueError: for an unknown form or padding, another rank, or a residual form that changes the channels.

    References:
        Dauphin, Fan, Auli, Grangier, 2017. Language modeling with gated convolutional networks. arXiv:1612.08083
        Srivastava, Greff, Schmidhuber, 2015. Highway networks. arXiv:1505.00387
    """

    convolution = keras.layers.Conv2D
    paddings = ("same",)
    axes = "(batch, height, width, channels)"
