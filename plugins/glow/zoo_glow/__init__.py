"""Normalising flows over images for Keras 3: NICE, RealNVP, Glow, and the invertible layers they are made of."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo_glow.callbacks import CollapseGuard, SampleSheet
    from zoo_glow.layers.bijector import Bijector
    from zoo_glow.layers.chain import Chain, MultiScale
    from zoo_glow.layers.convolution import InvertibleConv1x1
    from zoo_glow.layers.couplings import AdditiveCoupling, AffineCoupling
    from zoo_glow.layers.dequantize import Dequantize, Logit
    from zoo_glow.layers.factor_out import FactorOut
    from zoo_glow.layers.gaussianize import Gaussianize
    from zoo_glow.layers.networks import ConvNetwork, DenseNetwork
    from zoo_glow.layers.scaling import ActNorm, DiagonalScale
    from zoo_glow.layers.shapes import Flatten, Permute, Squeeze
    from zoo_glow.layers.splits import ChannelSplit, CheckerboardSplit
    from zoo_glow.losses import NegativeLogLikelihood
    from zoo_glow.models.flow import Flow, bits_per_dim
    from zoo_glow.models.glow import Glow
    from zoo_glow.models.nice import NICE
    from zoo_glow.models.realnvp import RealNVP

_HOMES = {
    "ActNorm": "layers.scaling",
    "AdditiveCoupling": "layers.couplings",
    "AffineCoupling": "layers.couplings",
    "Bijector": "layers.bijector",
    "Chain": "layers.chain",
    "ChannelSplit": "layers.splits",
    "CheckerboardSplit": "layers.splits",
    "CollapseGuard": "callbacks",
    "ConvNetwork": "layers.networks",
    "DenseNetwork": "layers.networks",
    "Dequantize": "layers.dequantize",
    "DiagonalScale": "layers.scaling",
    "FactorOut": "layers.factor_out",
    "Flatten": "layers.shapes",
    "Flow": "models.flow",
    "Gaussianize": "layers.gaussianize",
    "Glow": "models.glow",
    "InvertibleConv1x1": "layers.convolution",
    "Logit": "layers.dequantize",
    "MultiScale": "layers.chain",
    "NICE": "models.nice",
    "NegativeLogLikelihood": "losses",
    "Permute": "layers.shapes",
    "RealNVP": "models.realnvp",
    "SampleSheet": "callbacks",
    "Squeeze": "layers.shapes",
    "bits_per_dim": "models.flow",
}

__all__ = [
    "NICE",
    "ActNorm",
    "AdditiveCoupling",
    "AffineCoupling",
    "Bijector",
    "Chain",
    "ChannelSplit",
    "CheckerboardSplit",
    "CollapseGuard",
    "ConvNetwork",
    "DenseNetwork",
    "Dequantize",
    "DiagonalScale",
    "FactorOut",
    "Flatten",
    "Flow",
    "Gaussianize",
    "Glow",
    "InvertibleConv1x1",
    "Logit",
    "MultiScale",
    "NegativeLogLikelihood",
    "Permute",
    "RealNVP",
    "SampleSheet",
    "Squeeze",
    "bits_per_dim",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
