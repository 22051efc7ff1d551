"""`zoo doctor`: what may be wrong here."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from zoo_core.cli import output
from zoo_core.cli.output import examples

if TYPE_CHECKING:
    from rich.console import Console

    from zoo_core.doctor import Finding

app = typer.Typer(add_completion=False)

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


@app.command("doctor", epilog=examples("zoo doctor", "zoo doctor --no-network", "zoo doctor --refresh --json"))
def doctor(
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Try every plugin and the backend again, even unchanged ones.")
    ] = False,
    no_network: Annotated[bool, typer.Option("--no-network", help="Don't try who can be reached.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check the installation, and say what mends it.

    Python, Keras and its backend, settings, every plugin, conflicts, weights, and who can be reached; each plugin is
    loaded in a process of its own. Fails where something is broken.
    """
    from zoo_core.doctor import diagnose

    diagnosis = diagnose(refresh, network=not no_network)
    if as_json:
        findings = list(diagnosis)
        output.show_json([asdict(finding) for finding in findings])
    elif sys.stdout.isatty():
        findings = _show(diagnosis)
    else:
        findings = list(diagnosis)
        rows = [[finding.check, finding.status, _on_one_line(finding)] for finding in findings]
        output.show_table(("check", "status", "found"), rows)
        output.note(_summary(findings))
    if any(finding.status == "error" for finding in findings):
        raise typer.Exit(1)


def _show(diagnosis: Iterable[Finding]) -> list[Finding]:
    """The findings as they come, under headings, on a terminal of any width."""
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, markup=False)
    findings: list[Finding] = []
    with console.status("looking..."):
        for finding in diagnosis:
            if not findings or findings[-1].section != finding.section:
                console.print(Text(finding.section.capitalize(), style="bold"))
            _show_finding(console, finding)
            findings.append(finding)
    worst = next((status for status in ("error", "warning") if any(each.status == status for each in findings)), "ok")
    console.print(Text(_summary(findings), style=_STYLES[worst]))
    return findings


def _show_finding(console: Console, finding: Finding) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(width=9, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(Text(f"  {finding.status}", style=_STYLES[finding.status]), Text(finding.detail))
    if finding.fix:
        grid.add_row("", Text.assemble(("fix: ", "dim"), finding.fix))
    console.print(grid)


def _on_one_line(finding: Finding) -> str:
    return f"{finding.detail} (fix: {finding.fix})" if finding.fix else finding.detail


def _summary(findings: Iterable[Finding]) -> str:
    from zoo_core.text import plural

    counts = Counter(finding.status for finding in findings)
    troubles = [plural(counts[status], status) for status in ("error", "warning") if counts[status]]
    return ", ".join(troubles) or "All is well."
