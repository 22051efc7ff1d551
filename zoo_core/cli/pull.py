"""`zoo pull`: make a model ready to use."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

if TYPE_CHECKING:
    from zoo_core.pulling import Plan, Pulled
    from zoo_core.records import File

app = typer.Typer(add_completion=False)


@app.command(
    "pull", epilog=examples("zoo pull glow", "zoo pull realnvp:fashion-mnist --dry-run", "zoo pull glow --yes --json")
)
def pull(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A model or a preset, or the path of a preset's folder.",
            autocompletion=complete.models,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Install the plugin without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Get a model, ready to use.

    Installs its plugin if need be, downloads its weights if need be, and checks size and sha256 of every file.
    """
    from zoo_core.names import is_path
    from zoo_core.pulling import plan
    from zoo_core.pulling import pull as pull_model

    if dry_run and not is_path(name):
        _show_plan(plan(name), as_json)
        return
    pulled = pull_model(name, confirm=partial(_confirm, yes))
    if as_json:
        output.show_json(_document(pulled))
    else:
        _show(pulled)


def _confirm(yes: bool, plan: Plan) -> bool:
    if plan.install:
        output.describe("install", plan.install)
        if not yes:
            output.confirm("Install it?")
    return True


def _show_plan(plan: Plan, as_json: bool) -> None:
    from zoo_core.text import human_size

    preset, install = plan.preset, plan.install
    if as_json:
        files = preset.files if preset else ()
        document = _header(plan.model.name, preset.variant if preset else None, preset.revision if preset else None)
        commands = [list(command) for command in install.commands] if install else []
        output.show_json(
            {**document, "source": plan.source, "install": commands, "download": plan.download, **_files(files)}
        )
        return
    if install:
        output.describe("install", install)
    if preset is None:
        print(f"{plan.plugin.name}/{plan.model.name} has no trained weights")
    elif plan.download:
        print(f"download {human_size(plan.download)}: {preset.repo} at {preset.revision}")
    print(f"check size and sha256 of {', '.join(file.name for file in preset.files)}" if preset else "nothing to check")


def _show(pulled: Pulled) -> None:
    from zoo_core.text import human_size, plural

    name = f"{pulled.name}:{pulled.variant}" if pulled.variant else pulled.name
    if pulled.path is None:
        print(f"{name} is ready; it has no trained weights")
        return
    size = human_size(sum(file.size for file in pulled.files))
    print(f"{name} is ready: {plural(len(pulled.files), 'file')}, {size}, {pulled.source}, checked\n{pulled.path}")


def _document(pulled: Pulled) -> dict[str, Any]:
    path = str(pulled.path) if pulled.path else None
    document = _header(pulled.name, pulled.variant, pulled.revision)
    return {**document, "source": pulled.source, "path": path, **_files(pulled.files)}


def _header(name: str, variant: str | None, revision: str | None) -> dict[str, Any]:
    return {"name": name, "variant": variant, "revision": revision or None}


def _files(files: Iterable[File]) -> dict[str, Any]:
    return {"files": [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in files]}
