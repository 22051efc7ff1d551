"""What the plugin provides."""

from zoo_core import hookimpl
from zoo_core.conformance import Example


@hookimpl
def register_losses(register):
    """A loss, tried with the usual labels."""
    register("Quartic", "zoo_coral.parts:Quartic")


@hookimpl
def register_layers(register):
    """A layer with weights, one that draws random numbers, one of several inputs."""
    register("Scale", "zoo_coral.parts:Scale", example={"units": 3})
    register("Noise", "zoo_coral.parts:Noise", example=Example(input_shape=(4,)))
    register("Blend", "zoo_coral.parts:Blend", example="zoo_coral.examples:blend")


@hookimpl
def register_optimizers(register):
    """An optimizer with state of its own, and a training step."""
    register("Drift", "zoo_coral.parts:Drift")
    register("Swell", "zoo_coral.parts:Swell", example={"height": 2.0})


@hookimpl
def register_callbacks(register):
    """A callback with a state that lasts."""
    register("Tide", "zoo_coral.parts:Tide")


@hookimpl
def register_models(register):
    """A model."""
    register(
        "coral",
        "zoo_coral.parts:Reef",
        recipe="zoo_coral.parts:ReefRecipe",
        task="testing",
        example=Example({"units": 3, "gain": 2.0}, input_shape=(4,)),
    )


@hookimpl
def register_commands(app):
    """`zoo coral count`."""

    @app.command()
    def count() -> None:
        """Count the corals."""
        print(0)
