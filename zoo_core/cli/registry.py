"""`zoo registry`: keep `registry.toml`, the list of the plugins that there are, as their manifests are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo_core.cli import output
from zoo_core.cli.groups import Group
from zoo_core.cli.output import examples

app = typer.Typer(
    add_completion=False,
    cls=Group,
    help="For maintainers: the list of plugins, registry.toml.",
    epilog=examples("zoo registry build"),
)

Root = Annotated[Path, typer.Argument(metavar="PATH", help="The checkout, with the plugins in plugins/.")]


@app.command("build", epilog=examples("zoo registry build"))
def build(root: Root = Path()) -> None:
    """Write registry.toml.

    Out of plugins/*/pyproject.toml and the manifests.
    """
    from zoo_core import registry_file
    from zoo_core.files import replace_text

    replace_text(root / registry_file.FILE_NAME, registry_file.build(root))
    print(f"{root / registry_file.FILE_NAME} is written")


@app.command("check", epilog=examples("zoo registry check", "zoo registry check --json"))
def check(
    root: Root = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fail where registry.toml is not up to date."""
    from zoo_core import registry_file

    path = root / registry_file.FILE_NAME
    if as_json:
        current = registry_file.is_current(root)
        output.show_json({"path": str(path), "current": current})
        raise typer.Exit(0 if current else 1)
    registry_file.check(root)
    print(f"{path} is up to date")
