"""Any loss, added within a model."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_not_negative


@keras.saving.register_keras_serializable(package="metric-learning")
class AddLoss(keras.layers.Layer):
    """Adds `weight * loss(targets, outputs)` to the model's loss, and returns the outputs as they are.

    For what `compile(loss=...)` cannot see: a loss between two outputs, or between a hidden layer and labels.

        answers, questions = encode(answer_input), encode(question_input)
        outputs = zoo_metric_learning.AddLoss(zoo_metric_learning.InfoNCELoss())([answers, questions])
        model = keras.Model([answer_input, question_input], outputs)
        model.compile("adam"); model.fit([answers, questions])

    `layer.weight` is a variable that is not trained: a callback may schedule it. The loss is added in evaluation too.

    Args:
        loss: a Keras loss, its name, or its configuration.
        weight: at least 0, the first value of the variable.

    Shapes: called with a list of two tensors, `[targets, outputs]`, of what shapes the loss takes.

    Raises:
        ValueError: for a weight below 0, or where it is not called with two tensors.

    References:
        In Chinese: Su, 2017, kexue.fm/archives/4493.
    """

    def __init__(self, loss: Any, weight: float = 1.0, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        require_not_negative(weight=weight)
        self.loss = keras.losses.get(loss)
        if self.loss is None:
            raise ValueError("AddLoss needs a loss")
        self._first_weight = float(weight)

    def build(self, input_shape: Any) -> None:
        """Make the variable."""
        self.weight = self.add_weight(
            name="weight",
            shape=(),
            initializer=keras.initializers.Constant(self._first_weight),
            trainable=False,
            autocast=False,
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The second of the two tensors."""
        if not isinstance(inputs, list | tuple) or len(inputs) != 2:
            raise ValueError("AddLoss is called with a list of two tensors, [targets, outputs]")
        targets, outputs = inputs
        value = ops.mean(self.loss(targets, outputs))
        self.add_loss(ops.cast(self.weight, value.dtype) * value)
        return outputs

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the outputs."""
        return tuple(input_shape[1])

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        loss = keras.losses.serialize(self.loss)
        return {**super().get_config(), "loss": loss, "weight": self._first_weight}
