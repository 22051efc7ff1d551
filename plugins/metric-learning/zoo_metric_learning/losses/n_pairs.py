"""The N-pairs loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_not_negative
from zoo_metric_learning.distances import similarities
from zoo_metric_learning.losses.base import EmbeddingLoss
from zoo_metric_learning.pairs import Pairs, share


@keras.saving.register_keras_serializable(package="metric-learning")
class NPairsLoss(EmbeddingLoss):
    """N-pairs loss: one pair of each class, whose anchor should find its positive among those of the other classes.

    Of each class in the batch the first sample is the anchor a and the second the positive p; further samples, and
    classes of one sample, take no part. With dot products, averaged over the N classes i:

        -log(exp(a_i . p_i) / sum over j of exp(a_i . p_j))  +  regularization (|a_i|^2 + |p_i|^2) / 2

    Args:
        normalize: whether embeddings are brought to length 1 first. The paper does not, and holds lengths down by
            regularization instead.
        regularization: weight of the squared lengths, at least 0.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Shapes: labels (batch,) or (batch, 1), embeddings (batch, dimensions). Without a pair it is 0.

    Raises:
        ValueError: for a regularization below 0, or other shapes.

    References:
        Sohn, 2016, Improved deep metric learning with multi-class N-pair loss objective (NIPS).
    """

    def __init__(
        self,
        normalize: bool = False,
        regularization: float = 0.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction=reduction, name=name, dtype=dtype)
        require_not_negative(regularization=regularization)
        self.normalize = normalize
        self.regularization = float(regularization)

    def shares(self, pairs: Pairs) -> Any:
        """What each sample adds to the loss, which is 0 for all but the anchors: (batch,)."""
        if not pairs.within_batch:
            raise ValueError("the N-pairs loss takes its pairs from one batch, and works with no memory")
        is_pair, chosen, samples = _first_and_second(pairs.labels)
        anchors, positives = ops.split(ops.take(pairs.anchors, chosen, axis=0), 2)
        logits = similarities(anchors, positives, normalize=self.normalize)
        weights = ops.cast(is_pair, logits.dtype)
        # Places without a pair are no choice for any anchor.
        logits = ops.where(is_pair[None, :], logits, _IMPOSSIBLE)
        own = ops.arange(ops.shape(logits)[0], dtype="int32")
        losses = ops.where(is_pair, ops.sparse_categorical_crossentropy(own, logits, from_logits=True), 0)
        if self.regularization:
            squares = ops.sum(ops.square(anchors), axis=1) + ops.sum(ops.square(positives), axis=1)
            losses = losses + weights * squares * (self.regularization / 2)
        return ops.segment_sum(share(losses, weights), chosen[: ops.shape(losses)[0]], num_segments=samples)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        config = {**super().get_config(), "normalize": self.normalize, "regularization": self.regularization}
        return {key: value for key, value in config.items() if key != "miner"}


def _first_and_second(labels: Any) -> tuple[Any, Any, Any]:
    """Whether each of (n + 1) // 2 places holds a pair; all its first samples, then all second ones; n, the batch size.

    In the order of labels two pairs never begin at neighbours, so that each two positions make one place.
    """
    samples = ops.shape(labels)[0]
    order = ops.argsort(labels)
    ranked = ops.take(labels, order)
    same = ranked[1:] == ranked[:-1]
    nothing = ops.zeros((1,), dtype="bool")
    starts = ops.logical_and(
        ops.concatenate([same, nothing, nothing]),
        ops.logical_not(ops.concatenate([nothing, same, nothing])),
    )
    places = (samples + 1) // 2
    starts = ops.reshape(starts[: 2 * places], (-1, 2))
    first = 2 * ops.arange(places, dtype="int32") + ops.cast(starts[:, 1], "int32")
    positions = ops.concatenate([first, ops.minimum(first + 1, samples - 1)])
    return ops.any(starts, axis=1), ops.take(order, positions), samples


_IMPOSSIBLE = -1e38
"""A logit whose exponential is 0 beside any other; not infinite, since 0 times that is not a number."""
