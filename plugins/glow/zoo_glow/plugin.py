"""What the glow plugin provides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo_core import hookimpl

if TYPE_CHECKING:
    import typer

LAYERS = {
    "bijector": ("Bijector",),
    "chain": ("Chain", "MultiScale"),
    "convolution": ("InvertibleConv1x1",),
    "couplings": ("AdditiveCoupling", "AffineCoupling"),
    "dequantize": ("Dequantize", "Logit"),
    "factor_out": ("FactorOut",),
    "gaussianize": ("Gaussianize",),
    "networks": ("ConvNetwork", "DenseNetwork"),
    "scaling": ("ActNorm", "DiagonalScale"),
    "shapes": ("Flatten", "Permute", "Squeeze"),
    "splits": ("ChannelSplit", "CheckerboardSplit"),
}


@hookimpl
def register_losses(register: Any) -> None:
    """The negative log-likelihood."""
    register("NegativeLogLikelihood", "zoo_glow.losses:NegativeLogLikelihood")


@hookimpl
def register_layers(register: Any) -> None:
    """Invertible layers, and what they are made of."""
    for module, names in LAYERS.items():
        for name in names:
            register(name, f"zoo_glow.layers.{module}:{name}")


@hookimpl
def register_callbacks(register: Any) -> None:
    """Callbacks for training flows."""
    register("CollapseGuard", "zoo_glow.callbacks:CollapseGuard")
    register("SampleSheet", "zoo_glow.callbacks:SampleSheet")


@hookimpl
def register_models(register: Any) -> None:
    """The three flows."""
    register(
        "glow",
        "zoo_glow.models.glow:Glow",
        recipe="zoo_glow.recipes:GlowRecipe",
        task="image-generation",
        summary="Glow: actnorm, invertible 1x1 convolutions, affine couplings",
        paper="arXiv:1807.03039",
        default="fashion-mnist",
    )
    register(
        "realnvp",
        "zoo_glow.models.realnvp:RealNVP",
        recipe="zoo_glow.recipes:RealNVPRecipe",
        task="image-generation",
        summary="RealNVP: checkerboard and channel couplings over several scales",
        paper="arXiv:1605.08803",
        default="fashion-mnist",
    )
    register(
        "nice",
        "zoo_glow.models.nice:NICE",
        recipe="zoo_glow.recipes:NICERecipe",
        task="image-generation",
        summary="NICE: additive couplings and one scale a pixel",
        paper="arXiv:1410.8516",
        default="mnist",
    )


@hookimpl
def register_commands(app: typer.Typer) -> None:
    """`zoo glow sample|reconstruct|interpolate|score`."""
    from zoo_glow.commands import register

    register(app)
