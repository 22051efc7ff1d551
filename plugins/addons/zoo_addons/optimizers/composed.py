"""Modifiers of optimizers, put together in one line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from zoo_addons.optimizers.lookahead import Lookahead
from zoo_addons.optimizers.modifiers import LayerAdaptation, WeightDecay
from zoo_addons.optimizers.nested import NestedOptimizer


@keras.saving.register_keras_serializable(package="addons")
class Composed(NestedOptimizer):
    """Any optimizer, with weight decay, layer adaptation and Lookahead.

        optimizer = zoo_addons.Composed("adam", weight_decay=0.01, layer_adaptation=True, lookahead=True)

    The modifiers are, from the inside out, and so the order in which they change an update:

    1. the optimizer, with its learning rate and schedule, its clipping, its momentum;
    2. `layer_adaptation`, the update's length in proportion to the variable's (`LayerAdaptation`);
    3. `weight_decay`, decoupled, before the update (`WeightDecay`), and so not adapted, as in `keras.optimizers.Lamb`.
       `adapt_decay=True` exchanges 2 and 3: the decay is part of what is adapted, as in the paper on LAMB;
    4. `lookahead`, slow weights (`Lookahead`);
    5. a moving average of the weights, if the optimizer was made with `use_ema=True`.

    Each alone is the known method: Adam with `weight_decay` is AdamW, Adam with `layer_adaptation` is LAMB, and without
    modifiers it is the optimizer itself. Gradient accumulation is no optimizer's to do exactly: put
    `zoo_addons.GradientAccumulation(model, steps)` around the model, or let `zoo_addons.compose` do both.

    Arguments:
        optimizer: The optimizer: an instance, a name or a config.
        weight_decay: The rate of the decay; None or 0 for none.
        layer_adaptation: True, or the trust factor (0.001 is usual for SGD); False for none.
        lookahead: True for `Lookahead`'s defaults, or its arguments, as in `{"sync_period": 5}`; False for none.
        adapt_decay: Whether the decay is adapted too.
        exclude: Regular expressions: variables whose path has a match neither decay nor are adapted, as in
            `exclude=["bias", "gamma", "beta"]`.
        **kwargs: `name`, `use_ema`, `ema_momentum`, `ema_overwrite_frequency`.

    Raises:
        ValueError: As the modifiers do; or the optimizer decays weights by itself, and would do it twice.

    References:
        Su, 2019, kexue.fm/archives/7094.
    """

    def __init__(
        self,
        optimizer: Any = "adam",
        weight_decay: float | None = None,
        layer_adaptation: bool | float = False,
        lookahead: bool | Mapping[str, Any] = False,
        adapt_decay: bool = False,
        exclude: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        given = keras.optimizers.get(optimizer)
        if weight_decay and getattr(given, "weight_decay", None):
            raise ValueError("The optimizer has a `weight_decay` of its own: give one of the two")
        if not isinstance(lookahead, bool | Mapping):
            raise ValueError(f"`lookahead` must be a bool, or Lookahead's arguments. Received: lookahead={lookahead!r}")
        if not isinstance(layer_adaptation, bool | int | float):
            raise ValueError(
                f"`layer_adaptation` must be a bool or a number. Received: layer_adaptation={layer_adaptation!r}"
            )
        composed = given
        if weight_decay and adapt_decay:
            composed = WeightDecay(composed, weight_decay, exclude)
        if layer_adaptation is not False:
            composed = LayerAdaptation(composed, float(layer_adaptation), exclude)
        if weight_decay and not adapt_decay:
            composed = WeightDecay(composed, weight_decay, exclude)
        if lookahead is not False:
            composed = Lookahead(composed, **({} if lookahead is True else lookahead))
        super().__init__(composed, **kwargs)
        self.given, self.rate, self.adapt_decay = given, weight_decay, adapt_decay
        self.layer_adaptation, self.lookahead, self.exclude = layer_adaptation, lookahead, tuple(exclude)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew."""
        return {
            **super().get_config(),
            "optimizer": keras.saving.serialize_keras_object(self.given),
            "weight_decay": self.rate,
            "layer_adaptation": self.layer_adaptation,
            "lookahead": self.lookahead if isinstance(self.lookahead, bool) else dict(self.lookahead),
            "adapt_decay": self.adapt_decay,
            "exclude": list(self.exclude),
        }


def compose(
    model: keras.Model,
    optimizer: Any = "adam",
    *,
    accumulation: int = 1,
    denominators: int = 1,
    modifiers: Mapping[str, Any] | None = None,
    **compile_arguments: Any,
) -> keras.Model:
    """A model to fit: compiled with a composed optimizer, and with exact gradient accumulation around it.

        model = zoo_addons.compose(
            model, "adam", accumulation=8, modifiers={"weight_decay": 0.01, "lookahead": True}, loss="mse"
        )
        model.fit(x, y, batch_size=16)

    Arguments:
        model: The model to train.
        optimizer: The optimizer: an instance, a name or a config.
        accumulation: After how many batches to update the weights; with 1 the model itself is compiled and returned.
        denominators: As for `GradientAccumulation`.
        modifiers: Arguments of `Composed`.
        **compile_arguments: As for `keras.Model.compile`: loss, metrics, jit_compile...

    Returns:
        `GradientAccumulation(model, accumulation)`, or the model, compiled.
    """
    from zoo_addons.steps.accumulation import GradientAccumulation

    trained = model if accumulation == 1 else GradientAccumulation(model, accumulation, denominators)
    trained.compile(optimizer=Composed(optimizer, **(modifiers or {})), **compile_arguments)
    return trained
