"""Large batches on little memory: gradients added up over micro-batches, exactly."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo_addons import assigning
from zoo_addons.steps.batch import Batch, Evaluation
from zoo_addons.steps.denominators import SUM, Part, loss_in_parts
from zoo_addons.steps.step import Tensor, TrainStep


@keras.saving.register_keras_serializable(package="addons")
class GradientAccumulation(TrainStep):
    """Exact gradient accumulation, the "soft batch": one update for several batches, equal to that for all in one.

        model = zoo_addons.GradientAccumulation(model, steps=8)
        model.compile("adam", loss="mse")
        model.fit(x, y, batch_size=16)      # as batch_size=128

    With the loss L_j of micro-batch j and the number D_j that it was divided by, the gradient of the update is

        g = sum_j D_j * dL_j/dw / sum_j D_j

    which is the gradient of the large batch, and only then clipped, averaged and applied; moving averages of the
    weights (`use_ema`), `iterations` and schedules count updates, not batches; callbacks that act by batch (WarmUp,
    OneCycle) count batches. After the last batch of an epoch the rest is applied, however few; so epochs are as if each
    had been divided into large batches anew. The sums, and how far they are, are variables: training goes on where it
    was saved, also between two updates. In `mixed_float16` a batch that overflows drops the update of its whole large
    batch and halves the loss scale, as the large batch would.

    The denominator D_j of a Keras loss is, by its `reduction`:

    - `"sum_over_batch_size"`, `"mean"`: the number of elements that `call` gives (examples, or tokens), whatever their
      sample or class weights; of a masked output, or with `ignore_class`, the number of unmasked ones;
    - `"mean_with_sample_weight"`: the sum of the weights;
    - `"sum"`: 1, and losses add up.

    What else is in the total, `add_loss` or what a model's own `compute_loss` adds, counts as a mean over examples, and
    a loss that is computed in another way (a plain scalar, say, or over pairs within the batch) too; regularisation
    counts once. If these differ within one model, as of two outputs with masks of their own, or one whose length varies
    from batch to batch beside one whose does not, each kind needs sums of its own and another pass over each batch: an
    error then says what `denominators` to give.

    Equal to the large batch is what depends on examples one by one. BatchNormalization does not: it normalises by the
    statistics of each micro-batch, and its moving averages move with each; the same holds of losses over pairs. Dropout
    draws other masks than in the large batch.

    Arguments:
        model: The model to train.
        steps: After how many batches to update the weights.
        denominators: How many kinds of denominators the loss has.
        **kwargs: `name`.

    Raises:
        ValueError: `steps` or `denominators` is less than 1; while training, if the optimizer accumulates by itself, or
            if the loss has more kinds of denominators.

    References:
        Su, 2019, kexue.fm/archives/6794.
    """

    def __init__(self, model: keras.Model, steps: int, denominators: int = 1, **kwargs: Any) -> None:
        super().__init__(model, **kwargs)
        for name, value in (("steps", steps), ("denominators", denominators)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"`{name}` must be an integer of at least 1. Received: {name}={value!r}")
        self.steps, self.denominators = steps, denominators
        self.looks_again = denominators > 1
        self._ratio = ""

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """As `keras.Model.compile`."""
        self._ratio = ""
        super().compile(*args, **kwargs)

    def make_variables(self) -> None:
        """Sums of weighted gradients and of their weights, the denominator whose weight is 1, and how many batches."""
        self._count = self.add_weight(shape=(), dtype="int32", initializer="zeros", trainable=False, name="count")
        self._totals = [self._sum((), "float32", f"total_{kind}") for kind in range(self.denominators)]
        self._units = [self._sum((), "float32", f"unit_{kind}") for kind in range(self.denominators)]
        self._sums = [
            [self._sum(weight.shape, weight.dtype, f"sum_{kind}_{index}") for index, weight in self._trained()]
            for kind in range(self.denominators)
        ]

    def _trained(self) -> Any:
        return enumerate(self.model.trainable_variables)

    def _sum(self, shape: Any, dtype: str, name: str) -> keras.Variable:
        # Sums in half precision would lose what they are made of.
        dtype = "float64" if "float64" in (dtype, keras.config.floatx()) else "float32"
        return self.add_weight(shape=shape, dtype=dtype, initializer="zeros", trainable=False, name=name)

    @property
    def pending(self) -> int:
        """How many batches have been seen since the last update."""
        return int(self._count) if self.built else 0

    def flush(self) -> None:
        """Update the weights by what has been added up, if anything has: `fit` does it after each epoch.

        For those who train by `train_on_batch`.
        """
        if keras.backend.backend() == "jax":
            # While `fit` runs, variables are elsewhere.
            self.jax_state_sync()
        if self.pending:
            with assigning.without_gradients():
                self._update_weights()

    def update(self, batch: Batch) -> Evaluation:
        """Add a batch's gradients to the sums, and update the weights when there are enough."""
        self._check()
        parts: list[Part] = []
        first = self._add(batch, 0, parts)
        if len(parts) > self.denominators:
            raise ValueError(
                f"The loss has {len(parts)} kinds of denominators (masks of several outputs, a sum beside a mean, "
                f"add_loss beside a mask): give {type(self).__name__}(model, steps, denominators={len(parts)}). "
                f"Received: denominators={self.denominators}"
            )
        for index in range(1, len(parts)):
            self._add(batch, index, [])
        self._count.assign(self._count + 1)
        self.when(self._count >= self.steps, self._update_weights, self._changing())
        loss, _, _, y_pred = first.y_pred
        return Evaluation(loss, [], y_pred)

    def require_ratio(self, sizes: Sequence[int], kinds: int) -> None:
        """Raise ValueError where losses that go into one sum have other sizes to one another than they had before."""
        divisor = math.gcd(*sizes) or 1
        ratio = ":".join(str(size // divisor) for size in sizes)
        if self._ratio not in ("", ratio):
            raise ValueError(
                f"The sizes of the losses to one another vary from batch to batch, {self._ratio} and now {ratio}, and "
                f"cannot share a denominator: give {type(self).__name__}(model, steps, denominators={kinds}). "
                f"Received: denominators={self.denominators}"
            )
        self._ratio = ratio

    def _add(self, batch: Batch, index: int, parts: list[Part]) -> Evaluation:
        """Add the gradients of one part of the loss; `parts` become all of them, to be counted.

        Not the denominator itself is the weight, but its ratio to the first one of the window. It is 1 for most
        batches, and may multiply the loss rather than all gradients: in float16 too, as no number gets much larger.
        """
        unit = ops.copy(self._units[index].value)

        def objective(batch: Batch) -> tuple[Tensor, Any]:
            y_pred = self(batch.x, training=True)
            total, parts[:] = loss_in_parts(self, batch, y_pred)
            part = parts[index]
            own_unit = ops.where(unit != 0, unit, ops.cast(part.denominator, unit.dtype))
            weight = ops.divide_no_nan(ops.cast(part.denominator, unit.dtype), own_unit)
            weighted = part.value * ops.cast(weight, part.value.dtype)
            return weighted, (ops.stop_gradient(total), weight, own_unit, y_pred)

        evaluation = batch.evaluate(objective=objective)
        _, weight, own_unit, _ = evaluation.y_pred
        for one, gradient in zip(self._sums[index], evaluation.gradients, strict=True):
            # The optimizer's way adds in place where the backend can.
            self.optimizer.assign_add(one, ops.cast(gradient, one.dtype))
        total = self._totals[index]
        # What is summed is divided by nothing.
        total.assign(weight if parts[index].kind == SUM else total + weight)
        self._units[index].assign(own_unit)
        return evaluation

    def _update_weights(self) -> None:
        variables = self.trainable_variables
        shares = [
            [ops.divide_no_nan(one, ops.cast(total, one.dtype)) for one in sums]
            for sums, total in zip(self._sums, self._totals, strict=True)
        ]
        gradients = [sum(kinds[1:], start=kinds[0]) for kinds in zip(*shares, strict=True)]
        self.apply_gradients(
            [ops.cast(gradient, variable.dtype) for gradient, variable in zip(gradients, variables, strict=True)]
        )
        for variable in self._own():
            variable.assign(ops.zeros(variable.shape, variable.dtype))

    def _own(self) -> list[keras.Variable]:
        return [self._count, *self._totals, *self._units, *(one for sums in self._sums for one in sums)]

    def _changing(self) -> list[keras.Variable]:
        return [*self.trainable_variables, *self.optimizer.variables, *self._own()]

    def _check(self) -> None:
        optimizer: Any = self.optimizer
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        if inner.gradient_accumulation_steps:
            raise ValueError(
                "The optimizer accumulates gradients too: leave its `gradient_accumulation_steps` out. Received: "
                f"gradient_accumulation_steps={inner.gradient_accumulation_steps}"
            )
        if len(self._sums[0]) != len(self.trainable_variables):
            raise ValueError(
                "Other variables are trainable than when this was built: freeze and thaw layers before, or put a new "
                f"{type(self).__name__} around the model"
            )

    def fit(self, *args: Any, **kwargs: Any) -> Any:
        """As `keras.Model.fit`; what is left over after the last whole large batch of an epoch is applied then."""
        bound = inspect.signature(keras.Model.fit).bind(self, *args, **kwargs)
        given, flush = bound.arguments.get("callbacks"), _FlushAfterEpoch()
        if isinstance(given, keras.callbacks.CallbackList):
            given.callbacks.insert(0, flush)
            flush.set_model(self)
        else:
            # First, so that all others see the weights as they are then.
            bound.arguments["callbacks"] = [flush, *keras.tree.flatten(given or [])]
        return super().fit(*bound.args[1:], **bound.kwargs)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {**super().get_config(), "steps": self.steps, "denominators": self.denominators}


class _FlushAfterEpoch(keras.callbacks.Callback):
    """Applies what is left over, before an epoch's validation and before other callbacks see its end."""

    def on_test_begin(self, logs: Any = None) -> None:
        """Within `fit`, the validation after an epoch's last batch."""
        self.model.flush()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Where there was no validation."""
        self.model.flush()
