"""`zoo doctor`: what may be wrong here."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo_core.cli import output
from zoo_core.cli.output import examples

app = typer.Typer(add_completion=False)


@app.command("doctor", epilog=examples("zoo doctor", "zoo doctor --refresh", "zoo doctor --json"))
def doctor(
    refresh: Annotated[bool, typer.Option("--refresh", help="Load every plugin again, even an unchanged one.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check the installation.

    Python, Keras, its backends, the folders, every plugin, the weights; fails where something is broken.
    """
    from dataclasses import asdict

    from zoo_core.doctor import diagnose

    findings = list(diagnose(refresh))
    if as_json:
        output.show_json([asdict(finding) for finding in findings])
    else:
        rows = [
            [each.check, each.status, f"{each.detail} ({each.fix})" if each.fix else each.detail] for each in findings
        ]
        output.show_table(("check", "status", "found"), rows)
    if any(finding.status == "error" for finding in findings):
        raise typer.Exit(1)
