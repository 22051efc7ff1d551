"""Slow weights that follow the fast ones, and lead them back."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_addons import assigning
from zoo_addons.optimizers.base import check_between
from zoo_addons.optimizers.nested import NestedOptimizer, Tensor


@keras.saving.register_keras_serializable(package="addons")
class Lookahead(NestedOptimizer):
    """Slow weights around any optimizer: k steps forward, one step back.

    The inner optimizer moves the weights w as ever. After every k-th of its updates the slow weights s, which were
    equal to them at the start, go a part of the way to them, and the weights are set back to there:

        s <- s + slow_step * (w - s),   w <- s

        optimizer = zoo_addons.Lookahead(keras.optimizers.Adam(1e-3), sync_period=6, slow_step=0.5)

    With `slow_step=1` it is the inner optimizer. The slow weights are saved with the optimizer. Between two
    synchronisations, in validation and at the end of training too, the model has the fast weights; `slow_weights` has
    the others.

    Arguments:
        optimizer: The inner optimizer: an instance, a name or a config.
        sync_period: k, the number of updates between synchronisations.
        slow_step: How far the slow weights go, in (0, 1].
        reset_momentum: Forget the inner optimizer's momentum at each synchronisation. By default it is kept, as in the
            paper.
        **kwargs: `name`, `use_ema`, `ema_momentum`, `ema_overwrite_frequency`; anything else belongs to the inner
            optimizer.

    Raises:
        ValueError: `sync_period` is no integer of at least 1, `slow_step` is not in (0, 1], or there is no momentum to
            reset.

    References:
        Zhang, Lucas, Hinton and Ba, 2019, arXiv:1907.08610.
    """

    def __init__(
        self,
        optimizer: Any = "adam",
        sync_period: int = 6,
        slow_step: float = 0.5,
        reset_momentum: bool = False,
        **kwargs: Any,
    ) -> None:
        if not isinstance(sync_period, int) or isinstance(sync_period, bool) or sync_period < 1:
            raise ValueError(f"`sync_period` must be an integer of at least 1. Received: sync_period={sync_period!r}")
        check_between("slow_step", slow_step, 0.0, 1.0)
        if slow_step == 0:
            raise ValueError("`slow_step` must not be 0: the weights would never move")
        super().__init__(optimizer, **kwargs)
        self.sync_period, self.slow_step, self.reset_momentum = sync_period, slow_step, reset_momentum

    def build(self, variables: list[keras.Variable]) -> None:
        """Make the slow weights."""
        if self.built:
            return
        super().build(variables)
        self._slow_weights = self.add_optimizer_variables(variables, "slow")
        self._momentums = _momentums(self.inner_optimizer) if self.reset_momentum else []
        if self.reset_momentum and not self._momentums:
            raise ValueError(f"{type(self.inner_optimizer).__name__} has no momentum to reset, as it was made")

    @property
    def slow_weights(self) -> list[keras.Variable]:
        """In the order of the trainable variables; they have their first values from the first update on."""
        return list(self._slow_weights)

    def begin(self) -> None:
        """Before the first update the slow weights become what the weights are, pretrained ones too."""
        is_first = ops.convert_to_tensor(self.iterations) == self._updates_before
        assigning.when(is_first, self._start, self._slow_weights_and_weights())

    def _start(self) -> None:
        for slow, variable in zip(self._slow_weights, self._trainable_variables, strict=True):
            slow.assign(variable)

    def finish(self, remembered: Any) -> None:
        """Every k-th time: synchronise."""
        assigning.when(
            ops.convert_to_tensor(self.iterations) % self.sync_period == 0,
            self._synchronise,
            [*self._slow_weights_and_weights(), *self._momentums],
        )

    def _synchronise(self) -> None:
        for slow, variable in zip(self._slow_weights, self._trainable_variables, strict=True):
            # So written, a step of 1 gives exactly the fast weights.
            value: Tensor = self.slow_step * variable + (1 - self.slow_step) * slow
            value = value if variable.constraint is None else variable.constraint(value)
            slow.assign(value)
            variable.assign(value)
        for momentum in self._momentums:
            momentum.assign(ops.zeros(momentum.shape, momentum.dtype))

    def _slow_weights_and_weights(self) -> list[keras.Variable]:
        return [*self._slow_weights, *self._trainable_variables]

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {
            **super().get_config(),
            "sync_period": self.sync_period,
            "slow_step": self.slow_step,
            "reset_momentum": self.reset_momentum,
        }


def _momentums(optimizer: Any) -> list[keras.Variable]:
    """The first moments of an optimizer, or of the one within it, as Keras' optimizers call them."""
    while optimizer is not None:
        found = getattr(optimizer, "_momentums", None) or getattr(optimizer, "momentums", None)
        if found:
            return [momentum for momentum in found if momentum is not None]
        optimizer = getattr(optimizer, "inner_optimizer", None)
    return []
