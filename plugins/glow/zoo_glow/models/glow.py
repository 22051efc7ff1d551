"""Glow."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from zoo_glow.layers.bijector import Bijector
from zoo_glow.layers.chain import Chain, MultiScale
from zoo_glow.layers.convolution import InvertibleConv1x1
from zoo_glow.layers.couplings import AdditiveCoupling, AffineCoupling
from zoo_glow.layers.factor_out import FactorOut
from zoo_glow.layers.networks import ConvNetwork
from zoo_glow.layers.scaling import ActNorm
from zoo_glow.layers.shapes import Squeeze
from zoo_glow.levels import each_level
from zoo_glow.models.flow import MULTI_SCALE_LIMITS, Flow, preprocessing, register_flow


@register_flow
class Glow(Flow):
    """Glow: levels of squeeze, then steps of actnorm, invertible 1x1 convolution and coupling, then factor-out.

    Args:
        image_shape: `(height, width, channels)`; height and width must be multiples of `2 ** levels`.
        levels: number of scales.
        steps: flow steps in each level; one number, or one for each level.
        filters: width of the coupling networks; one number, or one for each level.
        depth: residual blocks in each coupling network; 0 is Glow's own network.
        coupling: "affine" or "additive".
        bound: largest absolute log-scale of an affine coupling.
        positions: learn a bias for every position in networks, and normalise positions one by one at each level's
            start. Helps where the images are centred in their frame.
        preprocess: what dequantised pixels go through first: "none", "logit", or "gaussianize" (see `Gaussianize`),
            which makes a flow learn several times faster where many pixels share a level, as backgrounds do.

    References:
        Kingma, Dhariwal, 2018. Glow: generative flow with invertible 1x1 convolutions. arXiv:1807.03039
    """

    argument_limits: ClassVar = {**MULTI_SCALE_LIMITS, "steps": (1, 128)}

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (32, 32, 3),
        levels: int = 3,
        steps: int | tuple[int, ...] = 8,
        filters: int | tuple[int, ...] = 128,
        depth: int = 0,
        coupling: Literal["affine", "additive"] = "affine",
        bound: float = 2.0,
        positions: bool = False,
        preprocess: Literal["none", "logit", "gaussianize"] = "none",
        **kwargs: Any,
    ) -> None:
        if coupling not in ("affine", "additive"):
            raise ValueError(f"Glow(coupling={coupling!r}): coupling must be 'affine' or 'additive'")
        step_options: dict[str, Any] = {"depth": depth, "coupling": coupling, "bound": bound, "positions": positions}
        chains = []
        sizes = zip(each_level(steps, levels), each_level(filters, levels), strict=True)
        for level, (count, width) in enumerate(sizes):
            bijectors: list[Bijector] = preprocessing(preprocess) if level == 0 else []
            bijectors.append(Squeeze())
            if positions:
                bijectors.append(ActNorm(per_position=True))
            for step in range(count):
                bijectors.append(_step(1000 * level + step, width, **step_options))
            bijectors.append(ActNorm(per_position=positions) if level == levels - 1 else FactorOut())
            chains.append(Chain(bijectors))
        super().__init__(image_shape, MultiScale(chains), **kwargs)
        self.keep_arguments(levels=levels, steps=steps, filters=filters, preprocess=preprocess, **step_options)


def _step(seed: int, filters: int, depth: int, coupling: str, bound: float, positions: bool) -> Chain:
    network = ConvNetwork(filters, depth, positions)
    last = AffineCoupling(network, bound=bound) if coupling == "affine" else AdditiveCoupling(network)
    return Chain([ActNorm(), InvertibleConv1x1(seed), last])
