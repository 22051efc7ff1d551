"""`zoo check`: whether a plugin keeps what it promises, for its author; `pytest --zoo-plugin` does the same."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo_core.cli import complete, output
from zoo_core.cli.output import examples

if TYPE_CHECKING:
    from zoo_core.conformance.results import Result
    from zoo_core.conformance.runner import Task
    from zoo_core.conformance.subjects import Subject

app = typer.Typer(add_completion=False)

Begin = Callable[["Task"], None]


def _names(incomplete: str) -> list[str]:
    from zoo_core.conformance.table import NAMES

    return [name for name in NAMES if name.startswith(incomplete)]


@app.command("check", epilog=examples("zoo check glow", "zoo check ./my-plugin --only jit", "zoo check --list"))
def check(
    plugins: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PLUGIN|PATH",
            autocompletion=complete.installed_plugins,
            help="Installed plugins, or projects' folders; if left out, those in plugins/, or else this one.",
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only", metavar="CHECK", autocompletion=_names, help="Only this check; may be given several times."
        ),
    ] = None,
    list_checks: Annotated[bool, typer.Option("--list", help="Show the checks and what they demand.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Check that a plugin keeps what it promises.

    Its manifest and wheel; that every layer, loss, optimizer, callback and model builds, computes in float32, in mixed
    precision and compiled, and survives saving; its trained weights. Fails where a check fails. KERAS_BACKEND chooses
    the backend.
    """
    from zoo_core.conformance.table import CHECKS

    if list_checks:
        if as_json:
            output.show_json([{"check": each.name, "kinds": each.kinds, "demands": each.demand} for each in CHECKS])
        else:
            output.show_table(("check", "demands"), [[each.name, each.demand] for each in CHECKS])
        return
    results = _results(plugins or _projects(), only or [], as_json)
    if as_json:
        _show_json(results)
    else:
        _show_report(results)
    if any(result.status == "failed" for result in results):
        raise typer.Exit(1)


def _projects() -> list[str]:
    """The projects that are meant when nothing is named, as `zoo manifest` has it."""
    from zoo_core.errors import UsageError

    found = sorted(Path().glob("plugins/*/pyproject.toml")) or list(Path().glob("pyproject.toml"))
    if not found:
        raise UsageError("there is no project in this folder: name a plugin, or a project's folder", "zoo check glow")
    return [f"./{file.parent}" for file in found]


def _results(names: list[str], only: list[str], as_json: bool) -> list[Result]:
    from zoo_core import backend
    from zoo_core.conformance import runner, subjects

    runner.check_names(only)
    with subjects.opened(names) as found:
        # Before the hooks are run, since a plugin that imports Keras at its top would do it with all its noise.
        backend.loading_notice()
        backend.ensure()
        tasks = [(subject, task) for subject in found for task in runner.plan(subject, only)]
        with _progress(len(tasks), shown=not as_json and sys.stderr.isatty()) as begin:
            return [_performed(subject, task, begin) for subject, task in tasks]


def _performed(subject: Subject, task: Task, begin: Begin) -> Result:
    from zoo_core.conformance import runner

    begin(task)
    return runner.perform(subject, task)


@contextlib.contextmanager
def _progress(count: int, shown: bool) -> Iterator[Begin]:
    """A function that says on the terminal which check is being done."""
    if not shown:
        yield lambda task: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(20), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=count)
        yield lambda task: progress.update(bar, advance=1, description=escape(f"{task.check.name} {task.item.name}"))


def _show_json(results: list[Result]) -> None:
    from dataclasses import asdict

    import keras

    output.show_json({"backend": keras.backend.backend(), "results": [asdict(result) for result in results]})


def _show_report(results: list[Result]) -> None:
    """Each check with its counts, then every failure, then what was skipped, by reason."""
    from zoo_core.text import plural

    statuses = ("passed", "failed", "skipped")
    counts: dict[str, dict[str, int]] = {}
    for result in results:
        counts.setdefault(result.check, dict.fromkeys(statuses, 0))[result.status] += 1
    rows = [[name, *(str(count[status] or "") for status in statuses)] for name, count in counts.items()]
    output.show_table(("check", *statuses), rows)
    for line in _skipped(results):
        print(line)
    for result in results:
        if result.status == "failed":
            typer.secho(f"FAILED {result.check} of {result.object}: {result.detail}", fg="red")
    totals = {status: sum(count[status] for count in counts.values()) for status in statuses}
    summary = ", ".join(f"{total} {status}" for status, total in totals.items())
    print(f"{plural(len(results), 'check')}: {summary}, in {sum(result.seconds for result in results):.0f} s")


def _skipped(results: list[Result]) -> Iterator[str]:
    """A line for each reason and the checks that were skipped for it, with the objects that they have in common."""
    checks: dict[tuple[str, str], list[str]] = {}
    for result in results:
        if result.status == "skipped":
            checks.setdefault((result.object, result.detail), []).append(result.check)
    objects: dict[tuple[str, str], list[str]] = {}
    for (name, detail), skipped in checks.items():
        objects.setdefault((", ".join(skipped), detail), []).append(name)
    for (together, detail), names in objects.items():
        yield f"skipped {together} of {', '.join(names)}: {detail}"
