"""`zoo cache`: the trained weights on this disk."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo_core.cli import output
from zoo_core.cli.groups import Group
from zoo_core.cli.output import examples

app = typer.Typer(
    add_completion=False,
    cls=Group,
    help="Look at, check and tidy up the weights here.",
    epilog=examples("zoo cache list", "zoo cache verify"),
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("list", epilog=examples("zoo cache list", "zoo cache list --json"))
def list_weights(as_json: Json = False) -> None:
    """List the weights that are here.

    Downloaded from the Hub, or bundled with an installed plugin.
    """
    from zoo_core import cache
    from zoo_core.text import human_size

    entries = cache.entries()
    if as_json:
        rows = [
            {
                "name": entry.name,
                "source": entry.source,
                "path": str(entry.path),
                "size": entry.preset.size,
                "complete": entry.complete,
            }
            for entry in entries
        ]
        output.show_json(rows)
    elif entries:
        cells = [
            [
                entry.name,
                entry.source,
                human_size(entry.preset.size),
                "yes" if entry.complete else "no",
                str(entry.path),
            ]
            for entry in entries
        ]
        output.show_table(("preset", "source", "size", "complete", "folder"), cells)
    else:
        output.note("No weights are here yet; zoo pull gets some.")


@app.command("verify", epilog=examples("zoo cache verify"))
def verify(as_json: Json = False) -> None:
    """Check size and sha256 of every file."""
    from zoo_core import cache
    from zoo_core.errors import IntegrityError

    found: dict[str, str | None] = {}
    for entry in cache.entries():
        try:
            cache.verify(entry)
            found[entry.name] = None
        except IntegrityError as error:
            found[entry.name] = str(error)
    if as_json:
        output.show_json([{"name": name, "error": error} for name, error in found.items()])
    elif found:
        cells = [[name, "error" if error else "ok", error or ""] for name, error in found.items()]
        output.show_table(("preset", "status", "reason"), cells)
    else:
        output.note("No weights are here yet; zoo pull gets some.")
    if any(found.values()):
        raise typer.Exit(1)


@app.command("prune", epilog=examples("zoo cache prune --dry-run", "zoo cache prune --yes"))
def prune(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Delete weights that nothing needs any more.

    Revisions that no plugin refers to, and downloads that were never finished.
    """
    from zoo_core import cache
    from zoo_core.text import human_size

    planned = cache.prune(dry_run=True)
    names = [*planned.revisions, *map(str, planned.unfinished)]
    if not as_json:
        output.note("\n".join([*names, f"{human_size(planned.size)} to delete" if names else "Nothing to delete."]))
    if names and not dry_run:
        if not yes:
            output.confirm("Delete them?")
        cache.prune()
    if as_json:
        output.show_json(
            {"deleted": [] if dry_run else names, "would_delete": names if dry_run else [], "size": planned.size}
        )
