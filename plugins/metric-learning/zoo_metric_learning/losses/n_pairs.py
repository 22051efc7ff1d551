"""The N-pairs loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_not_negative
from zoo_metric_learning.distances import similarities
from zoo_metric_learning.exponentials import masked_log_sum_exp
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
        samples, is_pair, first, second = _first_and_second(pairs.labels)
        anchors, positives = ops.take(pairs.anchors, first, axis=0), ops.take(pairs.anchors, second, axis=0)
        logits = similarities(anchors, positives, normalize=self.normalize)
        weights = ops.cast(is_pair, logits.dtype)
        found = ops.where(is_pair, masked_log_sum_exp(logits, weights[None, :]), 0)
        losses = weights * (found - ops.diagonal(logits))
        if self.regularization:
            squares = ops.sum(ops.square(anchors), axis=1) + ops.sum(ops.square(positives), axis=1)
            losses = losses + weights * squares * (self.regularization / 2)
        return ops.segment_sum(share(losses, weights), first, num_segments=samples)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        config = {**super().get_config(), "normalize": self.normalize, "regularization": self.regularization}
        return {key: value for key, value in config.items() if key != "miner"}


def _first_and_second(labels: Any) -> tuple[Any, Any, Any, Any]:
    """The batch size n; (n + 1) // 2 places for pairs, whether each holds one, and its two samples."""
    samples = ops.shape(labels)[0]
    order = ops.argsort(labels)
    ranked = ops.take(labels, order)
    same = ops.cast(ranked[1:] == ranked[:-1], "int32")
    nothing = ops.zeros_like(ops.cast(order[:1], "int32"))
    is_like_next, is_like_last = ops.concatenate([same, nothing]), ops.concatenate([nothing, same])
    starts_pair = is_like_next * (1 - is_like_last)
    places = ops.argsort(1 - starts_pair)[: (samples + 1) // 2]
    first, second = ops.take(order, places), ops.take(order, ops.minimum(places + 1, samples - 1))
    return samples, ops.take(starts_pair, places) > 0, first, second
