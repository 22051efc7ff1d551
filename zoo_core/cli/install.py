"""`zoo install`: get plugins."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

app = typer.Typer(add_completion=False)


@app.command("install", epilog=examples("zoo install glow", "zoo install ./zoo_glow-0.1.0-py3-none-any.whl --dry-run"))
def install(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="Plugins of the registry, or paths of wheels and projects (./x.whl, ../my-plugin).",
            autocompletion=complete.available_plugins,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
) -> None:
    """Install plugins.

    Into the environment that zoo runs in, with uv where there is one, else with pip.
    """
    from zoo_core import installer
    from zoo_core.index import find_plugin
    from zoo_core.names import is_path

    for name in names:
        if not is_path(name) and find_plugin(name).installed:
            print(f"{name} is installed already")
            continue
        plan = installer.plan_install(name)
        output.describe(plan)
        if dry_run:
            continue
        if not yes:
            output.confirm("Install it?")
        installer.execute(plan)
        print(f"installed {plan.distribution} {plan.version}")
