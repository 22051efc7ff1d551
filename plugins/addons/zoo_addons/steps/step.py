"""The base of training steps: a model around a model, which trains it in another way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from zoo_addons import assigning
from zoo_addons.steps.batch import Batch, Evaluation, Objective
from zoo_addons.steps.wrapper import Wrapper
from zoo_core.gradients import value_and_gradients

__all__ = ["Batch", "Evaluation", "Tensor", "TrainStep"]

Tensor = Any
"""A tensor of whatever the backend is."""


class TrainStep(Wrapper):
    """A model that trains another one in a way that no optimizer could, which sees one gradient of one batch.

        model = SAM(model, rho=0.05)
        model.compile("adam", loss="mse", metrics=["mae"])
        model.fit(x, y)

    Whatever else it does, it does as the wrapped model would: call, loss, metrics, `evaluate`, `predict`, mixed
    precision. That one has the weights, is at `.model`, and can be saved by itself; saving the step also saves what the
    step remembers, and the optimizer. Do not compile the wrapped model for it: only the step needs that.

    A subclass has one method of its own, `update`, which is given a `Batch` and returns the `Evaluation` whose loss and
    predictions are to be reported. For plain training that is

        class Plain(TrainStep):
            looks_again = False

            def update(self, batch):
                now = batch.evaluate()
                self.apply_gradients(now.gradients)
                return now

    and Heun's method, which takes the mean of the gradients here and where a step of descent would lead, is

        class Heun(TrainStep):
            def update(self, batch):
                rate, here = self.learning_rate(), batch.evaluate()
                there = batch.evaluate(at=self.moved(-rate, here.gradients))
                self.apply_gradients([(one + other) / 2 for one, other in zip(here.gradients, there.gradients)])
                return here

    `batch.evaluate()` gives loss and gradients at the current weights, `batch.evaluate(at=[...])` elsewhere, always
    with the same dropout masks; statistics of batch normalisation and random states move once, with the first
    evaluation. It assigns nothing after the first time, so it may be used in `ops.while_loop` and `ops.cond`. To change
    the weights, call `apply_gradients(gradients)`, the update by the optimizer that was given to `compile` (with its
    clipping, averages, schedule and loss scale), or `assign_weights(values)`, which no optimizer sees. Do either once,
    at the end, outside loops and conditions, or under `self.when(condition, function)`.

    A subclass that remembers something makes `self.add_weight(..., trainable=False)` variables in `make_variables`,
    and puts its arguments into `get_config`, beside those of `super().get_config()`.

    Arguments:
        model: The model to train.
        **kwargs: `name`.

    Raises:
        ValueError: `model` is no Keras model, a training step itself, or has a `train_step` of its own; or a
            `tf.distribute` strategy with several replicas is on.
    """

    looks_again = True
    """Whether `update` evaluates a batch more than once. Where it does not, False saves a copy of the state."""

    def update(self, batch: Batch) -> Evaluation:
        """Change the weights; returns the evaluation to report. For subclasses to write."""
        raise NotImplementedError(f"{type(self).__name__} does not say how to train: it has no `update`")

    # What `update` is made of.

    def learning_rate(self) -> Tensor:
        """The optimizer's learning rate at this step, a scalar."""
        return ops.convert_to_tensor(self.optimizer.learning_rate)

    def weights_now(self) -> list[Tensor]:
        """The values of `trainable_variables`, which later changes do not touch."""
        return [ops.copy(variable.value) for variable in self.trainable_variables]

    def moved(self, scale: Tensor, directions: Sequence[Tensor]) -> list[Tensor]:
        """The current weights plus `scale` times `directions`."""
        return [
            variable.value + ops.convert_to_tensor(scale, dtype=variable.dtype) * direction
            for variable, direction in zip(self.trainable_variables, directions, strict=True)
        ]

    def assign_weights(self, values: Sequence[Tensor]) -> None:
        """Give the weights new values, whatever the optimizer; constraints are applied."""
        for variable, value in zip(self.trainable_variables, values, strict=True):
            variable.assign(value if variable.constraint is None else variable.constraint(value))

    def apply_gradients(self, gradients: Sequence[Tensor]) -> None:
        """Update the weights by the optimizer that this was compiled with.

        Where a gradient is not finite, a `keras.optimizers.LossScaleOptimizer`, which `compile` puts around any
        optimizer for a model in `mixed_float16`, leaves the update out and halves its scale.
        """
        variables, optimizer, scale = self.trainable_variables, self.optimizer, self._loss_scale()
        if scale is not None:
            # The optimizer takes it out again.
            gradients = [gradient * ops.cast(scale, gradient.dtype) for gradient in gradients]
        assigning.apply_gradients(optimizer, gradients, variables)

    def when(
        self, condition: Tensor, function: Callable[[], None], variables: Sequence[keras.Variable] | None = None
    ) -> None:
        """Run `function()`, which may assign to variables, where a condition holds.

        Arguments:
            condition: A scalar of booleans.
            function: What to do.
            variables: Those that it assigns to or reads: JAX has to know. By default all of the step, the model and
                the optimizer.
        """
        everything = [*self.variables, *self.optimizer.variables]
        assigning.when(condition, function, everything if variables is None else variables)

    def loss_and_predictions(self, batch: Batch) -> tuple[Tensor, Any]:
        """The loss of a batch in training, and what the model predicted."""
        y_pred = self(batch.x, training=True)
        return self.compute_loss(batch.x, batch.y, y_pred, batch.sample_weight, training=True), y_pred

    def differentiate(
        self,
        batch: Batch,
        objective: Objective,
        *,
        state: Sequence[keras.Variable] = (),
        at: Sequence[tuple[keras.Variable, Tensor]] | None = None,
    ) -> Evaluation:
        """An objective and its gradients by `trainable_variables`; `state` and `at` as in `zoo_core.gradients`."""
        scale = self._loss_scale()

        def scaled() -> tuple[Tensor, Any]:
            value, rest = objective(batch)
            return value if scale is None else value * ops.cast(scale, value.dtype), (value, rest)

        (_, (value, rest)), gradients = value_and_gradients(
            scaled, self.trainable_variables, state=state, at=at, has_aux=True
        )
        if scale is not None:
            gradients = [gradient / ops.cast(scale, gradient.dtype) for gradient in gradients]
        return Evaluation(ops.stop_gradient(value), gradients, rest)

    def _loss_scale(self) -> Tensor | None:
        scale = self.optimizer.scale_loss(1.0)
        return None if isinstance(scale, float) and scale == 1.0 else scale

    # What Keras calls.

    def train_step(self, *arguments: Any) -> Any:
        """One batch of `fit`: `(data)`, or on JAX `(state, data)`."""
        return self._step(self._train, self.optimizer, *arguments)

    def test_step(self, *arguments: Any) -> Any:
        """One batch of `evaluate`: `(data)`, or on JAX `(state, data)`."""
        return self._step(self._test, None, *arguments)

    def _step(self, function: Any, optimizer: Any, *arguments: Any) -> Any:
        if keras.backend.backend() != "jax":
            with assigning.without_gradients():
                return function(*arguments)
        values, data = arguments
        groups = [self.trainable_variables, self.non_trainable_variables, self.metrics_variables]
        if optimizer is not None:
            groups.insert(2, optimizer.variables)
        pairs = [pair for group, held in zip(groups, values, strict=True) for pair in zip(group, held, strict=True)]
        with keras.StatelessScope(pairs, collect_losses=True) as scope:
            logs = function(data)
        return logs, tuple([scope.get_current_value(variable) for variable in group] for group in groups)

    def _train(self, data: Any) -> Any:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        if not self.built:
            self.build(keras.tree.map_structure(lambda leaf: tuple(leaf.shape), x))
        if not self.optimizer.built:
            self.optimizer.build(self.trainable_variables)
        batch = Batch(self, x, y, sample_weight)
        return self._report(batch, self.update(batch))

    def _test(self, data: Any) -> Any:
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        batch = Batch(self, x, y, sample_weight)
        y_pred = self(x, training=False)
        return self._report(batch, Evaluation(self.compute_loss(x, y, y_pred, sample_weight, False), [], y_pred))

    def _report(self, batch: Batch, evaluation: Evaluation) -> Any:
        self._loss_tracker.update_state(evaluation.loss, sample_weight=batch.size)
        return self.compute_metrics(batch.x, batch.y, evaluation.y_pred, batch.sample_weight)
