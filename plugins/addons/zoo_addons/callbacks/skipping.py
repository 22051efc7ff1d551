"""Batches that are read and not trained on: those that an interrupted epoch has behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import keras

Step = Callable[..., Any]
"""What Keras calls for each batch: `model.train_function`."""


@dataclass(frozen=True, slots=True)
class ReadingStep:
    """A step that reads, and the one that it stands in for."""

    step: Step
    stands_for: Step

    def __call__(self, *arguments: Any) -> Any:
        """Read."""
        return self.step(*arguments)


def reading_step(model: keras.Model, logs: Mapping[str, float]) -> ReadingStep:
    """A stand-in for `model.train_function` that takes its batches and does nothing with them.

    It gives `logs` in place of its own. On TensorFlow, where Keras creates the variables of compiled metrics with the
    first batch, it creates them with that too.
    """
    steps = {"tensorflow": _on_tensorflow, "jax": _on_jax, "torch": _on_torch}
    return ReadingStep(steps[keras.backend.backend()](model, dict(logs)), training_step(model))


def training_step(model: keras.Model) -> Step:
    """The model's step, also where a training that was interrupted while it read has left a stand-in behind."""
    step: Step = model.train_function
    return step.stands_for if isinstance(step, ReadingStep) else step


def keep_assigned(model: keras.Model) -> None:
    """Have JAX's `fit` keep what has been assigned since the last batch, if that was the last of the epoch.

    Where Keras does not know the number of batches, it takes the variables' values out for one more, finds that there
    is none, and puts back those that the last step gave.
    """
    if keras.backend.backend() == "jax":
        groups = [f"{kind}_variables" for kind in ("trainable", "non_trainable", "optimizer", "metrics")]
        values = model._get_jax_state(**dict.fromkeys(groups, True))
        model._jax_state = dict(zip(groups, values, strict=True))


def _on_tensorflow(model: keras.Model, logs: dict[str, float]) -> Step:
    import tensorflow as tf

    def none_if_empty(item: Any) -> Any:
        return None if isinstance(item, tf.experimental.Optional) else item

    def step(iterator: Any) -> dict[str, float]:
        for _ in range(model.steps_per_execution):
            batch = iterator.get_next_as_optional()
            if not batch.has_value():
                break
            if not metrics_are_built(model):
                data = keras.tree.map_structure(none_if_empty, batch.get_value())
                model.test_on_batch(*keras.utils.unpack_x_y_sample_weight(data))
        return logs

    return step


def _on_jax(model: keras.Model, logs: dict[str, float]) -> Step:
    def step(state: Any, iterator: Any) -> tuple[dict[str, float], Any]:
        next(iterator)
        for _ in range(model.steps_per_execution - 1):
            next(iterator, None)
        return logs, state

    return step


def _on_torch(model: keras.Model, logs: dict[str, float]) -> Step:
    def step(data: Any) -> dict[str, float]:
        return logs

    return step


def metrics_are_built(model: keras.Model) -> bool:
    """Whether compiled metrics, and the losses of several outputs, have their variables."""
    compiled = [getattr(model, name, None) for name in ("_compile_metrics", "_compile_loss")]
    return all(part.built for part in compiled if part is not None)
