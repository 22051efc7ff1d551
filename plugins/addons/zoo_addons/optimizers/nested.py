"""The base of optimizers around an optimizer."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo_addons import assigning

Tensor = Any
"""A tensor of whatever the backend is."""

_AVERAGE = {"use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None}


class NestedOptimizer(keras.optimizers.Optimizer):
    """An optimizer that lets another one update the weights, and then does something to them. For subclasses.

    A subclass writes `finish`, and `begin` and `undo` where it has to do something before. The learning rate, its
    schedule, clipping, the loss scale and `gradient_accumulation_steps` are the inner optimizer's, and `iterations`
    too: it counts updates, so that nothing happens where the inner one only accumulates, or leaves a batch out that
    overflowed; those of an inner optimizer that has been used before count, too. A moving average of the weights
    (`use_ema`) is taken over from it, since it has to follow the last word on the weights.

    Arguments:
        optimizer: The inner optimizer: an instance, a name or a config. Afterwards at `.inner_optimizer`.
        name: The name.
        **kwargs: `use_ema`, `ema_momentum`, `ema_overwrite_frequency`.

    Raises:
        ValueError: `optimizer` is none, or an argument belongs to the inner optimizer.
    """

    def __init__(self, optimizer: Any, name: str | None = None, **kwargs: Any) -> None:
        if unknown := kwargs.keys() - _AVERAGE.keys():
            names = ", ".join(f"`{name}`" for name in sorted(unknown))
            raise ValueError(f"{type(self).__name__} has no argument {names}. Is it one of the inner optimizer?")
        inner = keras.optimizers.get(optimizer)
        if not isinstance(inner, keras.optimizers.Optimizer):
            raise ValueError(f"`optimizer` must be a Keras optimizer. Received: optimizer={optimizer!r}")
        super().__init__(learning_rate=0.0, name=name, **{**_average_of(inner), **kwargs})
        self.inner_optimizer = inner
        self._updates_before = int(ops.convert_to_numpy(ops.convert_to_tensor(inner.iterations)))

    # What a subclass does.

    def begin(self) -> Any:
        """Before each update; gives what `finish` and `undo` are given."""

    def finish(self, remembered: Any) -> None:
        """After an update."""

    def undo(self, remembered: Any) -> None:
        """Where the inner optimizer did not update the weights."""

    # What Keras calls.

    def build(self, variables: list[keras.Variable]) -> None:
        """Make the variables, the inner optimizer's too."""
        if self.built:
            return
        self.inner_optimizer.build(variables)
        super().build(variables)

    def apply(self, grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        """Update the variables, as `keras.optimizers.Optimizer.apply` does."""
        if not self.built:
            if trainable_variables is None:
                raise ValueError("The optimizer has not been built: call `build(variables)`, or give the variables")
            self.build(list(trainable_variables))
        with assigning.without_gradients():
            before, remembered = ops.copy(ops.convert_to_tensor(self.iterations)), self.begin()
            variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
            assigning.apply_gradients(self.inner_optimizer, grads, variables)
            if self._has_nothing_to_do():
                return
            assigning.choose(
                ops.convert_to_tensor(self.iterations) > before,
                lambda: self._finish(remembered),
                lambda: self.undo(remembered),
                self._changing(),
            )

    def _has_nothing_to_do(self) -> bool:
        kind = type(self)
        return not self.use_ema and kind.finish is NestedOptimizer.finish and kind.undo is NestedOptimizer.undo

    def _changing(self) -> list[keras.Variable]:
        return [*self._trainable_variables, *self.variables]

    def _finish(self, remembered: Any) -> None:
        self.finish(remembered)
        if self.use_ema:
            self._follow()

    def _follow(self) -> None:
        """Move the average; the first time it is the weights themselves."""
        updates = ops.convert_to_tensor(self.iterations)
        for variable, average in zip(self._trainable_variables, self._model_variables_moving_average, strict=True):
            # Not by `cast`, which on TensorFlow would round the number to float32 first.
            momentum = ops.convert_to_tensor(self.ema_momentum, dtype=average.dtype)
            decay = ops.where(updates > self._updates_before + 1, momentum, ops.zeros_like(momentum))
            average.assign(decay * average + (1 - decay) * variable)
        if self.ema_overwrite_frequency:
            assigning.when(
                updates % self.ema_overwrite_frequency == 0,
                lambda: self._overwrite_model_variables_with_average_value(self._trainable_variables),
                self._changing(),
            )

    def _overwrite_model_variables_with_average_value(self, trainable_variables: Sequence[keras.Variable]) -> None:
        for variable, average in zip(trainable_variables, self._model_variables_moving_average, strict=True):
            # A copy: on JAX `fit` gives away the memory of all variables, and can do so only once.
            variable.assign(ops.copy(average.value))

    @property
    def variables(self) -> list[keras.Variable]:
        """Its own variables, then those of the inner optimizer."""
        return [*self._variables, *self.inner_optimizer.variables]

    @property
    def iterations(self) -> Any:
        """The number of updates."""
        return self.inner_optimizer.iterations

    @property
    def learning_rate(self) -> Any:
        """The inner optimizer's."""
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, learning_rate: Any) -> None:
        self.inner_optimizer.learning_rate = learning_rate

    def scale_loss(self, loss: Tensor) -> Tensor:
        """As the inner optimizer does."""
        return self.inner_optimizer.scale_loss(loss)

    def finalize_variable_values(self, var_list: Sequence[keras.Variable]) -> None:
        """At the end of `fit`: with `use_ema` the weights become their average."""
        self.inner_optimizer.finalize_variable_values(var_list)
        super().finalize_variable_values(var_list)

    def save_own_variables(self, store: Any) -> None:
        """Its own alone: Keras saves the inner optimizer, which is an attribute, by itself."""
        for index, variable in enumerate(self._variables):
            store[str(index)] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store: Any) -> None:
        """What `save_own_variables` stored; as of any Keras optimizer, nothing before it is built."""
        if len(store.keys()) != len(self._variables):
            found, own = len(store.keys()), len(self._variables)
            warnings.warn(
                f"The optimizer '{self.name}' is not loaded: it has {own} variables, and {found} were saved. Build it "
                "first, by `optimizer.build(model.trainable_variables)`",
                stacklevel=2,
            )
            return
        for index, variable in enumerate(self._variables):
            variable.assign(store[str(index)])

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {
            "name": self.name,
            "optimizer": keras.saving.serialize_keras_object(self.inner_optimizer),
            **{name: getattr(self, name) for name in _AVERAGE},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> NestedOptimizer:
        """Make it, and the inner optimizer, from what `get_config` gave."""
        inner = keras.saving.deserialize_keras_object(config["optimizer"], custom_objects=custom_objects)
        return cls(**{**config, "optimizer": inner})


def _average_of(optimizer: Any) -> dict[str, Any]:
    """The moving average that an optimizer, or one within, was to take, which is now another's to take."""
    while optimizer is not None:
        if optimizer.use_ema:
            optimizer.use_ema = False
            return {"use_ema": True, **{name: getattr(optimizer, name) for name in [*_AVERAGE][1:]}}
        optimizer = getattr(optimizer, "inner_optimizer", None)
    return {}
