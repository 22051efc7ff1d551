"""Specimens that are called: layers and models, which have weights, and losses, which have none."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo_core.conformance import compiled, inputs
from zoo_core.conformance.arrays import as_arrays
from zoo_core.conformance.results import CheckFailed
from zoo_core.conformance.specimens import Specimen
from zoo_core.host import explain
from zoo_core.text import clean

if TYPE_CHECKING:
    import keras

    from zoo_core.conformance.arrays import Arrays


class Called(Specimen):
    """A layer or a model, called with its example's inputs."""

    @cached_property
    def arguments(self) -> tuple[Any, ...]:
        """The positional arguments of its call, as NumPy arrays: the first that it takes, if the example gives none."""
        example, refusals = self.example(), []
        candidates = list(inputs.positional(example))
        for arguments in candidates:
            try:
                self._call(self.make(), arguments)
            except Exception as refusal:
                if len(candidates) == 1:
                    raise
                refusals.append(refusal)
            else:
                return arguments
        raise CheckFailed(
            f"it takes none of the usual inputs ({explain(refusals[0])}); give its example inputs or an input_shape"
        ) from refusals[0]

    def make(self) -> Any:
        """A new instance; where the constructor wants more than the example gives, the failure says what to do."""
        try:
            return super().make()
        except TypeError as error:
            if self.item.registration and self.item.registration.example is None:
                raise CheckFailed(f"it cannot be made without an example: {clean(str(error))}") from error
            raise

    def run(self, instance: Any) -> Arrays:
        """The outputs, with all random numbers started anew."""
        return self._call(instance, self.arguments)

    def _call(self, instance: Any, arguments: tuple[Any, ...]) -> Arrays:
        reset_randomness(instance)
        return as_arrays(instance(*as_tensors(arguments)))

    def run_compiled(self, instance: Any) -> tuple[Arrays, Arrays]:
        """The outputs, and the gradients of the weights."""
        reset_randomness(instance)
        return compiled.call(instance, as_tensors(self.arguments))

    def weights(self, instance: Any) -> list[keras.Variable]:
        """All weights, trainable and not."""
        return list(instance.weights)

    def is_random(self, instance: Any) -> bool:
        """Whether it has a seed generator."""
        return bool(seeds(instance))

    def in_model(self, instance: Any) -> keras.Model:
        """A model as it is; a layer in a functional model of its own."""
        import keras

        if isinstance(instance, keras.Model):
            return instance

        def symbolic(array: Any) -> Any:
            return keras.Input(array.shape[1:], dtype=str(array.dtype))

        arguments = keras.tree.map_structure(symbolic, self.arguments)
        return keras.Model(list(arguments), instance(*arguments))

    def from_model(self, model: keras.Model) -> Any:
        """The model itself, or where a layer was put into one, the only layer with a call of its own."""
        import keras

        if isinstance(model, self.target):
            return model
        return next(layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer))


class CalledLoss(Called):
    """A loss, called with `(y_true, y_pred)`."""

    @cached_property
    def arguments(self) -> tuple[Any, ...]:
        """The example's, or one-hot classes and probabilities."""
        given = self.example().inputs
        return given if given is not None else inputs.labels()

    def _call(self, instance: Any, arguments: tuple[Any, ...]) -> Arrays:
        import keras

        y_true, y_pred = as_tensors(arguments)
        # In mixed precision it is the model before a loss that gives it half precision.
        computed = keras.config.dtype_policy().compute_dtype
        return as_arrays(instance(y_true, keras.ops.cast(y_pred, computed)))

    def run_compiled(self, instance: Any) -> tuple[Arrays, Arrays]:
        """The loss, and its gradient by `y_pred`."""
        y_true, y_pred = as_tensors(self.arguments)
        return compiled.call_by_last(instance, y_true, y_pred)

    def weights(self, instance: Any) -> list[keras.Variable]:
        """None: a loss' variables are tracked nowhere."""
        return []

    def is_random(self, instance: Any) -> bool:
        """No."""
        return False

    def in_model(self, instance: Any) -> keras.Model:
        """A dense layer compiled with the loss."""
        from zoo_core.conformance.fitted import dense_model

        model = dense_model()
        model.compile(optimizer="sgd", loss=instance)
        return model

    def from_model(self, model: keras.Model) -> Any:
        """The loss that it was compiled with."""
        return model.loss


def as_tensors(structure: Any) -> Any:
    """Every array in a structure as a tensor."""
    import keras

    return keras.tree.map_structure(keras.ops.convert_to_tensor, structure)


def seeds(layer: Any) -> list[keras.Variable]:
    """The state of a layer's seed generators: the whole numbers among its variables that are no weights."""
    import keras

    weights = {id(variable) for variable in layer.weights}
    others = (variable for variable in layer.variables if id(variable) not in weights)
    return [variable for variable in others if keras.backend.is_int_dtype(variable.dtype)]


def reset_randomness(layer: Any) -> None:
    """Start every seed generator anew, so that two runs draw the same."""
    import keras

    for seed in seeds(layer):
        seed.assign(keras.ops.zeros(seed.shape, seed.dtype))
