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
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document: a plan for each name.")] = False,
) -> None:
    """Install plugins.

    Into the environment that zoo runs in, with uv where there is one, else with pip.
    """
    from zoo_core import installer
    from zoo_core.index import find_plugin
    from zoo_core.names import is_path

    done = []
    for name in names:
        if not is_path(name) and (plugin := find_plugin(name)).installed:
            there = installer.Plan((name,), plugin.distribution, plugin.version, str(plugin.package or ""), ())
            done.append(output.plan_document(there, done=True))
            if not as_json:
                print(f"{name} is installed already")
        else:
            done.append(output.carry_out(installer.plan_install(name), yes, dry_run, as_json))
    if as_json:
        output.show_json(done)
