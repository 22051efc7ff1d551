"""A progress bar by rich, with right counts."""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Mapping
from typing import Any, Literal

import keras
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_REFRESH_SECONDS = 0.1


class ProgressBar(keras.callbacks.ProgbarLogger):
    """Show training by two bars, the epochs and the batches of the one that runs, and a line for each that is over.

        model.fit(x, y, epochs=20, callbacks=[ProgressBar()])

    Takes the place of Keras' own bar: `verbose` need not be given. On a terminal it draws on stderr; elsewhere (in a
    file, a pipe, a scheduler's log) it is silent, or prints a line an epoch with `mode="lines"`.

    The counts are those of what was really done. Batches whose number is not known are counted without a total in the
    first epoch, which then is the total of the next; the same for validation, which has a bar of its own while it runs.
    A run that starts at `initial_epoch` starts its count there, one that ends early keeps its count, and every `fit`
    starts anew. `evaluate` and `predict` show one bar. Where `fit` raises, Keras ends no callback: the bars stay until
    the next `fit`, the end of the process, or `close()`.

    Args:
        mode: "auto" (bars on a terminal, silence elsewhere), "bar", "lines" or "none".
        console: a `rich.console.Console` to draw on, instead of stderr.

    Raises:
        ValueError: the mode is none of these.
    """

    def __init__(self, mode: Literal["auto", "bar", "lines", "none"] = "auto", console: Console | None = None) -> None:
        super().__init__()
        if mode not in ("auto", "bar", "lines", "none"):
            raise ValueError(f"ProgressBar(mode={mode!r}): it should be 'auto', 'bar', 'lines' or 'none'")
        self.mode = mode
        self._console = console
        self._bars: _Bars | None = None
        self._end: weakref.finalize | None = None
        self._in_fit = False
        self._steps: int | None = None
        self._counted_steps: int | None = None
        self._validation_steps: int | None = None
        self._epochs = 1
        self._begun = 0.0

    @property
    def counts(self) -> dict[str, tuple[int, int | None]]:
        """What the bars say: done and in all, by "epochs", "batches", "test" (a validation, too) and "predict"."""
        return self._bars.counts() if self._bars else {}

    def set_params(self, params: dict[str, Any] | None) -> None:
        """Remember how many epochs and batches Keras expects."""
        self.params = params
        self._epochs = int((params or {}).get("epochs") or 1)
        self._steps = (params or {}).get("steps")

    def on_train_begin(self, logs: Any = None) -> None:
        """Begin anew."""
        self._in_fit = True
        self._counted_steps = self._validation_steps = None
        self._open()
        if self._bars:
            self._bars.add("epochs", self._epochs)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Begin an epoch."""
        self._begun = time.monotonic()
        if self._bars:
            self._bars.move("epochs", epoch)
            title = f"epoch {epoch + 1}/{self._epochs}"
            self._bars.add(title, self._steps or self._counted_steps, key="batches", certain=bool(self._steps))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move the bar."""
        if self._bars:
            self._bars.move("batches", batch + 1, logs)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Put the epoch's line above the bars."""
        seconds = time.monotonic() - self._begun
        if self._bars:
            self._counted_steps = self._counted("batches")
            self._bars.remove("batches")
            self._bars.move("epochs", epoch + 1)
        line = f"epoch {epoch + 1}/{self._epochs}  {format_logs(logs or {})}  {seconds:.1f} s"
        if self._bars:
            self._bars.print(line)
        elif self.mode == "lines":
            self._target().print(line, highlight=False, markup=False, soft_wrap=True)

    def on_train_end(self, logs: Any = None) -> None:
        """Remove the bars."""
        self._in_fit = False
        self.close()

    def on_test_begin(self, logs: Any = None) -> None:
        """Begin validation, or an evaluation."""
        if not self._in_fit:
            self._open()
        if self._bars:
            total = self._validation_steps if self._in_fit else self._steps
            self._bars.add("validation", total, key="test", certain=not self._in_fit)

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move its bar."""
        if self._bars:
            self._bars.move("test", batch + 1, logs)

    def on_test_end(self, logs: Any = None) -> None:
        """Remove its bar."""
        if self._bars:
            if self._in_fit:
                self._validation_steps = self._counted("test")
            self._bars.remove("test")
        if not self._in_fit:
            self.close()

    def on_predict_begin(self, logs: Any = None) -> None:
        """Begin a prediction."""
        self._open()
        if self._bars:
            self._bars.add("prediction", self._steps, key="predict")

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """Move its bar."""
        if self._bars:
            self._bars.move("predict", batch + 1)

    def on_predict_end(self, logs: Any = None) -> None:
        """Remove its bar."""
        self.close()

    def get_state(self) -> dict[str, Any]:
        """Nothing: what it shows comes from Keras."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Nothing."""

    def _target(self) -> Console:
        # Made when it is needed: stderr may be another one then.
        return self._console or Console(file=sys.stderr)

    def _open(self) -> None:
        self.close()
        console = self._target()
        if self.mode == "bar" or (self.mode == "auto" and console.is_terminal):
            self._bars = _Bars(console)
            # A training that breaks off has no end; a bar that stays would leave the terminal without its cursor.
            self._end = weakref.finalize(self, self._bars.close)

    def close(self) -> None:
        """Remove the bars."""
        if self._end:
            self._end()
        self._bars = self._end = None

    def _counted(self, key: str) -> int | None:
        """How many batches there were; not known if Keras takes several at once, the last of which may be missing."""
        several = getattr(self._model, "steps_per_execution", 1) > 1
        return None if several or not self._bars else self._bars.done(key)


