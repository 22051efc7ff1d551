"""`zoo freeze`: write down which plugins and weights there are here, to have the same elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zoo_core.cli import output
from zoo_core.cli.output import examples

app = typer.Typer(add_completion=False)


@app.command("freeze", epilog=examples("zoo freeze", "zoo freeze --output zoo.lock"))
def freeze(
    path: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write this file, in place of showing it.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write down the plugins and weights that are here.

    Versions, revisions, and size and sha256 of every file, which is read and checked. `zoo pull --from FILE` gets
    exactly that, on this machine or another.
    """
    from dataclasses import asdict

    from zoo_core import index, lock
    from zoo_core.errors import DiskError
    from zoo_core.files import replace_text
    from zoo_core.names import shown_path
    from zoo_core.text import plural

    for plugin in index.plugins():
        if plugin.installed and plugin.broken:
            output.note(f"left out: plugin {plugin.name}, {plugin.broken}")
    frozen = lock.freeze()
    if path:
        try:
            replace_text(path, lock.render(frozen))
        except OSError as error:
            raise DiskError(f"{shown_path(path)} cannot be written: {error.strerror or error}") from error
    if as_json:
        output.show_json(asdict(frozen))
    elif path:
        print(f"{path} lists {plural(len(frozen.plugins), 'plugin')} and {plural(len(frozen.presets), 'preset')}")
    else:
        print(lock.render(frozen), end="")
