"""Callbacks for training flows: a guard against collapse, and sheets of samples to look at."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import keras


class CollapseGuard(keras.callbacks.Callback):
    """Go back to the best weights and lower the learning rate when a flow's loss collapses.

    Flows diverge now and then: the loss jumps far above its best or becomes NaN, and rarely comes back by itself. At
    the end of an epoch in which that happened the weights of the best epoch so far return, and the learning rate falls.
    Needs a learning rate that is a plain number, since a schedule cannot be assigned.

    Args:
        monitor: which of the epoch's logs to watch; lower is better.
        tolerance: by how much it may rise above its best (default 1, for a loss in bits per dimension).
        factor: what the learning rate is multiplied by.
        start_epoch: the first epoch that is watched, counted from 0.

    Raises:
        ValueError: at the start of training, where the learning rate is a schedule.
    """

    def __init__(
        self, monitor: str = "loss", tolerance: float = 1.0, factor: float = 0.1, start_epoch: int = 0
    ) -> None:
        super().__init__()
        if tolerance < 0 or not 0 < factor <= 1:
            raise ValueError(
                f"CollapseGuard(tolerance={tolerance}, factor={factor}): tolerance >= 0 and 0 < factor <= 1 are needed"
            )
        self.monitor = monitor
        self.tolerance = tolerance
        self.factor = factor
        self.start_epoch = start_epoch
        self.best = math.inf
        self.collapses = 0
        self._best_weights: list[Any] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Check that the learning rate can be lowered."""
        if isinstance(self.model.optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
            raise ValueError(
                "CollapseGuard lowers the learning rate, which a schedule does not allow: compile with a number"
            )
        if math.isfinite(self.best):
            self._best_weights = self.model.get_weights()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Remember the best weights, or bring them back."""
        value = (logs or {}).get(self.monitor)
        if value is None or epoch < self.start_epoch:
            return
        if math.isfinite(value) and value <= self.best:
            self.best, self._best_weights = float(value), self.model.get_weights()
        elif self._best_weights is not None and not value <= self.best + self.tolerance:
            self._go_back()

    def get_state(self) -> dict[str, Any]:
        """What a resumed run must know; the weights to go back to are those that it resumes with."""
        return {"best": self.best if math.isfinite(self.best) else None, "collapses": self.collapses}

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over the state of an interrupted run."""
        self.best = math.inf if state["best"] is None else state["best"]
        self.collapses = state["collapses"]

    def _go_back(self) -> None:
        self.collapses += 1
        self.model.set_weights(self._best_weights)
        optimizer = self.model.optimizer
        optimizer.learning_rate = float(keras.ops.convert_to_numpy(optimizer.learning_rate)) * self.factor


class SampleSheet(keras.callbacks.Callback):
    """Draw the same latents after every epoch and write them as one PNG, so that one can watch a flow learn.

    Args:
        folder: where `epoch-0001.png` and so on go; made if missing.
        count: number of images.
        every: epochs between two sheets.
        temperature: scale of the latents' standard deviation.
        seed: of the latents.
    """

    def __init__(
        self, folder: str | Path, count: int = 64, every: int = 1, temperature: float = 0.7, seed: int = 0
    ) -> None:
        super().__init__()
        if count < 1 or every < 1 or temperature < 0:
            raise ValueError(
                f"SampleSheet(count={count}, every={every}, temperature={temperature}): "
                "count >= 1, every >= 1 and temperature >= 0 are needed"
            )
        self.folder = Path(folder)
        self.count = count
        self.every = every
        self.temperature = temperature
        self.seed = seed

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Write the sheet."""
        if (epoch + 1) % self.every == 0:
            write_sample_sheet(
                self.model, self.folder / f"epoch-{epoch + 1:04d}.png", self.count, self.temperature, self.seed
            )


def write_sample_sheet(model: Any, path: Path, count: int, temperature: float, seed: int) -> None:
    """Draw `count` images of a flow as one PNG."""
    from zoo_glow.images import write_png
    from zoo_glow.sheets import sheet

    path.parent.mkdir(parents=True, exist_ok=True)
    write_png(path, sheet(model.sample(count, temperature, seed)))
