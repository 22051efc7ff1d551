"""What the metric-learning plugin provides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo_core import hookimpl
from zoo_metric_learning.catalogue import COMPONENTS

if TYPE_CHECKING:
    import typer

    from zoo_core.hooks import RegisterComponent, RegisterModel


@hookimpl
def register_losses(register: RegisterComponent) -> None:
    """Losses over embeddings."""
    for name, (module, example) in COMPONENTS["losses"].items():
        register(name, f"zoo_metric_learning.{module}:{name}", example=example)


@hookimpl
def register_layers(register: RegisterComponent) -> None:
    """Losses that hold state, as layers."""
    for name, (module, example) in COMPONENTS["layers"].items():
        register(name, f"zoo_metric_learning.{module}:{name}", example=example)


@hookimpl
def register_models(register: RegisterModel) -> None:
    """A ranker of answers, and a classifier whose features have centers."""
    register(
        "faq-ranker",
        "zoo_metric_learning.models.faq_ranker:FaqRanker",
        recipe="zoo_metric_learning.recipes.faq:FaqRecipe",
        task="sentence-similarity",
        summary="Two encoders of words over one embedding find the answer to a question",
        paper="https://kexue.fm/archives/4493",
        default="qa-medical-zh",
        example="zoo_metric_learning.examples.models:faq_ranker",
    )
    register(
        "center-classifier",
        "zoo_metric_learning.models.center_classifier:CenterClassifier",
        recipe="zoo_metric_learning.recipes.centers:CenterRecipe",
        task="image-classification",
        summary="A convolutional classifier with two features, drawn to a center for each class",
        paper="https://kexue.fm/archives/4493",
        default="fashion-mnist",
        example="zoo_metric_learning.examples.models:center_classifier",
    )


@hookimpl
def register_commands(app: typer.Typer) -> None:
    """`zoo metric-learning ask|scatter`."""
    from zoo_metric_learning.commands import register

    register(app)
