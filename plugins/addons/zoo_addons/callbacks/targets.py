"""What a schedule assigns to: a variable of the model or its optimizer, given as itself, by a pattern or a path."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

LEARNING_RATE = "optimizer.learning_rate"

_SHOWN = 8
"""Names in an error."""


@dataclass(frozen=True, slots=True)
class Target:
    """One or more variables that get the same number; `names` are as a user would say them."""

    names: tuple[str, ...]
    variables: tuple[keras.Variable, ...]

    def assign(self, value: float) -> None:
        """Give all of them this value."""
        for variable in self.variables:
            variable.assign(keras.ops.full(variable.shape, value, variable.dtype))

    def read(self) -> float:
        """The value of the first."""
        return float(keras.ops.convert_to_numpy(self.variables[0]).ravel()[0])


def find_target(model: keras.Model, target: Any, who: str) -> Target:
    """What `target` means in this model; raises ValueError where it is nothing that compiled training would see.

    It is a variable; a pattern of variables' paths with `*` or `/` (`"*/stddev"`); or a path of attributes from the
    model (`"optimizer.learning_rate"`, `"layers.noise.stddev"`, where layers are found by name or index).
    """
    if isinstance(target, str) and ("*" in target or "/" in target):
        return _matching(model, target, who)
    name, found = (target, _follow(model, target, who)) if isinstance(target, str) else ("the variable", target)
    if not isinstance(found, keras.Variable):
        raise ValueError(f"{who}: {_not_a_variable(name, found)}")
    _require_owned(model, found, who)
    return Target((name if isinstance(target, str) else found.path,), (found,))


def learning_rate(model: keras.Model, who: str) -> Target:
    """The learning rate of the model's optimizer; raises ValueError where it cannot be assigned."""
    return find_target(model, LEARNING_RATE, who)


def _matching(model: keras.Model, pattern: str, who: str) -> Target:
    known = _variables(model)
    found = [variable for variable in known if fnmatch.fnmatchcase(variable.path, pattern)]
    if not found:
        raise ValueError(f"{who}: no variable is called {pattern!r}; there are {_some(known, pattern)}")
    return Target(tuple(variable.path for variable in found), tuple(found))


def _follow(model: keras.Model, path: str, who: str) -> Any:
    value: Any = model
    for done, name in enumerate(names := path.split(".")):
        if name == "learning_rate" and hasattr(value, "_learning_rate"):
            value = _rate_of(value, who)
            continue
        try:
            value = _step(value, name)
        except (AttributeError, IndexError, KeyError):
            where = ".".join(names[:done]) or type(model).__name__
            raise ValueError(f"{who}: {where} has no {name!r}{_near(value, name)}") from None
    return value


def _step(value: Any, name: str) -> Any:
    if not isinstance(value, (list, tuple)):
        return value[name] if isinstance(value, dict) else getattr(value, name)
    if name.lstrip("-").isdigit():
        return value[int(name)]
    return {getattr(item, "name", None): item for item in value}[name]


def _near(value: Any, wrong: str) -> str:
    """What there is instead: items by name, or an object's variables and layers."""
    if isinstance(value, (list, tuple)):
        names = [item.name for item in value if hasattr(item, "name")]
    elif isinstance(value, dict):
        names = [str(name) for name in value]
    else:
        names = [name for name, kept in getattr(value, "__dict__", {}).items() if isinstance(kept, keras.Variable)]
        names += ["learning_rate"] * hasattr(value, "_learning_rate")
        names = [name.lstrip("_") for name in names]
        names += [f"layers.{layer.name}" for layer in getattr(value, "layers", ())]
    names = _nearest_first(wrong, list(dict.fromkeys(names)))
    return f"; there are {', '.join(names[:_SHOWN])}" if names else ""


def _nearest_first(wrong: str, names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: -difflib.SequenceMatcher(None, wrong, name).ratio())


def _rate_of(optimizer: Any, who: str) -> Any:
    inner = getattr(optimizer, "inner_optimizer", None)
    if inner is not None:
        return _rate_of(inner, who)
    rate = optimizer._learning_rate
    if isinstance(rate, keras.Variable):
        return rate
    kind = type(rate).__name__ if isinstance(rate, keras.optimizers.schedules.LearningRateSchedule) else "a function"
    raise ValueError(
        f"{who} assigns the learning rate, and that of {type(optimizer).__name__} is {kind}, "
        "which computes it anew in every step: compile with a number"
    )


def _require_owned(model: keras.Model, variable: keras.Variable, who: str) -> None:
    # TensorFlow and PyTorch read a variable wherever it is; on JAX a compiled step knows only those it is given.
    known = _variables(model)
    if keras.backend.backend() == "jax" and not any(variable is other for other in known):
        raise ValueError(
            f"{who}: {variable.path} belongs neither to the model nor to its optimizer, so that JAX would not see it "
            "change: keep it as an attribute of a layer or the model (a keras.Loss keeps none)"
        )


def _variables(model: keras.Model) -> list[keras.Variable]:
    return [*model.variables, *(model.optimizer.variables if model.optimizer is not None else ())]


def _not_a_variable(name: str, value: Any) -> str:
    return (
        f"{name} is a {type(value).__name__}, no keras.Variable: a compiled step has read it once and would not see it "
        "change; let the layer keep `self.add_weight(..., trainable=False)` instead"
    )


def _some(variables: Sequence[keras.Variable], pattern: str) -> str:
    shown = _nearest_first(pattern, [variable.path for variable in variables])[:_SHOWN]
    return ", ".join(shown) + (", ..." if len(variables) > len(shown) else "") if shown else "none yet"
