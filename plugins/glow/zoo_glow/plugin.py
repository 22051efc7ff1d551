"""What the glow plugin provides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo_core import hookimpl
from zoo_core.conformance import Example

if TYPE_CHECKING:
    import typer

IMAGES = Example(input_shape=(8, 8, 2))
VECTORS = Example(input_shape=(6,))

# Layer -> its module within zoo_glow.layers, and how `zoo check` tries it.
LAYERS: dict[str, tuple[str, object]] = {
    "Bijector": ("bijector", Example(base_class=True)),
    "Chain": ("chain", "zoo_glow.examples:chain"),
    "MultiScale": ("chain", "zoo_glow.examples:multi_scale"),
    "InvertibleConv1x1": ("convolution", Example({"seed": 3}, input_shape=(8, 8, 3))),
    "AdditiveCoupling": ("couplings", "zoo_glow.examples:additive_coupling"),
    "AffineCoupling": ("couplings", "zoo_glow.examples:affine_coupling"),
    "Dequantize": ("dequantize", Example(input_shape=(8, 8, 2), input_dtype="uint8")),
    "Logit": ("dequantize", "zoo_glow.examples:unit_interval"),
    "FactorOut": ("factor_out", IMAGES),
    "Gaussianize": ("gaussianize", "zoo_glow.examples:unit_interval"),
    "ConvNetwork": (
        "networks",
        Example({"filters": 4, "depth": 1, "positions": True, "outputs": 2}, input_shape=(8, 8, 2)),
    ),
    "DenseNetwork": ("networks", Example({"units": 4, "outputs": 3}, input_shape=(6,))),
    "ActNorm": ("scaling", IMAGES),
    "DiagonalScale": ("scaling", VECTORS),
    "Flatten": ("shapes", IMAGES),
    "Permute": ("shapes", Example({"order": "random", "seed": 3}, input_shape=(6,))),
    "Squeeze": ("shapes", IMAGES),
    "ChannelSplit": ("splits", Example({"interleave": True}, input_shape=(6,))),
    "CheckerboardSplit": ("splits", Example({"swap": True}, input_shape=(8, 8, 2))),
}


@hookimpl
def register_losses(register: Any) -> None:
    """The negative log-likelihood."""
    register("NegativeLogLikelihood", "zoo_glow.losses:NegativeLogLikelihood", example="zoo_glow.examples:loss")


@hookimpl
def register_layers(register: Any) -> None:
    """Invertible layers, and what they are made of."""
    for name, (module, example) in LAYERS.items():
        register(name, f"zoo_glow.layers.{module}:{name}", example=example)


@hookimpl
def register_callbacks(register: Any) -> None:
    """Callbacks for training flows."""
    register("CollapseGuard", "zoo_glow.callbacks:CollapseGuard", example={"tolerance": 0.5})
    register("SampleSheet", "zoo_glow.callbacks:SampleSheet", example="zoo_glow.examples:sample_sheet")


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
        example="zoo_glow.examples:glow",
    )
    register(
        "realnvp",
        "zoo_glow.models.realnvp:RealNVP",
        recipe="zoo_glow.recipes:RealNVPRecipe",
        task="image-generation",
        summary="RealNVP: checkerboard and channel couplings over several scales",
        paper="arXiv:1605.08803",
        default="fashion-mnist",
        example="zoo_glow.examples:realnvp",
    )
    register(
        "nice",
        "zoo_glow.models.nice:NICE",
        recipe="zoo_glow.recipes:NICERecipe",
        task="image-generation",
        summary="NICE: additive couplings and one scale a pixel",
        paper="arXiv:1410.8516",
        default="mnist",
        example="zoo_glow.examples:nice",
    )


@hookimpl
def register_commands(app: typer.Typer) -> None:
    """`zoo glow sample|reconstruct|interpolate|score`."""
    from zoo_glow.commands import register

    register(app)
