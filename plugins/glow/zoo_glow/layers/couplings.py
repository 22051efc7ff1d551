"""Coupling layers: one part of the input moves by an amount that a network reads off the other part."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_glow.layers.bijector import Bijector, Shape, bounded, build_once, known, per_sample, sum_per_sample
from zoo_glow.layers.networks import ConvNetwork, DenseNetwork
from zoo_glow.layers.splits import ChannelSplit, Split


class Coupling(Bijector):
    """What the two couplings share: a split, and a network from the kept part to the moved part's parameters.

    Args:
        network: a layer from `kept` to `outputs_per_entry` times the channels of `moved`. By default a `ConvNetwork`
            for images and a `DenseNetwork` for vectors; both start at zero, so that the coupling starts as the
            identity.
        split: a `ChannelSplit` (the default) or a `CheckerboardSplit`.
    """

    outputs_per_entry = 1

    def __init__(self, network: keras.layers.Layer | None = None, split: Split | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.network = network
        self.split = split or ChannelSplit()

    def build(self, input_shape: Shape) -> None:
        """Build the split and the network, with as many outputs as the moved part needs."""
        build_once(self.split, input_shape)
        kept, moved = self.split.shapes(input_shape)
        if self.network is None:
            self.network = ConvNetwork() if len(input_shape) == 4 else DenseNetwork()
        outputs = self.outputs_per_entry * known(moved[-1])
        if getattr(self.network, "outputs", None) is None:
            self.network.outputs = outputs
        build_once(self.network, kept)
        produced = self.network.compute_output_shape(kept)[-1]
        if produced != outputs:
            raise ValueError(f"{type(self).__name__} needs a network with {outputs} outputs, got {produced}")

    def _produced(self, kept: Any) -> Any:
        # Not called _parameters: on PyTorch a layer is a torch.nn.Module, which has a dictionary of that name.
        assert self.network is not None
        return ops.cast(self.network(kept), self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        serialise = keras.saving.serialize_keras_object
        return {**super().get_config(), "network": serialise(self.network), "split": serialise(self.split)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Coupling:
        """Rebuild network and split first."""
        revive = keras.saving.deserialize_keras_object
        parts = {name: revive(config[name]) for name in ("network", "split") if config.get(name) is not None}
        return cls(**{**config, **parts})


@keras.saving.register_keras_serializable(package="glow")
class AdditiveCoupling(Coupling):
    """Additive coupling: `moved + m(kept)`; it keeps the volume, so its log-determinant is zero.

    References:
        Dinh, Krueger, Bengio, 2014. NICE: non-linear independent components estimation. arXiv:1410.8516
    """

    def call(self, x: Any) -> tuple[Any, Any]:
        """Add the network's output."""
        kept, moved = self.split(x)
        y = self.split.merge(kept, moved + self._produced(kept))
        return y, per_sample(ops.zeros((), self.compute_dtype), x)

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Subtract the network's output."""
        kept, moved = self.split(y)
        x = self.split.merge(kept, moved - self._produced(kept))
        return x, per_sample(ops.zeros((), self.compute_dtype), y)


@keras.saving.register_keras_serializable(package="glow")
class AffineCoupling(Coupling):
    """Affine coupling: `moved * exp(s(kept)) + t(kept)`, with `s` bounded; log-determinant `sum s`.

    The log-scale is `bound * tanh(raw / bound)`, so one layer stretches or shrinks by at most `exp(bound)`: no
    overflow, and an inverse that stays exact.

    Args:
        bound: largest absolute log-scale.
        network, split: see `AdditiveCoupling`; the network has two outputs for each moved entry.

    References:
        Dinh, Sohl-Dickstein, Bengio, 2017. Density estimation using Real NVP. arXiv:1605.08803
    """

    outputs_per_entry = 2

    def __init__(
        self,
        network: keras.layers.Layer | None = None,
        split: Split | None = None,
        bound: float = 2.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(network, split, **kwargs)
        if not bound > 0:
            raise ValueError(f"AffineCoupling(bound={bound}): bound must be positive")
        self.bound = bound

    def _shift_and_log_scale(self, kept: Any) -> tuple[Any, Any]:
        parameters = self._produced(kept)
        middle = parameters.shape[-1] // 2
        log_scale = bounded(parameters[..., middle:], self.bound)
        return parameters[..., :middle], self.split.select(log_scale)

    def call(self, x: Any) -> tuple[Any, Any]:
        """Scale, then shift."""
        kept, moved = self.split(x)
        shift, log_scale = self._shift_and_log_scale(kept)
        y = self.split.merge(kept, moved * ops.exp(log_scale) + shift)
        return y, sum_per_sample(log_scale)

    def inverse(self, y: Any) -> tuple[Any, Any]:
        """Shift back, then unscale."""
        kept, moved = self.split(y)
        shift, log_scale = self._shift_and_log_scale(kept)
        x = self.split.merge(kept, (moved - shift) * ops.exp(-log_scale))
        return x, -sum_per_sample(log_scale)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "bound": self.bound}
