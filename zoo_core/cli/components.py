"""`zoo components`: the losses, layers, optimizers and callbacks that plugins provide."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

app = typer.Typer(add_completion=False)


@app.command("components", epilog=examples("zoo components", "zoo components layers", "zoo components losses --json"))
def components(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="losses, layers, optimizers or callbacks; all without one.",
            autocompletion=complete.kinds,
        ),
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List losses, layers, optimizers and callbacks.

    Any Keras model can use them: zoo_core.layers["glow/ActNorm"].
    """
    from zoo_core import listing

    rows = listing.list_components(kind)
    if as_json:
        output.show_json(rows)
    elif rows:
        cells = [[row["kind"], f"{row['plugin']}/{row['name']}", row["summary"]] for row in rows]
        output.show_table(("kind", "name", "summary"), cells)
    else:
        output.note("No plugin provides any.")