class _Bars:
    """Bars by name."""

    def __init__(self, console: Console) -> None:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[logs]}"),
        )
        self._progress = Progress(*columns, console=console, transient=True, auto_refresh=False)
        self._tasks: dict[str, TaskID] = {}
        self._done: dict[str, int] = {}
        self._totals: dict[str, int | None] = {}
        self._certain: dict[str, bool] = {}
        self._shown: dict[str, float] = {}
        self._progress.start()

    def add(self, description: str, total: int | None, key: str = "", certain: bool = True) -> None:
        """A new bar, which may not know its total, or not for certain."""
        key = key or description
        self.remove(key)
        self._certain[key] = certain
        self._done[key], self._totals[key], self._shown[key] = 0, total, 0.0
        self._tasks[key] = self._progress.add_task(description, total=total, count=self._count(key), logs="")

    def move(self, key: str, done: int, logs: Mapping[str, Any] | None = None) -> None:
        """Move a bar, drawing it ten times a second and at its end."""
        total = self._totals[key]
        if total is not None and done > total and not self._certain[key]:
            total = self._totals[key] = None
        self._done[key] = done if total is None else min(done, total)
        now = time.monotonic()
        if now - self._shown[key] >= _REFRESH_SECONDS or self._done[key] == total:
            self._shown[key] = now
            count, text = self._count(key), format_logs(logs or {})
            self._progress.update(self._tasks[key], total=total, completed=self._done[key], count=count, logs=text)
            self._progress.refresh()

    def done(self, key: str) -> int:
        """How far it is."""
        return self._done.get(key, 0)

    def counts(self) -> dict[str, tuple[int, int | None]]:
        """How far each is, and of how many."""
        return {key: (self._done[key], self._totals[key]) for key in self._tasks}

    def remove(self, key: str) -> None:
        """Take a bar away."""
        if key in self._tasks:
            self._progress.remove_task(self._tasks.pop(key))

    def print(self, line: str) -> None:
        """A line above the bars."""
        self._progress.console.print(line, highlight=False, markup=False)

    def close(self) -> None:
        """Take all bars away."""
        self._progress.stop()

    def _count(self, key: str) -> str:
        total = self._totals[key]
        return f"{self._done[key]}/{'?' if total is None else total}"


def format_logs(logs: Mapping[str, Any]) -> str:
    """ "loss 0.1234  val_loss 0.2345"; what is no number is left out."""
    shown = []
    for name, value in logs.items():
        try:
            shown.append(f"{name} {float(value):.4g}")
        except (TypeError, ValueError):
            continue
    return "  ".join(shown)
