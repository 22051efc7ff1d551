"""Layers whose weights are computed out of other weights, which are trained in their place."""

from __future__ import annotations

from typing import Any

import keras

Replacement = tuple[keras.Variable, Any]


class ReparameterizedWeights(keras.layers.Wrapper):
    """A wrapper whose layer computes with weights that `replacements` makes; its regularisers see those, too."""

    def __init__(self, layer: keras.layers.Layer, **kwargs: Any) -> None:
        # Weights are replaced in their own precision; the wrapped layer casts for itself.
        super().__init__(layer, autocast=False, **kwargs)
        self.supports_masking = layer.supports_masking

    def build(self, input_shape: Any = None) -> None:
        """Build the layer, and take over its regularisers."""
        super().build(input_shape)
        self._regularizers: dict[int, Any] = {}
        for index, variable in enumerate(self.layer.weights):
            if variable.regularizer is not None:
                self._regularizers[index], variable.regularizer = variable.regularizer, None

    def replacements(self) -> list[Replacement]:
        """The layer's weights that are computed, each with its value."""
        raise NotImplementedError

    def call(self, inputs: Any) -> Any:
        """Call the layer with the weights replaced."""
        replaced = self.replacements()
        for index, regularizer in self._regularizers.items():
            variable = self.layer.weights[index]
            values = [value for one, value in replaced if one is variable]
            self.add_loss(regularizer(values[0] if values else variable.value))
        outputs, losses = _call(self.layer, inputs, replaced)
        self.add_loss(losses)
        return outputs

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The layer's."""
        return self.layer.compute_output_shape(input_shape)

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Any:
        """The layer's, whose dtype it computes in."""
        return self.layer.compute_output_spec(inputs, **kwargs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The layer's."""
        return self.layer.compute_mask(inputs, mask)


def _call(layer: keras.layers.Layer, inputs: Any, replaced: list[Replacement]) -> tuple[Any, list[Any]]:
    """A layer's outputs and the losses it adds, computed with other values of some of its variables.

    What it assigns to the others, moving averages say, they are given afterwards.
    """
    known = {id(variable) for variable, _ in replaced}
    others = [variable for variable in layer.variables if id(variable) not in known]
    mapping = [*((variable, variable.value) for variable in others), *replaced]
    scope = keras.StatelessScope(mapping, collect_losses=True, initialize_variables=False)
    before = [scope.get_current_value(variable) for variable in others]
    with scope:
        outputs = layer(inputs)
    for variable, old in zip(others, before, strict=True):
        if (new := scope.get_current_value(variable)) is not old:
            variable.assign(new)
    return outputs, scope.losses
