"""`zoo registry`: other people's lists of plugins, and the one that a checkout of the zoo keeps, `registry.toml`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.groups import Group
from zoo_core.cli.output import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo_core.known_registries import Found, State
    from zoo_core.records import Plugin

app = typer.Typer(
    add_completion=False,
    cls=Group,
    help="Lists of plugins: those that others keep, and registry.toml.",
    epilog=examples("zoo registry list", "zoo registry add https://example.org/registry.toml --name example"),
)

_MOST_SHOWN = 50

Root = Annotated[Path, typer.Argument(metavar="PATH", help="The checkout, with the plugins in plugins/.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@app.command("list", epilog=examples("zoo registry list", "zoo registry list --json"))
def list_registries(as_json: Json = False) -> None:
    """List the registries that are asked for plugins.

    In the order in which they count, ours first; each as it was copied last.
    """
    from zoo_core import known_registries

    rows = [_ours(), *map(_row, known_registries.states())]
    if as_json:
        output.show_json(rows)
        return
    cells = [[row["name"], str(row["plugins"]), row["updated"] or "", row["location"]] for row in rows]
    output.show_table(("registry", "plugins", "copied", "location"), cells)
    for row in rows:
        if row["problem"]:
            output.note(f"{row['problem']} (zoo registry update {row['name']})")


@app.command(
    "add",
    epilog=examples(
        "zoo registry add https://example.org/registry.toml", "zoo registry add ../their-zoo --name theirs --yes"
    ),
)
def add(
    location: Annotated[
        str, typer.Argument(metavar="URL-or-PATH", help="An https:// address, a registry.toml, or the folder of one.")
    ],
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What to call it here; if left out, after its host or folder.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what it knows and change nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Add a registry that others keep.

    Its plugins are listed from then on, and can be installed; nothing is installed by adding it.
    """
    from zoo_core import known_registries

    found = known_registries.look(location, name)
    if not (as_json and (yes or dry_run)):
        _describe(found)
    if not (yes or dry_run):
        output.confirm("Add it?")
    if not dry_run:
        known_registries.add(found)
    if as_json:
        output.show_json({**_found_document(found), "done": not dry_run})
    elif not dry_run:
        print(f"registry {found.registry.name} is added; zoo list shows its plugins")


@app.command("remove", epilog=examples("zoo registry remove example"))
def remove(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="As zoo registry list shows it.", autocompletion=complete.registries),
    ],
    as_json: Json = False,
) -> None:
    """Forget a registry.

    Plugins that were installed from it stay installed.
    """
    from zoo_core import known_registries

    gone = known_registries.remove(name)
    if as_json:
        output.show_json({"name": gone.name, "location": gone.location})
    else:
        print(f"registry {gone.name}, {gone.location}, is forgotten; plugins from it stay installed")


