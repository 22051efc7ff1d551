"""`zoo remove`: delete a model's downloaded weights."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

app = typer.Typer(add_completion=False)


@app.command("remove", epilog=examples("zoo remove glow:fashion-mnist", "zoo remove glow --dry-run"))
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model or a preset.", autocompletion=complete.models)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted and change nothing.")] = False,
) -> None:
    """Delete downloaded weights.

    zoo pull gets them again. Weights that a plugin brings along go with it: zoo uninstall.
    """
    from zoo_core import cache, index
    from zoo_core.errors import NameNotFoundError
    from zoo_core.text import human_size

    plugin, model, preset = index.find_preset(name)
    wanted = f"{plugin.name}/{preset.name if preset else model.name}"
    entry = next((entry for entry in cache.entries() if entry.name == wanted), None)
    if entry is None:
        raise NameNotFoundError(f"the weights {wanted} are not on this disk", "zoo cache list")
    output.note(f"delete {entry.path} ({human_size(entry.preset.size)})")
    if dry_run:
        return
    if entry.source == "hub" and not yes:
        output.confirm("Delete it?")
    print(f"deleted, {human_size(cache.remove(entry))} freed")
