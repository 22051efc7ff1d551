"""`zoo uninstall`: remove plugins."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

app = typer.Typer(add_completion=False)


@app.command("uninstall", epilog=examples("zoo uninstall glow", "zoo uninstall glow --dry-run --json"))
def uninstall(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME", help="Installed plugins.", autocompletion=complete.installed_plugins),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document: a plan for each name.")] = False,
) -> None:
    """Remove plugins, and the weights that they bring along."""
    from zoo_core import installer

    done = [output.carry_out(installer.plan_uninstall(name), yes, dry_run, as_json) for name in names]
    if as_json:
        output.show_json(done)
