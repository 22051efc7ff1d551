"""Small models, for `zoo check`."""

from __future__ import annotations

import numpy as np

from zoo_core.conformance import Example


def faq_ranker() -> Example:
    """Three pairs over a vocabulary of eight."""
    generator = np.random.Generator(np.random.Philox(0))
    pairs = np.zeros((3, 7, 2), "int32")
    pairs[..., 0] = generator.permuted(np.tile(np.arange(1, 8), (3, 1)), axis=1)
    pairs[..., 1] = generator.integers(0, 3, (3, 7))
    return Example({"words": 8, "units": 4, "question_length": 3, "answer_length": 4}, inputs=pairs)


def center_classifier() -> Example:
    """Three classes of 8 x 8 images."""
    arguments = {"image_shape": [8, 8, 1], "classes": 3, "filters": [4], "units": 8}
    return Example(arguments, input_shape=(8, 8, 1), input_dtype="uint8")
