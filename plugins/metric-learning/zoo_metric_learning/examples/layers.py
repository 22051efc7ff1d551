"""Small examples of the layers, for `zoo check`."""

from __future__ import annotations

from typing import Any

import numpy as np

from zoo_core.conformance import Example
from zoo_metric_learning.examples.losses import LABELS


def add_loss() -> Example:
    """Between two views."""
    from zoo_metric_learning.losses.info_nce import InfoNCELoss

    return Example({"loss": InfoNCELoss(), "weight": 0.5}, inputs=[_embeddings(1), _embeddings()])


def center_loss() -> Example:
    """Three classes, and the paper's centers."""
    return _labelled({"classes": 3, "update": "moving"})


def margin_softmax() -> Example:
    """Three classes."""
    return _labelled({"classes": 3})


def cross_batch_memory() -> Example:
    """A memory of one batch and a bit."""
    from zoo_metric_learning.losses.contrastive import ContrastiveLoss

    return _labelled({"loss": ContrastiveLoss(), "size": 10})


def _labelled(arguments: dict[str, Any]) -> Example:
    return Example(arguments, inputs=[_embeddings(), LABELS])


def _embeddings(seed: int = 0) -> np.ndarray:
    return np.random.Generator(np.random.Philox(seed)).standard_normal((7, 4)).astype("float32")
