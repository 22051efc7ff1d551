"""How a training run shows its progress on stderr: a bar on a terminal, one line an epoch elsewhere, or nothing."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any, Literal

Mode = Literal["auto", "bar", "lines", "none"]
_REFRESH_SECONDS = 0.25


class Silent:
    """Shows nothing; the base of the others."""

    def message(self, text: str) -> None:
        """Say something once."""

    def begin(self, epoch: int, step: int) -> None:
        """An epoch (from 1) begins at this batch."""

    def advance(self, step: int, logs: Mapping[str, Any]) -> None:
        """So many batches of the epoch are done; `logs` may hold tensors."""

    def end(self, epoch: int, logs: Mapping[str, float], seconds: float) -> None:
        """An epoch is over."""

    def close(self) -> None:
        """Training is over."""


class Lines(Silent):
    """One plain line an epoch."""

    def __init__(self, epochs: int) -> None:
        """For a run of so many epochs."""
        self._epochs = epochs

    def message(self, text: str) -> None:
        """Print the text."""
        print(text, file=sys.stderr, flush=True)

    def end(self, epoch: int, logs: Mapping[str, float], seconds: float) -> None:
        """Print the epoch's line."""
        self.message(f"epoch {epoch}/{self._epochs}  {_format(logs)}  {seconds:.0f} s")


class Bar(Lines):
    """A bar for the epoch that runs, above it the line of every epoch that is over."""

    def __init__(self, epochs: int, steps: int) -> None:
        """For a run of so many epochs of so many batches; shown from now on."""
        super().__init__(epochs)
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[logs]}"),
        )
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("starting", total=steps, logs="")
        self._shown = 0.0
        self._progress.start()

    def message(self, text: str) -> None:
        """Print the text above the bar."""
        self._progress.console.print(text, highlight=False, markup=False)

    def begin(self, epoch: int, step: int) -> None:
        """Set the bar back."""
        self._progress.reset(self._task, completed=step, description=f"epoch {epoch}/{self._epochs}")

    def advance(self, step: int, logs: Mapping[str, Any]) -> None:
        """Move the bar, at most four times a second: reading the logs waits for the device."""
        if time.monotonic() - self._shown >= _REFRESH_SECONDS:
            self._shown = time.monotonic()
            self._progress.update(self._task, completed=step, logs=_format(logs))

    def close(self) -> None:
        """Remove the bar."""
        self._progress.stop()


def open_progress(mode: Mode, epochs: int, steps: int) -> Silent:
    """What shows the progress; `auto` is a bar where stderr is a terminal and lines elsewhere."""
    if mode == "none":
        return Silent()
    if mode == "bar" or (mode == "auto" and sys.stderr.isatty()):
        return Bar(epochs, steps)
    return Lines(epochs)


def _format(logs: Mapping[str, Any]) -> str:
    return "  ".join(f"{name} {float(value):.4g}" for name, value in logs.items())
