"""Examples that take more than a line."""

import numpy as np

from zoo_core.conformance import Example


def blend():
    """Two vectors in a list, and a layer within."""
    from zoo_coral.parts import Scale

    vectors = np.linspace(-1, 1, 12, dtype="float32").reshape(2, 6)
    return Example({"inner": Scale(2)}, inputs=[vectors[:, :4], vectors[:, 2:]])
