"""What a component is called with: the inputs that its example gives, or a drawn batch of a shape that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from zoo_core.conformance.example import Example

USUAL_SHAPES = ((8,), (8, 8, 4), (6, 4))
"""Of vectors, images and sequences: tried in turn where an example gives neither inputs nor a shape."""

_BATCH = 2
_WHOLE = {"uint8": 256}


def positional(example: Example) -> Iterator[tuple[Any, ...]]:
    """The positional arguments of a call: those of the example, or else candidates, one after the other."""
    if example.inputs is not None:
        yield example.inputs if isinstance(example.inputs, tuple) else (example.inputs,)
    elif example.input_shape is not None:
        yield (draw(example.input_shape, example.input_dtype),)
    else:
        yield from ((draw(shape, example.input_dtype),) for shape in USUAL_SHAPES)


def draw(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray[Any, Any]:
    """A batch of two examples of this shape, always the same: N(0, 1), whole numbers from 0 to 9, uint8 to 255."""
    import numpy as np

    generator = np.random.Generator(np.random.Philox(0))
    size = (_BATCH, *shape)
    if dtype.startswith(("int", "uint")):
        return generator.integers(0, _WHOLE.get(dtype, 10), size).astype(dtype)
    return generator.standard_normal(size).astype(dtype)


def labels() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """What a loss is tried with by default: one-hot classes and probabilities, `(4, 3)` each."""
    import numpy as np

    generator = np.random.Generator(np.random.Philox(0))
    scores = np.exp(generator.standard_normal((4, 3)))
    return np.eye(3, dtype="float32")[[0, 1, 2, 0]], (scores / scores.sum(1, keepdims=True)).astype("float32")
