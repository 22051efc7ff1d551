"""What commands show: one JSON document, a table, or a note on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from zoo_core.installer import Plan
    from zoo_core.records import File

_STYLES = {
    "available": "cyan",
    "broken": "bold red",
    "error": "bold red",
    "installed": "green",
    "ok": "green",
    "warning": "yellow",
}
_LEAST_LAST_COLUMN = 24


def examples(*commands: str) -> str:
    """A command's epilog: lines to copy, kept as they are by plain and by rich help."""
    return "\n".join(["\b", "Examples:" if len(commands) > 1 else "Example:", *(f"  {line}" for line in commands)])


def show_json(document: object) -> None:
    """One JSON document on stdout."""
    print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))


def note(message: str) -> None:
    """A line for people, on stderr."""
    print(message, file=sys.stderr, flush=True)


def status(row: Mapping[str, Any]) -> str:
    """A model's or a plugin's state in one word: broken, installed, or available (to be installed)."""
    if row["broken"] or not row["compatible"]:
        return "broken"
    return "installed" if row["installed"] else "available"


def measurements(metrics: Mapping[str, float]) -> list[tuple[str, float, float | None]]:
    """Each metric's name, its value and, where it has one, its standard error."""
    from zoo_core.recipes import STANDARD_ERROR

    names = [name for name in metrics if not name.endswith(STANDARD_ERROR)]
    return [(name, metrics[name], metrics.get(name + STANDARD_ERROR)) for name in names]


def confirm(question: str) -> None:
    """Go on only if a person at a terminal agrees; raises typer.Abort, or UsageError where there is nobody to ask."""
    import typer

    from zoo_core.errors import UsageError

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError("this has to be agreed to, and there is no terminal to ask on", "add --yes")
    typer.confirm(question, abort=True, err=True)


def describe(plan: Plan) -> None:
    """Say, on stderr, what is to be installed or uninstalled, where it comes from or lies, and by which commands."""
    note(f"{plan.action} {plan.distribution} {plan.version} (plugin {', '.join(plan.plugins)})")
    if plan.registry:
        note(f"registry: {_described_registry(plan.registry)}")
    note(f"from {plan.origin}")
    for warning in plan.warnings:
        note(f"careful: {warning}")
    note(str(plan))


def _described_registry(name: str) -> str:
    from zoo_core import known_registries
    from zoo_core.records import OURS

    if name == OURS:
        return name
    location = known_registries.location(name)
    where = f"{name}, {location}" if location else name
    return f"{where}: not ours, and a plugin is code that can do all that you can"


def carry_out(plan: Plan, yes: bool, dry_run: bool, as_json: bool) -> dict[str, Any]:
    """Describe a plan, ask, do it unless it's a `dry_run`, and say so; the plan, and whether it is done, as JSON."""
    from zoo_core import installer

    if not (as_json and (yes or dry_run)):
        describe(plan)
    if not (yes or dry_run):
        confirm(f"{plan.action.capitalize()} it?")
    if not dry_run:
        installer.execute(plan)
    if not (as_json or dry_run):
        print(f"{plan.action}ed {plan.distribution} {plan.version}")
    return plan_document(plan, done=not dry_run)


def plan_document(plan: Plan, done: bool) -> dict[str, Any]:
    """A plan as JSON has it; `done` says that nothing of it is left to do."""
    return {
        "action": plan.action,
        "plugins": list(plan.plugins),
        "distribution": plan.distribution,
        "version": plan.version,
        "registry": plan.registry or None,
        "origin": plan.origin,
        "warnings": list(plan.warnings),
        "commands": [list(command) for command in plan.commands],
        "done": done,
    }


def file_rows(files: Iterable[File]) -> list[dict[str, Any]]:
    """Files as JSON has them."""
    return [{"name": file.name, "size": file.size, "sha256": file.sha256} for file in files]


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows under headings: in colour on a terminal, as aligned text where stdout is a pipe or a file."""
    filled = [[cell or "-" for cell in row] for row in rows]
    if sys.stdout.isatty():
        _show_rich_table(columns, filled)
    else:
        _print_aligned([[column.upper() for column in columns], *filled])


def show_facts(facts: Mapping[str, str]) -> None:
    """Labels with their values, one a line; empty values are left out."""
    rows = [[label, value] for label, value in facts.items() if value]
    if sys.stdout.isatty():
        _show_rich_facts(rows)
    else:
        _print_aligned(rows)


def _print_aligned(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        print("  ".join(padded).rstrip())


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from unicodedata import east_asian_width

    return sum(2 if east_asian_width(character) in "WF" else 1 for character in text)


def _console() -> Console:
    from rich.console import Console

    return Console(highlight=False, markup=False, soft_wrap=False)


def _show_rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    console = _console()
    widths = [max(map(_width, cells)) for cells in zip(columns, *rows, strict=True)]
    if sum(widths[:-1]) + 2 * len(widths) + min(widths[-1], _LEAST_LAST_COLUMN) > console.width:
        _show_blocks(console, columns, rows)
        return
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        last = column is columns[-1]
        table.add_column(column, no_wrap=not last, overflow="fold")
    for row in rows:
        table.add_row(*map(_styled, row))
    console.print(table)


def _show_blocks(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table too wide for the terminal: each row as a block, its first cell as the heading."""
    from rich.padding import Padding
    from rich.text import Text

    for first, *others in rows:
        console.print(Text(first, style="bold"))
        for column, cell in zip(columns[1:], others, strict=True):
            if cell != "-":
                line = Text.assemble((f"{column}: ", "dim"), (cell, _STYLES.get(cell, "")))
                console.print(Padding(line, (0, 0, 0, 2)))


def _show_rich_facts(rows: Sequence[Sequence[str]]) -> None:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for label, value in rows:
        grid.add_row(Text(label, style="dim"), _styled(value))
    _console().print(grid)


def _styled(cell: str) -> Text:
    from rich.text import Text

    return Text(cell, style=_STYLES.get(cell, ""))
