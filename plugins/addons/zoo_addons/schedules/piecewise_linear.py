"""A learning rate along straight lines."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import keras
from keras import ops

from zoo_addons.optimizers.base import check_between


@keras.saving.register_keras_serializable(package="addons")
class PiecewiseLinear(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that goes in straight lines from one given step to the next.

    `PiecewiseLinear(0.1, {1000: 1.0, 2000: 0.1})` rises from 0 to 0.1 in the first thousand steps, falls to 0.01 in the
    second thousand, and stays there. Between two points (s, f) and (s', f') the rate at step t is

        learning_rate * (f + (f' - f) * (t - s) / (s' - s))

    before the first point it comes from 0 at step 0, and after the last one it stays. A point at step 0 says where to
    start instead.

    Arguments:
        learning_rate: The rate that the factors multiply.
        factors: Step -> factor, in any order; steps count batches (with Keras' gradient_accumulation_steps too).
        name: Optional name.

    Raises:
        ValueError: No points, a step that is no whole number from 0 on, a negative factor or learning rate.

    References:
        Su, 2019, https://kexue.fm/archives/7094.
    """

    def __init__(self, learning_rate: float, factors: Mapping[int, float], name: str = "PiecewiseLinear") -> None:
        super().__init__()
        check_between("learning_rate", float(learning_rate))
        self.learning_rate, self.name = float(learning_rate), name
        self.factors = _checked(factors)
        points = dict(self.factors)
        self._points = list(({0: 0.0} | points).items()) if 0 not in points else list(points.items())

    def __call__(self, step: Any) -> Any:
        """The learning rate at this step, a scalar."""
        step = ops.cast(step, keras.backend.floatx())
        factor = ops.full_like(step, self._points[-1][1])
        for (start, first), (end, last) in reversed(list(itertools.pairwise(self._points))):
            line = first + (last - first) * (step - start) / (end - start)
            factor = ops.where(step < end, line, factor)
        return self.learning_rate * factor

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs to make it anew. In JSON steps become strings: they are read back as numbers."""
        return {"learning_rate": self.learning_rate, "factors": dict(self.factors), "name": self.name}


def _checked(factors: Mapping[Any, float]) -> dict[int, float]:
    if not isinstance(factors, Mapping):
        raise ValueError(f"`factors` must be a dictionary, step -> factor. Received: factors={factors!r}")
    points = {}
    for step, factor in factors.items():
        if isinstance(step, str) and step.isdigit():
            step = int(step)
        if isinstance(step, bool) or not isinstance(step, Integral) or step < 0:
            raise ValueError(f"`factors` must name steps, whole numbers from 0 on. Received: step {step!r}")
        check_between(f"factors[{step}]", float(factor))
        points[int(step)] = float(factor)
    if not points:
        raise ValueError("`factors` must have at least one step. Received: factors={}")
    return dict(sorted(points.items()))
