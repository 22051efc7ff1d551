"""`zoo new`: write the project of a new plugin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo_core.cli import output
from zoo_core.cli.output import examples

app = typer.Typer(add_completion=False)


@app.command("new", epilog=examples("zoo new my-plugin", "zoo new my-plugin --out ../my-plugin --dry-run"))
def new(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="The plugin's name: lower-case letters, digits and single '-'.")
    ],
    out: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The project's folder, a new one; zoo-NAME if left out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show which files there would be; write none.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write a new plugin: a package that works, to be changed into yours.

    It has a layer, a loss, a model with a recipe and data to train it on, a command, tests, and workflows that test
    and release it.
    """
    from shlex import quote

    from zoo_core import scaffold
    from zoo_core.names import shown_path

    folder = (out or Path(f"zoo-{name}")).expanduser()
    files = scaffold.plan_project(name, folder) if dry_run else scaffold.write_project(name, folder)
    place = shown_path(folder)
    following = [f"zoo install {quote(place)}", f"zoo check {name}", f"zoo train {name}"]
    if as_json:
        output.show_json(
            {"plugin": name, "folder": place, "files": list(files), "next": following, "done": not dry_run}
        )
        return
    for file in files:
        print(f"{place}/{file}")
    if not dry_run:
        output.note("\n  ".join([f"{place} is written, and works as it is:", *following]))
