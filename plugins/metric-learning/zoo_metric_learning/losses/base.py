"""What every loss over embeddings and labels shares."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.labels import flat_labels
from zoo_metric_learning.miners.base import Miner
from zoo_metric_learning.pairs import Pairs, pairs_within


class EmbeddingLoss(keras.losses.Loss):
    """A loss whose `y_true` are labels and whose `y_pred` are embeddings, compared with each other across the batch.

    A subclass says in `shares` what each anchor adds to the loss, which is the sum over the batch. With
    `reduction=None` a call gives one value for each anchor, whose mean is the loss. Sample weights weigh anchors.

    Args:
        miner: a miner, which leaves out pairs or counts them several times; None for all pairs.
        reduction: as in `keras.losses.Loss`.
        name: of the loss.
        dtype: of the computation: that of Keras by default; half precision is raised to float32.
    """

    def __init__(
        self,
        miner: Any = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=raised(dtype))
        self._reduce = _Reduction(name=self.name, reduction=reduction, dtype=self.dtype)
        if isinstance(miner, dict):
            miner = keras.saving.deserialize_keras_object(miner)
        if miner is not None and not isinstance(miner, Miner):
            raise ValueError(f"miner must be a miner such as MultiSimilarityMiner(), got {miner!r}")
        self.miner = miner

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss of labels (batch,) or (batch, 1) and embeddings (batch, dimensions)."""
        # Keras would turn the labels into floats, in which large numbers become one.
        with keras.name_scope(self.name):
            values = self.call(flat_labels(y_true), ops.convert_to_tensor(y_pred, dtype=self.dtype))
        return self._reduce(values, values, sample_weight)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value for each anchor, whose mean is the loss: (batch,)."""
        if y_pred.shape[0] == 0:
            return ops.sum(y_pred, axis=1)
        return self.of_pairs(pairs_within(y_true, y_pred))

    def of_pairs(self, pairs: Pairs) -> Any:
        """The same of any pairs, for instance of a batch and a memory: (anchors,)."""
        if self.miner is not None:
            pairs = self.miner.mined(pairs)
        return self.shares(pairs) * ops.cast(ops.shape(pairs.anchors)[0], pairs.anchors.dtype)

    def shares(self, pairs: Pairs) -> Any:
        """What each anchor adds to the loss: (anchors,)."""
        raise NotImplementedError

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        miner = None if self.miner is None else keras.saving.serialize_keras_object(self.miner)
        return {**super().get_config(), "miner": miner}


class _Reduction(keras.losses.Loss):
    """What Keras does with the values of a loss: sample weights, and the reduction."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return y_pred


def raised(dtype: Any) -> str:
    """The precision that a loss with this dtype (None: Keras' own) computes in: float32, or float64."""
    precision = keras.dtype_policies.get(dtype or keras.config.floatx()).compute_dtype
    return "float64" if precision == "float64" else "float32"
