"""The pairs of a batch: which references are positives, and which negatives, of each anchor."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from keras import ops

from zoo_metric_learning.arguments import require_matrix
from zoo_metric_learning.distances import at_least_float32
from zoo_metric_learning.labels import flat_labels, require_as_many


@dataclass(frozen=True, slots=True)
class Pairs:
    """Anchors, the references they are compared with, and two matrices of weights.

    `positives` and `negatives` have shape (anchors, references): 1 for a pair that counts, 0 for one that does not; a
    miner sets to 0 what it leaves out, and may count a pair several times.
    """

    anchors: Any
    references: Any
    labels: Any
    reference_labels: Any
    positives: Any
    negatives: Any
    within_batch: bool = True

    def weighted(self, positives: Any, negatives: Any) -> Pairs:
        """The same with other weights."""
        return replace(self, positives=positives, negatives=negatives)


def pairs_within(labels: Any, embeddings: Any) -> Pairs:
    """Every sample of a batch with every other one.

    Raises ValueError where shapes are known not to be (batch, dimensions) and (batch,) or (batch, 1).
    """
    labels, embeddings = checked(labels, embeddings)
    same = labels[:, None] == labels[None, :]
    count = ops.shape(labels)[0]
    positions = ops.arange(count)
    others = positions[:, None] != positions[None, :]
    return Pairs(
        embeddings,
        embeddings,
        labels,
        labels,
        ops.cast(ops.logical_and(same, others), embeddings.dtype),
        ops.cast(ops.logical_not(same), embeddings.dtype),
    )


def pairs_against(
    labels: Any, embeddings: Any, reference_labels: Any, references: Any, *, valid: Any, positions: Any = None
) -> Pairs:
    """Every sample of a batch with every reference.

    Args:
        labels: (batch,) or (batch, 1).
        embeddings: (batch, dimensions).
        reference_labels: (references,).
        references: (references, dimensions).
        valid: (references,), whether there is one in this place.
        positions: (batch,), which reference is the sample itself, and so no pair; None where none is.
    """
    labels, embeddings = checked(labels, embeddings)
    same = labels[:, None] == reference_labels[None, :]
    positive = ops.logical_and(same, valid[None, :])
    if positions is not None:
        itself = ops.arange(references.shape[0], dtype=positions.dtype)[None, :] == positions[:, None]
        positive = ops.logical_and(positive, ops.logical_not(itself))
    return Pairs(
        embeddings,
        ops.cast(references, embeddings.dtype),
        labels,
        reference_labels,
        ops.cast(positive, embeddings.dtype),
        ops.cast(ops.logical_and(ops.logical_not(same), valid[None, :]), embeddings.dtype),
        within_batch=False,
    )


def checked(labels: Any, embeddings: Any) -> tuple[Any, Any]:
    """Labels (batch,) and embeddings (batch, dimensions) in float32 or float64. Raises ValueError for other shapes."""
    embeddings = at_least_float32(embeddings)
    require_matrix("embeddings", embeddings)
    labels = flat_labels(labels)
    require_as_many(labels, embeddings)
    return labels, embeddings


def share(sums: Any, counts: Any) -> Any:
    """What each anchor adds to the average: sums (anchors,) divided by the number of all that are averaged over."""
    return sums / ops.maximum(ops.sum(counts), 1)
