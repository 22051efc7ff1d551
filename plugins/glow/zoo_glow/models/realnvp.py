"""RealNVP."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from zoo_glow.layers.bijector import Bijector
from zoo_glow.layers.chain import Chain, MultiScale
from zoo_glow.layers.couplings import AffineCoupling
from zoo_glow.layers.factor_out import FactorOut
from zoo_glow.layers.networks import ConvNetwork
from zoo_glow.layers.scaling import ActNorm
from zoo_glow.layers.shapes import Squeeze
from zoo_glow.layers.splits import ChannelSplit, CheckerboardSplit, Split
from zoo_glow.levels import each_level
from zoo_glow.models.flow import MULTI_SCALE_LIMITS, Flow, preprocessing, register_flow


@register_flow
class RealNVP(Flow):
    """RealNVP: at each level checkerboard couplings, a squeeze, channel couplings, then factor-out.

    Activation normalisation stands where the paper has batch normalisation, so that the density of one image does not
    depend on its neighbours in the batch.

    Args:
        image_shape: `(height, width, channels)`; height and width must be multiples of `2 ** levels`.
        levels: number of scales.
        couplings: couplings of each kind in each level; one number, or one for each level.
        filters: width of the coupling networks; one number, or one for each level.
        depth: residual blocks in each coupling network.
        bound: largest absolute log-scale of a coupling.
        positions: learn a bias for every position in the coupling networks.
        preprocess: what dequantised pixels go through first: "none", "logit", or "gaussianize" (see `Gaussianize`),
            which makes a flow learn several times faster where many pixels share a level, as backgrounds do.

    References:
        Dinh, Sohl-Dickstein, Bengio, 2017. Density estimation using Real NVP. arXiv:1605.08803
    """

    argument_limits: ClassVar = {**MULTI_SCALE_LIMITS, "couplings": (1, 64)}

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (32, 32, 3),
        levels: int = 2,
        couplings: int | tuple[int, ...] = 3,
        filters: int | tuple[int, ...] = 64,
        depth: int = 2,
        bound: float = 2.0,
        positions: bool = False,
        preprocess: Literal["none", "logit", "gaussianize"] = "none",
        **kwargs: Any,
    ) -> None:
        chains = []
        sizes = zip(each_level(couplings, levels), each_level(filters, levels), strict=True)
        for level, (count, width) in enumerate(sizes):

            def step(split: Split, width: int = width) -> Chain:
                return Chain([ActNorm(), AffineCoupling(ConvNetwork(width, depth, positions), split, bound)])

            bijectors: list[Bijector] = preprocessing(preprocess) if level == 0 else []
            bijectors += [step(CheckerboardSplit(index % 2 == 1)) for index in range(count)]
            bijectors.append(Squeeze())
            bijectors += [step(ChannelSplit(index % 2 == 1)) for index in range(count)]
            bijectors.append(ActNorm(per_position=positions) if level == levels - 1 else FactorOut())
            chains.append(Chain(bijectors))
        super().__init__(image_shape, MultiScale(chains), **kwargs)
        self.keep_arguments(
            levels=levels,
            couplings=couplings,
            filters=filters,
            depth=depth,
            bound=bound,
            positions=positions,
            preprocess=preprocess,
        )
