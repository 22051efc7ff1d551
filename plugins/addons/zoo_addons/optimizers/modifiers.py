"""Weight decay and layer adaptation for any optimizer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from zoo_addons.optimizers.base import check_between, check_patterns, norm_of
from zoo_addons.optimizers.nested import NestedOptimizer, Tensor


class Modifier(NestedOptimizer):
    """An optimizer that changes how another one updates some of the variables. For subclasses.

    Arguments:
        optimizer: The inner optimizer: an instance, a name or a config.
        exclude: Regular expressions: a variable whose path has a match for one is left to the inner optimizer.
        **kwargs: As for `NestedOptimizer`.
    """

    def __init__(self, optimizer: Any, exclude: Sequence[str] = (), **kwargs: Any) -> None:
        if isinstance(exclude, str):
            raise ValueError(f"`exclude` must be a list of regular expressions. Received: exclude={exclude!r}")
        check_patterns("exclude", exclude)
        super().__init__(optimizer, **kwargs)
        self.exclude = tuple(exclude)

    def modified(self) -> list[keras.Variable]:
        """The variables that are not excluded."""
        return [
            variable
            for variable in self._trainable_variables
            if not any(re.search(pattern, variable.path) for pattern in self.exclude)
        ]

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {**super().get_config(), "exclude": list(self.exclude)}


@keras.saving.register_keras_serializable(package="addons")
class WeightDecay(Modifier):
    """Decoupled weight decay around any optimizer.

    Before the inner optimizer's update, w <- w - learning_rate * weight_decay * w.

    Around Adam it is AdamW. Keras' optimizers have a `weight_decay` of their own; this one also goes between two
    modifiers (see `Composed`), and around what has none.

    Arguments:
        optimizer: The inner optimizer: an instance, a name or a config.
        weight_decay: The rate, which the learning rate and its schedule multiply; at least 0.
        exclude: Regular expressions: variables whose path has a match do not decay, as in `exclude=["bias", "gamma"]`.
        **kwargs: `name`, `use_ema`, `ema_momentum`, `ema_overwrite_frequency`.

    Raises:
        ValueError: `weight_decay` is negative.

    References:
        Loshchilov and Hutter, 2017, arXiv:1711.05101.
    """

    def __init__(
        self, optimizer: Any = "adam", weight_decay: float = 0.004, exclude: Sequence[str] = (), **kwargs: Any
    ) -> None:
        check_between("weight_decay", weight_decay)
        super().__init__(optimizer, exclude, **kwargs)
        # Not `weight_decay`, by which Keras' own machinery would decay once more.
        self.rate = weight_decay

    def begin(self) -> list[Tensor]:
        """Decay."""
        before = []
        for variable in self.modified():
            before.append(ops.copy(variable.value))
            factor = 1 - ops.cast(self.learning_rate, variable.dtype) * self.rate
            variable.assign(variable.value * factor)
        return before

    def undo(self, remembered: list[Tensor]) -> None:
        """Without an update there is no decay either."""
        for variable, before in zip(self.modified(), remembered, strict=True):
            variable.assign(before)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {**super().get_config(), "weight_decay": self.rate}


@keras.saving.register_keras_serializable(package="addons")
class LayerAdaptation(Modifier):
    """Layer-wise learning rates as in LAMB and LARS, around any optimizer: updates as long as what they change.

    Relative to the learning rate each variable's update u becomes as long as the variable:

        w <- w + trust * learning_rate * |w| / |u| * u      where neither is zero; else w <- w + u

    Around Adam it is LAMB, around plain SGD with `trust=0.001` LARS (without momentum). What u is, the inner optimizer
    says: it moves the weights, and the distance is then corrected.

    Arguments:
        optimizer: The inner optimizer: an instance, a name or a config.
        trust: A factor of the updates' lengths, more than 0.
        exclude: Regular expressions: variables whose path has a match are left to the inner optimizer.
        **kwargs: `name`, `use_ema`, `ema_momentum`, `ema_overwrite_frequency`.

    Raises:
        ValueError: `trust` is not more than 0.

    References:
        You et al., 2019, arXiv:1904.00962 (LAMB); You, Gitman and Ginsburg, 2017, arXiv:1708.03888 (LARS).
    """

    def __init__(self, optimizer: Any = "adam", trust: float = 1.0, exclude: Sequence[str] = (), **kwargs: Any) -> None:
        check_between("trust", trust)
        if trust == 0:
            raise ValueError("`trust` must not be 0: the weights would never move")
        super().__init__(optimizer, exclude, **kwargs)
        self.trust = trust

    def begin(self) -> tuple[Tensor, list[Tensor]]:
        """Remember the learning rate and the weights."""
        return ops.copy(ops.convert_to_tensor(self.learning_rate)), [ops.copy(v.value) for v in self.modified()]

    def finish(self, remembered: tuple[Tensor, list[Tensor]]) -> None:
        """Correct the distance."""
        learning_rate, weights = remembered
        for variable, before in zip(self.modified(), weights, strict=True):
            moved = variable.value - before
            value = before + self._ratio(before, moved, learning_rate) * moved
            variable.assign(value if variable.constraint is None else variable.constraint(value))

    def _ratio(self, before: Tensor, moved: Tensor, learning_rate: Tensor) -> Tensor:
        length, distance = norm_of(before), norm_of(moved)
        usable = ops.logical_and(length > 0, distance > 0)
        rate = self.trust * ops.cast(learning_rate, length.dtype)
        ratio = rate * length / ops.where(usable, distance, ops.ones_like(distance))
        return ops.cast(ops.where(usable, ratio, ops.ones_like(ratio)), before.dtype)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {**super().get_config(), "trust": self.trust}
