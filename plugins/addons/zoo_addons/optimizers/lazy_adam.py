"""Adam for large embeddings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from zoo_addons.optimizers.base import (
    RowOptimizer,
    Tensor,
    at_least_tiny,
    check_between,
    check_decays,
    check_patterns,
    dense,
    dtype_of,
    is_sparse,
    power,
    precise,
)
from zoo_core.rows import set_rows, take_rows

TOUCHED, ALL = "touched", "all"


@keras.saving.register_keras_serializable(package="addons")
class LazyAdam(RowOptimizer):
    """Adam that moves only those rows of an embedding that the batch has used, and takes no time for the others.

    A row is touched if its gradient g, summed over all its uses in the batch, is not zero. With one step number t for
    all rows, which counts batches, a touched row w with the moments m and v becomes

        m <- b1 * m + (1 - b1) * g              v <- b2 * v + (1 - b2) * g^2
        w <- w - learning_rate * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + epsilon)

    and every other row stays as it is, bit for bit. What is no embedding is updated by Adam as Keras does it.

    `moments` says what becomes of the moments of a row that the batch does not use:

    - "touched" (default): nothing, as in TensorFlow Addons' LazyAdam and PyTorch's SparseAdam. A rare word keeps the
      momentum of when it was last seen, however long ago, and that can cost accuracy where most rows are rare
      (tensorflow#23668: neural collaborative filtering ended worse than with Adam).
    - "all": they decay with every batch, by b1 and b2, as Adam's do; only the weight waits. This is the rule of the
      posts that this plugin follows. It costs no more: a row's decay is made up for when it is next touched.

    In both, a row that is new at a late step t has moments that started from zero while the corrections 1 - b^t have
    long been 1, so that its first step is about (1 - b1) / sqrt(1 - b2), 3.2 with the defaults, learning rates long.

    On TensorFlow gradients of embeddings are sparse and a step's cost hardly depends on the number of rows. On JAX and
    PyTorch Keras makes them dense: the result is the same, the cost that of Adam. These need the whole table on
    TensorFlow too: `use_ema`, `gradient_accumulation_steps`, `loss_scale_factor`, regularizers and constraints of the
    embedding, and float16's LossScaleOptimizer, which looks for infinities in a dense copy. Weight decay is decoupled
    and reaches the touched rows only. `clipnorm` and its like see each row's summed gradient.

    Arguments:
        learning_rate: A float, or a `keras.optimizers.schedules.LearningRateSchedule`.
        beta_1: Decay of the first moment, in [0, 1).
        beta_2: Decay of the second moment, in [0, 1).
        epsilon: Added to the root of the second moment.
        moments: "touched" or "all", see above.
        tables: Regular expression, searched for in the names of variables: those of rank 2 and more that match it are
            updated by rows also where their gradient is dense. "embeddings" is how Keras' Embedding layer names its
            table. Sparse gradients always are by rows.
        **kwargs: As for any Keras optimizer: name, weight_decay, clipnorm, use_ema...

    Raises:
        ValueError: A decay outside [0, 1), a negative epsilon, another word for `moments`, no regular expression.

    References:
        Kingma and Ba, 2014, arXiv:1412.6980; Su, 2019, https://kexue.fm/archives/6869.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        moments: str = TOUCHED,
        tables: str = "embeddings",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        check_decays(beta_1=beta_1, beta_2=beta_2)
        check_between("epsilon", epsilon)
        if moments not in (TOUCHED, ALL):
            raise ValueError(f'`moments` must be "{TOUCHED}" or "{ALL}". Received: moments={moments!r}')
        check_patterns("tables", [tables])
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.moments, self.tables = moments, tables
        self._table_keys: frozenset[Any] = frozenset()

    def build(self, var_list: list[keras.Variable]) -> None:
        """Make the moments and, where they decay while a row waits, the step at which it was last touched."""
        if self.built:
            return
        super().build(var_list)
        self._momentums, self._velocities = self.add_optimizer_variables(var_list, ["momentum", "velocity"])
        named = [len(variable.shape) > 1 and bool(re.search(self.tables, variable.name)) for variable in var_list]
        keys = {self._var_key(variable) for variable, table in zip(var_list, named, strict=True) if table}
        self._table_keys |= keys
        self._last_steps = [self._make_last_step(variable) for variable in var_list]

    def _make_last_step(self, variable: keras.Variable) -> keras.Variable | None:
        if self.moments == TOUCHED or len(variable.shape) < 2:
            return None
        return self.add_variable((variable.shape[0],), dtype="int32", name=f"{variable.name}_last_step")

    def apply(self, grads: Sequence[Tensor], trainable_variables: Sequence[keras.Variable] | None = None) -> None:
        """Update the variables, as `keras.optimizers.Optimizer.apply` does."""
        variables = self._trainable_variables if trainable_variables is None else list(trainable_variables)
        self._table_keys |= {self._var_key(v) for g, v in zip(grads, variables, strict=True) if is_sparse(g)}
        super().apply(grads, None if trainable_variables is None else variables)

    def _apply_weight_decay(self, variables: Sequence[keras.Variable]) -> None:
        variables = [v for v in variables if self._var_key(v) not in self._table_keys]
        if variables:
            super()._apply_weight_decay(variables)

    def update_step(self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor) -> None:
        """One step of one variable."""
        slots = self._slots(variable)
        if is_sparse(gradient):
            rows = gradient.indices
            old = _Slots(*(None if slot is None else take_rows(slot, rows) for slot in slots))
            gradient = ops.cast(gradient.values, dtype_of(variable))
            new = self._step_of_rows(gradient, old, variable, learning_rate)
        else:
            old = _Slots(*(None if slot is None else ops.convert_to_tensor(slot) for slot in slots))
            gradient, rows = dense(gradient, variable), None
            is_table = self._var_key(variable) in self._table_keys
            step = self._step_of_rows if is_table else self._step_of_all
            new = step(gradient, old, variable, learning_rate)
        for slot, values in zip(slots, new, strict=True):
            if values is not None:
                # Setting rows is faster than adding to them, on TensorFlow five times.
                self.assign(slot, values) if rows is None else set_rows(slot, rows, values)

    def _step_of_all(self, gradient: Tensor, old: _Slots, variable: keras.Variable, learning_rate: Tensor) -> _Slots:
        """Adam."""
        momentum = old.momentum + (gradient - old.momentum) * (1 - self.beta_1)
        velocity = old.velocity + (ops.square(gradient) - old.velocity) * (1 - self.beta_2)
        change = self._change(momentum, velocity, variable, learning_rate)
        return _Slots(old.weights - change, momentum, velocity, None)

    def _step_of_rows(self, gradient: Tensor, old: _Slots, variable: keras.Variable, learning_rate: Tensor) -> _Slots:
        """Adam on the rows that have a gradient; the others as they were."""
        others = range(1, len(variable.shape))
        used = ops.any(gradient != 0, axis=tuple(others))
        wide = (-1, *(1 for _ in others))
        touched = ops.reshape(used, wide)
        factor = ops.cast(touched, dtype_of(variable))
        momentum, velocity, last_step = old.momentum, old.velocity, None
        if old.last_step is not None:
            now = ops.cast(self.iterations, "int32")
            waited = ops.reshape(ops.where(used, now - old.last_step, 0), wide)
            momentum = momentum * self._left(self.beta_1, waited, variable)
            velocity = velocity * self._left(self.beta_2, waited, variable)
            last_step = ops.where(used, now + 1, old.last_step)
        momentum = momentum + (gradient - momentum) * (factor * (1 - self.beta_1))
        velocity = velocity + (ops.square(gradient) - velocity) * (factor * (1 - self.beta_2))
        change = self._change(momentum, velocity, variable, learning_rate)
        if self.weight_decay is not None and self._use_weight_decay(variable):
            change = change + ops.cast(learning_rate * self.weight_decay, dtype_of(variable)) * old.weights
        weights = ops.where(touched, old.weights - change, old.weights)
        return _Slots(weights, momentum, velocity, last_step)

    def _left(self, beta: float, waited: Tensor, variable: keras.Variable) -> Tensor:
        """The part of a moment that is left after so many steps without a gradient."""
        return ops.cast(power(beta, ops.cast(waited, precise(variable))), dtype_of(variable))

    def _change(self, momentum: Tensor, velocity: Tensor, variable: keras.Variable, learning_rate: Tensor) -> Tensor:
        step = self._step(variable)
        first, second = 1 - power(self.beta_1, step), 1 - power(self.beta_2, step)
        rate = ops.cast(ops.cast(learning_rate, step.dtype) * ops.sqrt(second) / first, dtype_of(variable))
        return rate * momentum / (ops.sqrt(velocity) + at_least_tiny(self.epsilon, variable))

    def _slots(self, variable: keras.Variable) -> _Slots:
        index = self._get_variable_index(variable)
        return _Slots(variable, self._momentums[index], self._velocities[index], self._last_steps[index])

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {
            **super().get_config(),
            "beta_1": self.beta_1,
            "beta_2": self.beta_2,
            "epsilon": self.epsilon,
            "moments": self.moments,
            "tables": self.tables,
        }


class _Slots(NamedTuple):
    """A variable and what belongs to it, or some of their rows."""

    weights: Any
    momentum: Any
    velocity: Any
    last_step: Any
