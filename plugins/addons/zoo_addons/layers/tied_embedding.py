"""One table for reading tokens and for predicting them."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_addons.layers.arguments import at_least_float32


@keras.saving.register_keras_serializable(package="addons")
class TiedEmbeddingSoftmax(keras.layers.ReversibleEmbedding):
    """An embedding that also predicts its tokens: `layer(ids) = E[ids]`, `layer(h, reverse=True) = softmax(h E^T + b)`.

    `keras.layers.ReversibleEmbedding` with what it leaves out: a bias for each token, which carries their frequencies;
    the softmax; both in float32 at least where the model computes in half precision; and the mask, which goes on from
    `h` to the predictions, so that losses and metrics leave out the padding.

    Args:
        input_dim: size of the vocabulary.
        output_dim: width of the embedding, and of `h`.
        use_bias: whether predictions have a bias.
        activation: of the predictions; None gives logits.
        bias_initializer: of the bias.
        reverse_dtype: of the predictions; when None the layer's compute dtype, but float32 at least.
        **kwargs: those of `keras.layers.ReversibleEmbedding`, `mask_zero` among them.

    Call arguments:
        inputs: ids `(batch, time)`, or with `reverse=True` vectors `(batch, time, output_dim)`.
        reverse: whether to predict.

    Returns:
        `(batch, time, output_dim)`, or with `reverse=True` `(batch, time, input_dim)`.

    References:
        Press, Wolf, 2017. Using the output embedding to improve language models. arXiv:1608.05859
        Su, 2019. kexue.fm/archives/6985
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        use_bias: bool = True,
        activation: Any = "softmax",
        bias_initializer: Any = "zeros",
        reverse_dtype: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(input_dim, output_dim, **kwargs)
        self.reverse_dtype = reverse_dtype or at_least_float32(self.compute_dtype)
        self.use_bias = use_bias
        self.activation = keras.activations.get(activation)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.supports_masking = True

    def build(self, input_shape: Any = None) -> None:
        """Create the table and the bias."""
        super().build(input_shape)
        if self.use_bias:
            self.bias = self.add_weight(name="bias", shape=(self.input_dim,), initializer=self.bias_initializer)

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        """Look up, or predict."""
        if reverse and inputs.shape[-1] != self.output_dim:
            raise ValueError(
                f"TiedEmbeddingSoftmax(output_dim={self.output_dim}) predicts from vectors of that width, "
                f"got shape {tuple(inputs.shape)}"
            )
        outputs = super().call(inputs, reverse=reverse)
        if not reverse:
            return outputs
        if self.use_bias:
            outputs = outputs + ops.cast(self.bias, outputs.dtype)
        return self.activation(outputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """That of the vectors for the predictions; that of the ids is set by the look-up."""
        return mask if keras.backend.is_float_dtype(inputs.dtype) else None

    def compute_output_spec(self, inputs: Any, reverse: bool = False) -> Any:
        """Shape and dtype."""
        spec = super().compute_output_spec(inputs, reverse=reverse)
        return keras.KerasTensor(spec.shape, dtype=self.reverse_dtype) if reverse else spec

    @property
    def variable_serialization_spec(self) -> dict[str | None, list[str]]:
        """What Keras saves and loads, by quantization mode."""
        return {mode: [*names, "bias"] for mode, names in super().variable_serialization_spec.items()}

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "use_bias": self.use_bias,
            "activation": keras.activations.serialize(self.activation),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
        }
