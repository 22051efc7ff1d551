"""`zoo cache`: the trained weights on this disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo_core.cli import output
from zoo_core.cli.groups import Group
from zoo_core.cli.output import examples

if TYPE_CHECKING:
    from zoo_core.cache import Entry, Leftover

app = typer.Typer(
    add_completion=False,
    cls=Group,
    help="Look at, check and tidy up the weights here.",
    epilog=examples("zoo cache list", "zoo cache verify"),
)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

_NONE = "No weights are here yet; zoo pull gets some."


@app.command("list", epilog=examples("zoo cache list", "zoo cache list --json"))
def list_weights(as_json: Json = False) -> None:
    """List the weights that are here.

    Bundled with an installed plugin, or downloaded, from the Hub or a mirror.
    """
    from zoo_core import cache
    from zoo_core.text import human_size

    entries = cache.entries()
    if as_json:
        output.show_json([_row(entry) for entry in entries])
    elif entries:
        cells = [
            [entry.name, entry.source, human_size(entry.size), _state(entry), str(entry.path)] for entry in entries
        ]
        output.show_table(("preset", "source", "size", "state", "folder"), cells)
    else:
        output.note(_NONE)
    leftovers = () if as_json else cache.leftovers()
    if leftovers:
        size = human_size(sum(leftover.size for leftover in leftovers))
        output.note(f"\n{size} of this or of unfinished downloads is needed by nothing: zoo cache prune --dry-run")


@app.command("verify", epilog=examples("zoo cache verify", "zoo cache verify --json"))
def verify(as_json: Json = False) -> None:
    """Check size and sha256 of every file.

    What is damaged is named, with the command that mends it: zoo pull gets a damaged file again. Superseded revisions
    are passed over.
    """
    from zoo_core import cache
    from zoo_core.errors import IntegrityError

    rows: list[dict[str, Any]] = []
    for entry in cache.entries():
        if entry.superseded:
            continue
        row: dict[str, Any] = {"name": entry.name, "source": entry.source, "error": None, "fix": ""}
        try:
            cache.verify(entry)
        except IntegrityError as error:
            row |= {"error": error.message, "fix": error.fix}
        rows.append(row)
    if as_json:
        output.show_json(rows)
    elif rows:
        cells = [[row["name"], "error" if row["error"] else "ok", _reason(row)] for row in rows]
        output.show_table(("preset", "status", "reason"), cells)
    else:
        output.note(_NONE)
    if any(row["error"] for row in rows):
        raise typer.Exit(1)


@app.command("prune", epilog=examples("zoo cache prune --dry-run", "zoo cache prune --yes"))
def prune(
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Delete weights that nothing needs any more.

    Revisions that a plugin has replaced, downloads that were given up, blobs that no revision has. What other programs
    keep in the Hub's cache stays, and so does what they got by a branch or a tag.
    """
    from zoo_core import cache
    from zoo_core.text import human_size

    leftovers = cache.leftovers()
    size = human_size(sum(leftover.size for leftover in leftovers))
    if not as_json:
        lines = [f"{each.kind:<11} {human_size(each.size):>8}  {each.name}" for each in leftovers]
        output.note("\n".join([*lines, f"{size} to delete" if lines else "Nothing to delete."]))
    if leftovers and not dry_run:
        if not yes:
            output.confirm("Delete all of this?")
        cache.delete(leftovers)
    if as_json:
        rows = [_leftover_row(leftover) for leftover in leftovers]
        output.show_json({"deleted": [] if dry_run else rows, "would_delete": rows if dry_run else []})
    elif leftovers and not dry_run:
        print(f"deleted {size}")


def _reason(row: dict[str, Any]) -> str:
    reason = row["error"] or ""
    return f"{reason} (fix: {row['fix']})" if reason and row["fix"] else reason


def _state(entry: Entry) -> str:
    if entry.superseded:
        return "superseded"
    return "complete" if entry.complete else "incomplete"


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "source": entry.source,
        "path": str(entry.path),
        "repo": entry.preset.repo,
        "revision": entry.preset.revision or None,
        "size": entry.size,
        "complete": entry.complete,
        "superseded": entry.superseded,
    }


def _leftover_row(leftover: Leftover) -> dict[str, Any]:
    return {"kind": leftover.kind, "name": leftover.name, "path": str(leftover.path), "size": leftover.size}
