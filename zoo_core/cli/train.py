"""`zoo train`: train a model by its plugin's recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

app = typer.Typer(add_completion=False)


@app.command(
    "train",
    epilog=examples(
        "zoo train glow --data mnist",
        "zoo train glow --data ./photos --set epochs=30 --out runs/photos",
        "zoo train glow --data fashion-mnist --init glow:mnist",
    ),
)
def train(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model with a recipe.", autocompletion=complete.models)],
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="A data set's name, a FILE.npz or a FOLDER; the recipe's own if left out.",
            autocompletion=complete.data_sets,
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A setting of the recipe, such as epochs=30."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the run goes; runs/NAME-DATA if left out.")
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(
            metavar="PRESET", help="Weights to start from: a preset's name or folder.", autocompletion=complete.models
        ),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(metavar="N", min=0, help="Stop after so many minutes, ready to go on.")
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start anew, even where the folder holds a run to go on with.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the run's record as one JSON document.")] = False,
) -> None:
    """Train a model by its recipe.

    Where the folder holds this very run, unfinished, it goes on. The folder becomes a preset:
    zoo_core.load("./runs/...") loads it, zoo evaluate measures it.
    """
    from zoo_core import backend, index
    from zoo_core.names import shown_path
    from zoo_core.run_folder import default_folder
    from zoo_core.training import train as train_model

    index.find_model(name)  # a misspelt name is met before seconds are spent on loading Keras
    chosen = _parsed(settings or [])
    backend.loading_notice()
    record = train_model(name, data, chosen, out=out, init=init, resume=not fresh, minutes=minutes)
    if as_json:
        output.show_json(record)
    else:
        place = shown_path(out or default_folder(record["model"], record["settings"]["data"]))
        print(f"{place} is a preset now (measure it: zoo evaluate {place} --record)")


def _parsed(settings: list[str]) -> dict[str, str]:
    from zoo_core.errors import UsageError
    from zoo_core.text import clean

    pairs = [setting.partition("=") for setting in settings]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise UsageError(f"--set {clean(name)}: a setting is written NAME=VALUE", "such as --set epochs=30")
    return {name: value for name, _, value in pairs}
