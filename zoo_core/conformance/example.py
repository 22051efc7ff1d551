"""What an author declares beside a registration, so that the checks know how to make the thing and what to feed it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Example:
    """How to try one component or model: small, so that building it takes a moment.

    Given as `register(..., example=...)`: an Example, its `arguments` alone as a dictionary, or, for what needs Keras
    or NumPy, the import path of a function without arguments that makes an Example anew each time it is needed.

    Args:
        arguments: of the constructor. What is not given keeps its default.
        inputs: what a layer or model is called with: an array, or a list or dictionary of arrays; a tuple of arrays
            stands for several positional arguments. For a loss `(y_true, y_pred)`; for a callback what its model is
            fitted to, `(x,)` or `(x, y)`.
        input_shape: instead of `inputs`, the shape of one example, as in `(28, 28, 1)`: a batch of two is drawn from
            N(0, 1). Left out with `inputs`, batches of a few usual shapes are tried.
        input_dtype: of what is drawn for `input_shape`; integers are drawn from 0 to 9, uint8 from 0 to 255.
        model: for a callback, a function that returns a compiled model to fit; by default a dense layer on vectors.
        base_class: this exists to be subclassed and is of no use itself: nothing of it is run.
    """

    arguments: Mapping[str, Any] = field(default_factory=dict)
    inputs: Any = None
    input_shape: tuple[int, ...] | None = None
    input_dtype: str = "float32"
    model: Callable[[], Any] | None = None
    base_class: bool = False
