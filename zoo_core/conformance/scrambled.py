"""Weights with values that no initialiser gives, so that one sees whether they were really restored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]


@contextlib.contextmanager
def weights(variables: Sequence[keras.Variable]) -> Iterator[list[Array]]:
    """Give every variable drawn numbers while the block runs, and its own value afterwards; gives what was drawn."""
    import numpy as np

    generator = np.random.Generator(np.random.Philox(0))
    own = [value(variable) for variable in variables]
    drawn = [_drawn(array, generator) for array in own]
    try:
        _assign(variables, drawn)
        yield drawn
    finally:
        _assign(variables, own)


def value(variable: keras.Variable) -> Array:
    """A copy of a variable's value."""
    import keras
    import numpy as np

    return np.array(keras.ops.convert_to_numpy(variable))


def copy(source: Sequence[keras.Variable], destination: Sequence[keras.Variable]) -> None:
    """Give variables the values of others, in order."""
    _assign(destination, [value(variable) for variable in source])


def _drawn(array: Array, generator: np.random.Generator) -> Array:
    import numpy as np

    # From 1/4 to 3/4: no initialiser's value, and whole numbers still differ from zero.
    scale = 100 if array.dtype.kind in "iu" else 1
    drawn = scale * generator.uniform(0.25, 0.75, array.shape)
    return ~array if array.dtype.kind == "b" else np.asarray(drawn).astype(array.dtype)


def _assign(variables: Sequence[keras.Variable], arrays: Sequence[Array]) -> None:
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)
