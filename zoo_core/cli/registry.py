"""`zoo registry`: keep `registry.toml`, the list of the plugins that there are, as their manifests are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo_core.cli.groups import Group
from zoo_core.cli.output import examples

app = typer.Typer(add_completion=False, cls=Group, help="For maintainers: the list of plugins, registry.toml.")

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


@app.command("check", epilog=examples("zoo registry check"))
def check(root: Root = Path()) -> None:
    """Fail where registry.toml is not up to date."""
    from zoo_core import registry_file

    registry_file.check(root)
    print(f"{root / registry_file.FILE_NAME} is up to date")
