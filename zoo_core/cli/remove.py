"""`zoo remove`: delete a model's downloaded weights."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

app = typer.Typer(add_completion=False)


@app.command("remove", epilog=examples("zoo remove MODEL:VARIANT --dry-run", "zoo remove MODEL:VARIANT --yes"))
def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A model or a preset.", autocompletion=complete.models)],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Delete downloaded weights.

    Those that zoo cache list says are from the hub; zoo pull gets them again.
    Weights that are bundled with a plugin go with it alone: zoo uninstall.
    """
    from zoo_core import cache, index
    from zoo_core.errors import NameNotFoundError
    from zoo_core.text import clean, human_size

    plugin, _, preset = index.find_preset(name)
    entry = next((entry for entry in cache.entries() if (entry.plugin, entry.preset) == (plugin.name, preset)), None)
    if entry is None:
        raise NameNotFoundError(f"there are no weights of '{clean(name)}' on this disk", "zoo cache list")
    cache.check_removable(entry)
    size = human_size(entry.preset.size)
    if not as_json:
        output.note(f"delete {entry.path} ({size})")
    if not dry_run:
        if not yes:
            output.confirm(f"Delete {entry.name} ({size})?")
        cache.remove(entry)
    if as_json:
        document = {"name": entry.name, "path": str(entry.path), "size": entry.preset.size, "deleted": not dry_run}
        output.show_json(document)
    elif not dry_run:
        print(f"deleted {entry.name}, {size}")
