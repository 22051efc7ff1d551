"""`zoo remove`: delete a model's downloaded weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

if TYPE_CHECKING:
    from zoo_core.cache import Entry

app = typer.Typer(add_completion=False)


@app.command("remove", epilog=examples("zoo remove MODEL:VARIANT --dry-run", "zoo remove MODEL:VARIANT --yes"))
def remove(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="A model, a preset, or hf://OWNER/NAME@REVISION as zoo cache list has it.",
            autocompletion=complete.downloaded,
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted and change nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Delete downloaded weights.

    Those that zoo cache list says are from the hub or a mirror; zoo pull gets them again.
    Weights that are bundled with a plugin go with it alone: zoo uninstall.
    """
    from zoo_core import cache
    from zoo_core.errors import NameNotFoundError
    from zoo_core.names import is_hub_reference
    from zoo_core.text import clean, human_size

    found = cache.removable(_downloaded(name) if is_hub_reference(name) else _of_a_plugin(name))
    if not found:
        raise NameNotFoundError(f"there are no weights of '{clean(name)}' on this disk", "zoo cache list")
    paths, size = [str(entry.path) for entry in found], cache.size_of(found)
    if not as_json:
        output.note("\n".join(f"delete {path}" for path in paths) + f" ({human_size(size)})")
    if not dry_run:
        if not yes:
            output.confirm(f"Delete {found[0].name} ({human_size(size)})?")
        cache.remove(found)
    if as_json:
        output.show_json({"name": found[0].name, "paths": paths, "size": size, "deleted": not dry_run})
    elif not dry_run:
        print(f"deleted {found[0].name}, {human_size(size)}")


def _of_a_plugin(name: str) -> list[Entry]:
    """Where the preset that a name means lies."""
    from zoo_core import cache, index

    plugin, _, preset = index.find_preset(name)
    return [each for each in cache.entries() if (each.plugin, each.preset) == (plugin.name, preset)]


def _downloaded(name: str) -> list[Entry]:
    """What lies here of a repository, at one revision or, where none is named, at each that no plugin pins."""
    from zoo_core import cache
    from zoo_core.names import is_hub_reference, parse_hub_reference

    wanted = parse_hub_reference(name, unpinned=True)
    return [
        entry
        for entry in cache.entries()
        if entry.snapshot
        and entry.preset.repo == wanted.repo
        and (entry.preset.revision == wanted.revision if wanted.revision else is_hub_reference(entry.name))
    ]
