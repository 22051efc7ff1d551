"""`zoo list`: the models there are, installed or not."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

if TYPE_CHECKING:
    from zoo_core.listing import Row

app = typer.Typer(add_completion=False)


@app.command(
    "list", epilog=examples("zoo list", "zoo list flow --installed", "zoo list --task image-generation --json")
)
def list_models(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORDS", help="Only models with all of these in their name, task or summary."),
    ] = None,
    installed: Annotated[bool, typer.Option("--installed", help="Only models of installed plugins.")] = False,
    task: Annotated[
        str, typer.Option(metavar="TASK", help="Only models for this task.", autocompletion=complete.tasks)
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List the models, installed or not.

    Each with its task, its state and its trained weights; a broken plugin with the reason. What could be installed from
    a registry that isn't ours has its name beside it.
    """
    from zoo_core import listing

    rows = listing.list_models(words or (), installed, task)
    if as_json:
        output.show_json(rows)
    elif rows:
        count = Counter(row["name"] for row in rows)
        cells = [_cells(row, unique=count[row["name"]] == 1) for row in rows]
        output.show_table(("model", "task", "status", "weights", "summary"), cells)
    else:
        output.note("No model matches." if words or installed or task else "No plugin is known here.")


def _cells(row: Row, unique: bool) -> list[str]:
    name = row["name"] if unique else f"{row['plugin']}/{row['name']}"
    weights = ", ".join(preset["variant"] for preset in row["presets"])
    status = output.status(row)
    if row["registry"] and status == "available":
        status = f"available ({row['registry']})"
    return [name, row["task"], status, weights, row["broken"] or row["summary"]]
