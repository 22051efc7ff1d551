"""NICE."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from zoo_glow.layers.bijector import Bijector
from zoo_glow.layers.chain import Chain, MultiScale
from zoo_glow.layers.couplings import AdditiveCoupling
from zoo_glow.layers.networks import DenseNetwork
from zoo_glow.layers.scaling import DiagonalScale
from zoo_glow.layers.shapes import Flatten
from zoo_glow.layers.splits import ChannelSplit
from zoo_glow.models.flow import Flow, preprocessing, register_flow


@register_flow
class NICE(Flow):
    """NICE: additive couplings between even and odd pixels, then one learned scale a dimension.

    Args:
        image_shape: `(height, width, channels)`.
        couplings: number of additive couplings; they move odd and even pixels in turn.
        units: width of the dense coupling networks.
        depth: hidden layers of each.
        preprocess: what dequantised pixels go through first: "none", "logit", or "gaussianize" (see `Gaussianize`),
            which makes a flow learn several times faster where many pixels share a level, as backgrounds do.

    References:
        Dinh, Krueger, Bengio, 2014. NICE: non-linear independent components estimation. arXiv:1410.8516
    """

    argument_limits: ClassVar = {"image_shape": (1, 1024), "couplings": (1, 64), "units": (1, 16384), "depth": (1, 32)}

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        couplings: int = 4,
        units: int = 1000,
        depth: int = 5,
        preprocess: Literal["none", "logit", "gaussianize"] = "none",
        **kwargs: Any,
    ) -> None:
        bijectors: list[Bijector] = [*preprocessing(preprocess), Flatten()]
        for index in range(couplings):
            split = ChannelSplit(swap=index % 2 == 1, interleave=True)
            bijectors.append(AdditiveCoupling(DenseNetwork(units, depth), split))
        bijectors.append(DiagonalScale())
        super().__init__(image_shape, MultiScale([Chain(bijectors)]), **kwargs)
        self.keep_arguments(couplings=couplings, units=units, depth=depth, preprocess=preprocess)
