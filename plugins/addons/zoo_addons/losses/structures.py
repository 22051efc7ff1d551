"""What a term of a weighted sum sees: its output, and its targets and weights, out of structures of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from keras import ops

Tensor = Any
"""A tensor of whatever the backend is."""


def is_structure(value: Any) -> bool:
    """Whether it holds tensors, rather than being one."""
    return isinstance(value, dict | list | tuple)


def output_of(y_pred: Any, key: str | int, names: Sequence[str]) -> Tensor:
    """The output of this name or number; raises ValueError where there is none. `names` are those of a list's."""
    if not is_structure(y_pred):
        return y_pred
    if len(y_pred) == 1:
        return next(iter(y_pred.values() if isinstance(y_pred, dict) else y_pred))
    keys = list(y_pred) if isinstance(y_pred, dict) else list(names)
    if isinstance(y_pred, dict) and key in y_pred:
        return y_pred[key]
    if not isinstance(y_pred, dict) and (index := _index(key, keys, len(y_pred))) is not None:
        return y_pred[index]
    known = ", ".join(map(str, keys)) if keys else f"0 to {len(y_pred) - 1}"
    raise ValueError(f"WeightedLosses: the model has no output {key!r}, but {known}; `outputs` says which a term sees")


def weights_of(given: Any, term: str, key: str | int, names: Sequence[str]) -> Tensor | None:
    """The sample weights of a term, as its target would be found; None where a dictionary has none for it."""
    return (
        _first(given, [term, key]) if isinstance(given, dict) else target_of(given, term, key, names, "sample weight")
    )


def require_known(given: Any, y_pred: Any, seen: Mapping[str, str | int], names: Sequence[str]) -> None:
    """Raise ValueError for sample weights of what is neither a term nor an output; `seen` as in `by_output`."""
    known = [*seen, *seen.values(), *names, *(y_pred if isinstance(y_pred, dict) else ())]
    if isinstance(given, dict) and (unknown := [name for name in given if name not in known]):
        listed = ", ".join(map(str, dict.fromkeys(known)))
        raise ValueError(
            f"WeightedLosses: sample weights are for {', '.join(map(str, unknown))}, but there are {listed}"
        )


def target_of(given: Any, term: str, key: str | int, names: Sequence[str], what: str = "target") -> Tensor:
    """The target of a term: by its name, or by that or the number of its output, or the same for all.

    Raises ValueError, which says what is missing, where there is none.
    """
    if not is_structure(given):
        return given
    if isinstance(given, dict):
        found = _first(given, [term, key])
        if found is not None:
            return found
        known = ", ".join(map(str, given))
    else:
        index = _index(key, list(names), len(given))
        if index is not None:
            return given[index]
        known = f"a list of {len(given)}"
    raise ValueError(f"WeightedLosses: there is no {what} for the term '{term}', but {known}")


def by_output(given: Any, y_pred: Any, seen: Mapping[str, str | int], names: Sequence[str]) -> Any:
    """Targets or weights as Keras' metrics want them, one for each output; None for an output without any.

    `seen` says which output each term sees.
    """
    if not is_structure(y_pred):
        return _first(given, list(seen)) if isinstance(given, dict) else given
    if isinstance(given, list | tuple):
        return given
    keys = list(y_pred) if isinstance(y_pred, dict) else [*names, *range(len(names), len(y_pred))]
    if isinstance(given, dict):
        parts = [_first(given, [key, *(term for term, one in seen.items() if one == key)]) for key in keys]
    else:
        parts = [given] * len(keys)
    return dict(zip(keys, parts, strict=True)) if isinstance(y_pred, dict) else parts


def _first(given: Mapping[Any, Any], keys: Sequence[Any]) -> Any:
    return next((given[key] for key in keys if key in given), None)


def batch_size(y_pred: Any) -> Tensor:
    """The number of examples."""
    return ops.shape(keras.tree.flatten(y_pred)[0])[0]


def _index(key: str | int, names: list[str], count: int) -> int | None:
    index = names.index(key) if isinstance(key, str) and key in names else key
    return index if isinstance(index, int) and 0 <= index < count else None
