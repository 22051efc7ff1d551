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
    from zoo_core.records import File, Preset

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
        output.describe(plan.install)
        if not yes:
            output.confirm("Install it?")
    return True


def _show_plan(plan: Plan, as_json: bool) -> None:
    if as_json:
        output.show_json(_plan_document(plan))
        return
    if plan.install:
        output.describe(plan.install)
    if plan.preset:
        print(_whereabouts(plan, plan.preset))
        print(f"check size and sha256 of {', '.join(file.name for file in plan.preset.files)}")
    else:
        print(f"{plan.plugin.name}/{plan.model.name} has no trained weights to get")


def _whereabouts(plan: Plan, preset: Preset) -> str:
    """Where a preset's weights are, or have to come from."""
    from zoo_core.text import human_size

    name, size = preset.name, human_size(preset.size)
    if plan.source == "hub" and not plan.present:
        return f"{name}: {size} ({preset.size} bytes) to download from the Hub, {preset.repo} at {preset.revision}"
    if plan.source == "hub":
        return f"{name}: {size}, downloaded already"
    here = "they are here already" if plan.present else "they come with it"
    return f"{name}: {size}, bundled with the plugin '{plan.plugin.name}': {here}"


def _show(pulled: Pulled) -> None:
    from zoo_core.text import human_size, plural

    name = f"{pulled.name}:{pulled.variant}" if pulled.variant else pulled.name
    if pulled.path is None:
        print(f"{name} is ready; it has no trained weights")
        return
    size = human_size(sum(file.size for file in pulled.files))
    print(f"{name} is ready: {plural(len(pulled.files), 'file')}, {size}, {pulled.source}, checked\n{pulled.path}")


def _document(pulled: Pulled) -> dict[str, Any]:
    return {
        "name": pulled.name,
        "variant": pulled.variant,
        "revision": pulled.revision,
        "source": pulled.source,
        "path": str(pulled.path) if pulled.path else None,
        "files": _files(pulled.files),
    }


def _plan_document(plan: Plan) -> dict[str, Any]:
    preset = plan.preset
    return {
        "name": plan.model.name,
        "variant": preset.variant if preset else None,
        "revision": (preset.revision or None) if preset else None,
        "source": plan.source,
        "install": [list(command) for command in plan.install.commands] if plan.install else [],
        "download": plan.download,
        "files": _files(preset.files if preset else ()),
    }


def _files(files: Iterable[File]) -> list[dict[str, Any]]:
    return [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in files]
