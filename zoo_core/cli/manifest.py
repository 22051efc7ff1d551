"""`zoo manifest`: keep `zoo-plugin.toml`, the snapshot of what a plugin provides, as its code and weights are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from zoo_core.cli import output
from zoo_core.cli.groups import Group
from zoo_core.cli.output import examples

app = typer.Typer(
    add_completion=False,
    cls=Group,
    help="For authors: a plugin's snapshot, zoo-plugin.toml.",
    epilog=examples("zoo manifest update plugins/glow"),
)

Projects = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PATH", help="Folders of plugins' projects; if left out, those in plugins/, or else this one."
    ),
]


@app.command("update", epilog=examples("zoo manifest update", "zoo manifest update plugins/glow"))
def update(projects: Projects = None) -> None:
    """Write zoo-plugin.toml.

    What the plugin's hooks register, and the trained weights in its presets/ folders, whose cards are written first.
    """
    from zoo_core import manifest, snapshot
    from zoo_core.files import replace_text

    for plugin, folder in _plugins(projects):
        for card, text in snapshot.stale_cards(plugin, folder).items():
            replace_text(card, text)
            print(f"{card} is written")
        path, text = folder / manifest.FILE_NAME, manifest.render(manifest.build(plugin, folder))
        if _is_current(path, text):
            print(f"{path} is up to date")
        else:
            replace_text(path, text)
            print(f"{path} is written")


@app.command("check", epilog=examples("zoo manifest check", "zoo manifest check plugins/glow --json"))
def check(
    projects: Projects = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fail where zoo-plugin.toml or a preset's card is not up to date."""
    from zoo_core import manifest, snapshot
    from zoo_core.errors import ManifestError

    current: dict[str, bool] = {}
    for plugin, folder in _plugins(projects):
        path = folder / manifest.FILE_NAME
        current[str(path)] = _is_current(path, manifest.render(manifest.build(plugin, folder)))
        current |= {str(card): False for card in snapshot.stale_cards(plugin, folder)}
    stale = [path for path, up_to_date in current.items() if not up_to_date]
    if as_json:
        output.show_json([{"path": path, "current": up_to_date} for path, up_to_date in current.items()])
        raise typer.Exit(1 if stale else 0)
    if stale:
        raise ManifestError(f"not up to date: {', '.join(stale)}", "zoo manifest update")
    print("all manifests are up to date")


def _is_current(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _plugins(projects: list[Path] | None) -> Iterator[tuple[str, Path]]:
    """Each plugin's name, and the folder of its import package, where its manifest belongs."""
    import sys

    from zoo_core import backend, packages

    chosen = projects or [file.parent for file in sorted(Path().glob("plugins/*/pyproject.toml"))] or [Path()]
    described = [packages.read(project) for project in chosen]
    backend.loading_notice()
    backend.ensure()
    for package in described:
        for plugin in package.plugins:
            folder = packages.import_folder(package, plugin)
            # The project need not be installed.
            sys.path.insert(0, str(folder.parent.resolve()))
            yield plugin, folder
