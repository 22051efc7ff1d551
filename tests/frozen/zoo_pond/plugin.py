from zoo_core import hookimpl


@hookimpl
def register_losses(register):
    register("HalfSquaredError", "zoo_pond.losses:HalfSquaredError")


@hookimpl
def register_layers(register):
    register("Maxout", "zoo_pond.layers:Maxout", summary="The largest of several linear maps")


@hookimpl
def register_optimizers(register):
    register("SignDescent", "zoo_pond.optimizers:SignDescent")


@hookimpl
def register_callbacks(register):
    from zoo_pond.callbacks import StepCounter

    register("StepCounter", StepCounter)


@hookimpl
def register_models(register):
    register(
        "pond",
        "zoo_pond.models:Pond",
        recipe="zoo_pond.recipe:PondRecipe",
        task="image-classification",
        summary="A maxout layer and a linear one",
        paper="arXiv:1302.4389",
        default="ponds",
    )


@hookimpl
def register_commands(app):
    from zoo_pond.commands import count

    app.command()(count)
