"""Schedules of a number: pure functions of a position, which counts epochs or batches, whole or not."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Shape = Literal["linear", "cosine"]
SHAPES = ("linear", "cosine")


class HyperSchedule(ABC):
    """A number as a function of a position; `schedule(position)` and `schedule.value(position)` are the same."""

    __slots__ = ()

    @abstractmethod
    def value(self, position: float) -> float:
        """The number at this position, counted from 0."""

    def __call__(self, position: float) -> float:
        """The number at this position."""
        return self.value(position)


@dataclass(frozen=True, slots=True)
class StepSchedule(HyperSchedule):
    """Constant between boundaries: `values[i]` from `boundaries[i - 1]` on, until `boundaries[i]` excluded.

    The classic is a learning rate of 1e-2 for 50 epochs, 1e-3 until the 80th, then 1e-4:
    `StepSchedule([1e-2, 1e-3, 1e-4], boundaries=[50, 80])`.

    Args:
        values: the numbers, one more than boundaries.
        boundaries: rising positions.

    Raises:
        ValueError: they do not fit each other, or the boundaries do not rise.
    """

    values: Sequence[float]
    boundaries: Sequence[float]

    def __post_init__(self) -> None:
        """Check the arguments."""
        if len(self.values) != len(self.boundaries) + 1:
            raise ValueError(
                f"StepSchedule needs one value more than boundaries, not {len(self.values)} and {len(self.boundaries)}"
            )
        if any(later <= earlier for earlier, later in zip(self.boundaries, self.boundaries[1:], strict=False)):
            raise ValueError(f"StepSchedule(boundaries={list(self.boundaries)}): they should rise")

    def value(self, position: float) -> float:
        """The number at this position."""
        return float(self.values[sum(position >= boundary for boundary in self.boundaries)])


@dataclass(frozen=True, slots=True)
class LinearSchedule(HyperSchedule):
    """A straight line from `start` to `end`, which holds from then on: start + (end - start) min(position/duration, 1).

    Args:
        start: the number at position 0.
        end: the number from `duration` on.
        duration: how long it takes, in epochs or batches.

    Raises:
        ValueError: the duration is not positive.
    """

    start: float
    end: float
    duration: float

    def __post_init__(self) -> None:
        """Check the arguments."""
        _require_positive("LinearSchedule", duration=self.duration)

    def value(self, position: float) -> float:
        """The number at this position."""
        return between(self.start, self.end, position / self.duration, "linear")


@dataclass(frozen=True, slots=True)
class CosineSchedule(HyperSchedule):
    """Half a cosine from `start` to `end`, which holds from then on: end + (start - end) (1 + cos(pi p)) / 2.

    Here p = min(position / duration, 1). Reference: Loshchilov and Hutter 2017, arXiv:1608.03983.

    Args:
        start: the number at position 0.
        end: the number from `duration` on.
        duration: how long it takes, in epochs or batches.

    Raises:
        ValueError: the duration is not positive.
    """

    start: float
    end: float
    duration: float

    def __post_init__(self) -> None:
        """Check the arguments."""
        _require_positive("CosineSchedule", duration=self.duration)

    def value(self, position: float) -> float:
        """The number at this position."""
        return between(self.start, self.end, position / self.duration, "cosine")


@dataclass(frozen=True, slots=True)
class CyclicSchedule(HyperSchedule):
    """Up from `low` to `high` and down again in each period, in straight lines (triangular) or as a cosine.

    With `decay` the n-th cycle, counted from 0, reaches low + (high - low) decay^n; 0.5 is Smith's "triangular2".
    Reference: Smith 2017, arXiv:1506.01186.

    Args:
        low: the number at the start and the end of a cycle.
        high: the number in the middle of the first cycle.
        period: the length of a whole cycle, in epochs or batches.
        shape: "linear" for triangles, "cosine" for waves.
        decay: what the height of each cycle is multiplied by for the next.

    Raises:
        ValueError: the period is not positive, the decay is outside (0, 1], or the shape is unknown.
    """

    low: float
    high: float
    period: float
    shape: Shape = "linear"
    decay: float = 1.0

    def __post_init__(self) -> None:
        """Check the arguments."""
        _require_positive("CyclicSchedule", period=self.period)
        require_shape("CyclicSchedule", self.shape)
        if not 0 < self.decay <= 1:
            raise ValueError(f"CyclicSchedule(decay={self.decay}): it should be in (0, 1]")

    def value(self, position: float) -> float:
        """The number at this position."""
        cycle, phase = divmod(position / self.period, 1.0)
        high = self.low + (self.high - self.low) * self.decay**cycle
        return between(self.low, high, 1 - abs(2 * phase - 1), self.shape)


def between(start: float, end: float, progress: float, shape: Shape) -> float:
    """The number on the way from `start` to `end`; progress outside [0, 1] is at its ends."""
    progress = min(max(progress, 0.0), 1.0)
    if shape == "cosine":
        progress = (1 - math.cos(math.pi * progress)) / 2
    return start + (end - start) * progress


def require_shape(name: str, shape: str) -> None:
    """Raise ValueError for an unknown shape."""
    if shape not in SHAPES:
        raise ValueError(f"{name}(shape={shape!r}): it should be one of {', '.join(SHAPES)}")


def _require_positive(name: str, **given: float) -> None:
    for argument, value in given.items():
        if not value > 0:
            raise ValueError(f"{name}({argument}={value}): it should be positive")
