"""Layers whose loss needs the labels."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.labels import flat_labels


class LabelledLayer(keras.layers.Layer):
    """A layer that is called with `[inputs, labels]` where labels are known, and with `inputs` where they are not.

    A subclass says in `with_labels` what it returns and which loss it adds. In a functional model labels are a second
    input; `MetricLearner(model, layer)` takes them from the targets that `fit` is given.
    """

    def __init__(self, **kwargs: Any) -> None:
        # Keras would round labels that are floats to half precision.
        super().__init__(autocast=False, **kwargs)

    def build(self, input_shape: Any) -> None:
        """Make the variables, given the shape of the inputs or of both."""
        self.build_for(tuple(_first(input_shape)))
        self.built = True

    def build_for(self, shape: tuple[int | None, ...]) -> None:
        """Make the variables, given the shape of the inputs."""

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """The outputs; where labels are given, their loss is added."""
        if not isinstance(inputs, list | tuple):
            return self.without_labels(inputs)
        if len(inputs) != 2:
            raise ValueError(f"{type(self).__name__} takes [inputs, labels], got {len(inputs)} tensors")
        outputs, loss = self.with_labels(inputs[0], flat_labels(inputs[1]), bool(training))
        if loss is not None:
            self.add_loss(loss)
        return outputs

    def with_labels(self, inputs: Any, labels: Any, training: bool) -> tuple[Any, Any]:
        """The outputs, and a scalar loss or None."""
        raise NotImplementedError

    def without_labels(self, inputs: Any) -> Any:
        """The outputs: by default the inputs."""
        return inputs

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the inputs."""
        return tuple(_first(input_shape))

    def schedulable(self, name: str, value: float) -> Any:
        """A variable that is not trained, whose value a callback may change while `fit` runs."""
        return self.add_weight(
            name=name, shape=(), initializer=keras.initializers.Constant(value), trainable=False, autocast=False
        )


def _first(shapes: Any) -> Any:
    return shapes[0] if isinstance(shapes[0], list | tuple) else shapes


def as_float32(tensor: Any) -> Any:
    """A tensor in float32, or in float64 if Keras computes in it."""
    return ops.cast(tensor, "float64" if keras.config.floatx() == "float64" else "float32")
