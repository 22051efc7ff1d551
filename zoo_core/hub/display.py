"""How a download is shown on stderr: as a bar on a terminal, elsewhere as a line now and then."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zoo_core.hub.progress import Progress, Report, tell_notes
from zoo_core.text import human_size

if TYPE_CHECKING:
    import rich.progress

_LINE_SECONDS = 5.0
_ROOM_FOR_BAR = 60
_ROOM_FOR_RATE = 45


@contextlib.contextmanager
def shown(quiet: bool = False) -> Iterator[Report]:
    """What shows a download while the block runs; `quiet`, only what there is to tell."""
    if quiet:
        yield tell_notes
    elif sys.stderr.isatty():
        bar = _Bar()
        try:
            yield bar
        finally:
            bar.close()
    else:
        yield _Lines()


class _Lines:
    """A plain line at the beginning of each download, and one every few seconds."""

    def __init__(self) -> None:
        self._total: int | None = None
        self._due = 0.0

    def __call__(self, progress: Progress) -> None:
        tell_notes(progress)
        now = time.monotonic()
        is_new = progress.total != self._total
        if not progress.note and (is_new or now >= self._due):
            self._total, self._due = progress.total, now + _LINE_SECONDS
            line = f"downloading {human_size(progress.total)}" if is_new else _line(progress)
            print(f"{progress.name}: {line}", file=sys.stderr, flush=True)


class _Bar:
    """A bar, from the first report on that is no note: until then somebody may be asked something."""

    def __init__(self) -> None:
        self._bar: rich.progress.Progress | None = None
        self._width = 0

    def __call__(self, progress: Progress) -> None:
        if progress.note and self._bar is None:
            tell_notes(progress)
            return
        bar = self._bar = self._bar or self._started(progress)
        if progress.note:
            bar.console.print(progress.note, highlight=False, markup=False, soft_wrap=True)
            return
        bar.update(bar.task_ids[0], completed=progress.received, total=progress.total, said=self._said(progress))

    def close(self) -> None:
        """Take the bar away."""
        if self._bar:
            self._bar.stop()

    def _started(self, progress: Progress) -> rich.progress.Progress:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar
        from rich.table import Column

        console = Console(stderr=True)
        self._width = console.width
        columns = [
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            *([BarColumn(None)] if self._width >= _ROOM_FOR_BAR else []),
            TextColumn("{task.fields[said]}", markup=False, table_column=Column(no_wrap=True)),
        ]
        bar = Bar(*columns, console=console, transient=True, expand=self._width >= _ROOM_FOR_BAR)
        bar.add_task(progress.name, total=progress.total, said="")
        bar.start()
        return bar

    def _said(self, progress: Progress) -> str:
        """As much as there is room for."""
        if self._width >= _ROOM_FOR_BAR:
            return f"{_amount(progress)}  {_pace(progress)}"
        share = f"{progress.received / max(1, progress.total):.0%}"
        return f"{share}  {_pace(progress) if self._width >= _ROOM_FOR_RATE else _left(progress)}"


def _line(progress: Progress) -> str:
    pace = _pace(progress)
    return f"{_amount(progress)}{', ' if pace else ''}{pace}"


def _amount(progress: Progress) -> str:
    return f"{human_size(progress.received)} of {human_size(progress.total)}"


def _pace(progress: Progress) -> str:
    left = _left(progress)
    return f"{human_size(int(progress.rate))}/s, {left}" if left else ""


def _left(progress: Progress) -> str:
    seconds = progress.seconds_left
    return "" if seconds is None or progress.received >= progress.total else f"{_duration(seconds)} left"


def _duration(seconds: float) -> str:
    whole = int(seconds + 0.5)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min" if whole < 360_000 else "days"
