"""Specimens that show in training: optimizers, training steps and callbacks, tried on a small model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo_core import backend
from zoo_core.conformance import compiled, inputs
from zoo_core.conformance.arrays import as_arrays
from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.conformance.specimens import Specimen
from zoo_core.construction import parameters

if TYPE_CHECKING:
    import keras

    from zoo_core.conformance.arrays import Arrays

STEPS = 3


class FittedOptimizer(Specimen):
    """An optimizer, which trains a dense layer for a few steps."""

    def run(self, instance: Any) -> Arrays:
        """The trained weights; raises CheckFailed where training changes nothing."""
        return self._train(instance, jit=False)

    def run_compiled(self, instance: Any) -> tuple[Arrays, Arrays]:
        """The weights after compiled training, by a new optimizer of the same configuration."""
        compiled.require_compiler()
        return self._train(self.make(), jit=True), []

    def _train(self, instance: Any, jit: bool) -> Arrays:
        """Training starts from the same weights each time, and with a new optimizer: its state belongs to one model."""
        model = dense_model()
        before = as_arrays(model.trainable_variables)
        optimizer = type(instance).from_config(instance.get_config()) if instance.built else instance
        eagerly = not (jit or _always_compiles())
        model.compile(optimizer=optimizer, loss="mse", jit_compile=not eagerly, run_eagerly=eagerly)
        x, y = inputs.draw((8,)), inputs.draw((1,))
        for _ in range(STEPS):
            model.train_on_batch(x, y)
        after = as_arrays(model.trainable_variables)
        _require_change(before, after, model, STEPS)
        return after

    def weights(self, instance: Any) -> list[keras.Variable]:
        """Its slots: momenta and the like."""
        return list(instance.variables)

    def in_model(self, instance: Any) -> keras.Model:
        """A dense layer that a new optimizer of this configuration has trained for a step."""
        model = dense_model()
        model.compile(optimizer=self.make(), loss="mse", jit_compile=False)
        model.train_on_batch(inputs.draw((8,)), inputs.draw((1,)))
        return model

    def from_model(self, model: keras.Model) -> Any:
        """The optimizer that it was compiled with."""
        return model.optimizer


class FittedStep(Specimen):
    """A training step: a model, whose argument `model` is the one that it trains, which trains a dense layer."""

    def make(self) -> Any:
        """A new one, around a dense layer unless its example gives a model."""
        example = self.example()
        if example.base_class:
            raise Undecided("it is a base class, as its example says")
        if "model" not in parameters(self.target):
            raise CheckFailed("a training step takes the model that it trains as an argument 'model'")
        return self.target(**{"model": dense_model(), **example.arguments})

    def run(self, instance: Any) -> Arrays:
        """The trained weights, and the predictions; raises CheckFailed where training changes nothing."""
        return self._fit(instance, jit=False)

    def run_compiled(self, instance: Any) -> tuple[Arrays, Arrays]:
        """The same after compiled training, by a new step of the same configuration."""
        compiled.require_compiler()
        return self._fit(self.make(), jit=True), []

    def _fit(self, instance: Any, jit: bool) -> Arrays:
        step = self._unused(instance)
        inner = step.model
        before = as_arrays(inner.trainable_variables)
        eagerly = not (jit or _always_compiles())
        step.compile(optimizer="sgd", loss="mse", jit_compile=not eagerly, run_eagerly=eagerly)
        x = _fit_step(step)
        after = as_arrays(inner.trainable_variables)
        _require_change(before, after, inner, 4)
        return [*after, *as_arrays(step(x))]

    def _unused(self, instance: Any) -> Any:
        """Training starts from the same weights each time, and with a new step: its state belongs to one training."""
        if not instance.compiled:
            return instance
        return self.make() if instance is self.instance else type(instance).from_config(instance.get_config())

    def weights(self, instance: Any) -> list[keras.Variable]:
        """All weights: the model's, and what the step remembers."""
        return list(instance.weights)

    def in_model(self, instance: Any) -> keras.Model:
        """A new step that has trained."""
        step = self.make()
        step.compile(optimizer="sgd", loss="mse", jit_compile=False)
        _fit_step(step)
        return step

    def from_model(self, model: keras.Model) -> Any:
        """The step, which is a model itself."""
        return model


class FittedCallback(Specimen):
    """A callback, with which a small model is fitted for two epochs."""

    def run(self, instance: Any) -> Arrays:
        """The fitted weights."""
        return self._fit(instance, jit=False)

    def run_compiled(self, instance: Any) -> tuple[Arrays, Arrays]:
        """The weights after compiled training with a new callback."""
        compiled.require_compiler()
        return self._fit(self.make(), jit=True), []

    def _fit(self, instance: Any, jit: bool) -> Arrays:
        # The model starts from the same weights each time.
        backend.set_random_seed(0)
        example = self.example()
        model = example.model() if example.model else _compiled_dense_model()
        given = example.inputs if example.inputs is not None else (inputs.draw((8,)), inputs.draw((1,)))
        arguments = given if isinstance(given, tuple) else (given,)
        model.jit_compile = jit or _always_compiles()
        model.fit(*arguments, batch_size=1, epochs=2, verbose=0, shuffle=False, callbacks=[instance])
        return as_arrays(model.trainable_variables)

    def in_model(self, instance: Any) -> keras.Model:
        """None: raises Undecided."""
        raise Undecided("Keras does not save callbacks with a model")


def dense_model() -> keras.Model:
    """Vectors of eight numbers to one, with the same weights each time."""
    import keras

    generous = keras.initializers.RandomNormal(stddev=0.5, seed=0)
    return keras.Sequential([keras.Input((8,)), keras.layers.Dense(1, kernel_initializer=generous)])


def _fit_step(step: keras.Model) -> Any:
    """Two epochs, each of one batch and a smaller one; gives what it was fitted to."""
    import numpy as np

    x, y = (np.concatenate([inputs.draw(shape)] * 2)[:3] for shape in ((8,), (1,)))
    step.fit(x, y, batch_size=2, epochs=2, shuffle=False, verbose=0)
    return x


def _require_change(before: Arrays, after: Arrays, model: keras.Model, steps: int) -> None:
    if all((old == new).all() for old, new in zip(before, after, strict=True)) and not _is_mixed(model):
        raise CheckFailed(f"{steps} steps of training leave the weights as they were")


def _compiled_dense_model() -> keras.Model:
    model = dense_model()
    model.compile(optimizer="sgd", loss="mse")
    return model


def _always_compiles() -> bool:
    # On JAX Keras compiles what it fits unless told not to, which takes ten times as long.
    import keras

    return bool(keras.backend.backend() == "jax")


def _is_mixed(model: keras.Model) -> bool:
    # Under float16 the first steps may be left out until the loss scale fits.
    return bool(model.layers[0].compute_dtype != model.layers[0].variable_dtype)
