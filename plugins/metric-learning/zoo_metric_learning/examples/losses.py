"""Small examples of the losses, for `zoo check`."""

from __future__ import annotations

import numpy as np

from zoo_core.conformance import Example

LABELS = np.array([0, 1, 0, 2, 1, 2, 0], "int32")


def embeddings() -> Example:
    """Three classes, with pairs and triplets of every kind."""
    return Example(inputs=(LABELS, _numbers((7, 4))))


def triplet() -> Example:
    """Every triplet, with the soft margin."""
    arguments = {"mining": "all", "soft_margin": True, "margin": 0.0, "distance": "cosine", "average": "all"}
    return Example(arguments, inputs=(LABELS, _numbers((7, 4))))


def mined() -> Example:
    """With its miner."""
    from zoo_metric_learning.miners.multi_similarity import MultiSimilarityMiner

    return Example({"miner": MultiSimilarityMiner()}, inputs=(LABELS, _numbers((7, 4))))


def views() -> Example:
    """Two batches whose rows belong together."""
    return Example(inputs=(_numbers((5, 4)), _numbers((5, 4), seed=1)))


def cosines() -> Example:
    """Cosines with three classes."""
    return Example(inputs=(LABELS, np.tanh(_numbers((7, 3)))))


def _numbers(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.Generator(np.random.Philox(seed)).standard_normal(shape).astype("float32")