@app.command("update", epilog=examples("zoo registry update", "zoo registry update example --json"))
def update(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="If left out, all.", autocompletion=complete.registries),
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy the registries anew.

    Nothing else does: all other commands work with the copies. Where one cannot be read, its last copy stays.
    """
    from zoo_core import known_registries
    from zoo_core.errors import ZooError

    results = known_registries.update(names or ())
    rows = [
        {
            "name": registry.name,
            "location": registry.location,
            "plugins": None if isinstance(result, ZooError) else len(result.plugins),
            "problem": result.message if isinstance(result, ZooError) else "",
        }
        for registry, result in results
    ]
    if as_json:
        output.show_json(rows)
    else:
        _show_updated(rows)
    raise typer.Exit(1 if any(row["problem"] for row in rows) else 0)


@app.command(
    "entry",
    epilog=examples(
        "zoo registry entry dist/zoo_a-1.0-py3-none-any.whl --url https://example.org/zoo_a-1.0-py3-none-any.whl"
    ),
)
def entry(
    wheel: Annotated[Path, typer.Argument(metavar="WHEEL", help="The wheel, as it was published.")],
    url: Annotated[str, typer.Option(metavar="URL", help="The address that it can be downloaded from.")],
    write: Annotated[bool, typer.Option("--write", help="Add it to registry.toml.")] = False,
    root: Annotated[Path, typer.Option(metavar="PATH", help="The checkout whose registry.toml is meant.")] = Path(),
) -> None:
    """Print a plugin's entry for registry.toml.

    For a plugin that is kept elsewhere: out of its wheel, with the wheel's address and sha256.
    """
    from zoo_core import registry_entries, registry_file
    from zoo_core.files import replace_text

    plugin = registry_entries.entry(wheel, url)
    if not write:
        print(registry_entries.render(plugin), end="")
        return
    path = root / registry_file.FILE_NAME
    replace_text(path, registry_entries.with_entry(root, plugin))
    print(f"{path} has an entry of {plugin.name}, {plugin.distribution} {plugin.version}")


@app.command("build", epilog=examples("zoo registry build"))
def build(root: Root = Path()) -> None:
    """Write registry.toml.

    Out of plugins/*/pyproject.toml and the manifests; the entries of plugins that are kept elsewhere stay.
    """
    from zoo_core import registry_entries, registry_file
    from zoo_core.files import replace_text

    path = root / registry_file.FILE_NAME
    replace_text(path, registry_entries.build(root))
    print(f"{path} is written")


@app.command("check", epilog=examples("zoo registry check", "zoo registry check --json"))
def check(root: Root = Path(), as_json: Json = False) -> None:
    """Fail where registry.toml is not up to date."""
    from zoo_core import registry_entries, registry_file

    path = root / registry_file.FILE_NAME
    if as_json:
        current = registry_entries.is_current(root)
        output.show_json({"path": str(path), "current": current})
        raise typer.Exit(0 if current else 1)
    registry_entries.check(root)
    print(f"{path} is up to date")


def _ours() -> dict[str, Any]:
    from zoo_core import paths, registry_file
    from zoo_core.errors import RegistryError
    from zoo_core.records import OURS

    path, known, problem = paths.registry_path(), 0, ""
    try:
        known = len(registry_file.read(path)) if path else 0
    except RegistryError as error:
        problem = error.message
    return {"name": OURS, "location": str(path or ""), "plugins": known, "updated": None, "problem": problem}


def _row(state: State) -> dict[str, Any]:
    return {
        "name": state.registry.name,
        "location": state.registry.location,
        "plugins": len(state.plugins),
        "updated": state.updated.isoformat(timespec="seconds") if state.updated else None,
        "problem": state.problem,
    }


def _describe(found: Found) -> None:
    """Say, on stderr, who would be trusted with what."""
    output.note(f"registry {found.registry.name}: {found.registry.location}")
    output.note("Whoever keeps it says from then on what `zoo install` and `zoo pull` install by the names in it:")
    rows = _found_document(found)["plugins"]
    for row in rows[:_MOST_SHOWN]:
        source = " ".join(filter(None, (row["source"]["kind"], row["source"]["value"])))
        output.note(f"  {row['plugin']}: {row['distribution']} {row['version']}, {source}")
        for warning in row["warnings"]:
            output.note(f"    careful: {warning}")
        if row["hidden_by"]:
            output.note(f"    not used: the registry '{row['hidden_by']}' has that name already")
    if len(rows) > _MOST_SHOWN:
        output.note(f"  and {len(rows) - _MOST_SHOWN} more: zoo registry add --dry-run --json shows all")


def _found_document(found: Found) -> dict[str, Any]:
    from dataclasses import asdict

    from zoo_core import index, known_registries, lookalikes
    from zoo_core.records import OURS

    entries = (*index.registered_plugins(), *found.plugins)
    hidden = {plugin.name: rival.registry or OURS for plugin, rival in known_registries.doubles(entries)}
    trusted = [plugin for plugin in index.plugins() if plugin.installed or not plugin.registry]

    def described(plugin: Plugin) -> dict[str, Any]:
        return {
            "plugin": plugin.name,
            "distribution": plugin.distribution,
            "version": plugin.version,
            "source": asdict(plugin.source) if plugin.source else None,
            "warnings": list(lookalikes.warnings(plugin, trusted)),
            "hidden_by": hidden.get(plugin.name),
        }

    registry = found.registry
    return {
        "name": registry.name,
        "location": registry.location,
        "plugins": [described(each) for each in found.plugins],
    }


def _show_updated(rows: Sequence[dict[str, Any]]) -> None:
    from zoo_core.text import plural

    if not rows:
        output.note("No registry was added; ours comes with zoo-core.")
    for row in rows:
        if row["problem"]:
            output.note(f"{row['name']}: the last copy stays: {row['problem']}")
        else:
            print(f"{row['name']}: {plural(row['plugins'], 'plugin')}")
