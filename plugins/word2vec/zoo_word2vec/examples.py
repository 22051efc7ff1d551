"""A small example of the model, for `zoo check`."""

from __future__ import annotations

import numpy as np

from zoo_core.conformance import Example


def word2vec() -> Example:
    """Seven words."""
    return Example({"words": 7, "dimension": 3}, inputs=np.array([[0, 6], [2, 2]], "int32"))
