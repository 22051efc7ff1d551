"""Pairs beyond the batch: a memory of earlier embeddings."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_core.rows import set_rows
from zoo_metric_learning.arguments import require_count, require_not_negative
from zoo_metric_learning.layers.labelled import LabelledLayer, as_float32
from zoo_metric_learning.losses.base import EmbeddingLoss
from zoo_metric_learning.losses.n_pairs import NPairsLoss
from zoo_metric_learning.pairs import Pairs, pairs_against, pairs_within


@keras.saving.register_keras_serializable(package="metric-learning")
class CrossBatchMemory(LabelledLayer):
    """Cross-batch memory: a loss over pairs, between the batch and the last `size` embeddings of earlier batches.

    Embeddings move slowly, so that those of a few steps ago still serve as positives and negatives; they are kept as
    numbers, without gradient. In training the batch first takes the place of the oldest entries, then

        weight * loss(batch, memory) + batch_weight * loss(batch, batch)

    is added to the model's loss, where no sample is paired with its own entry. Places that are still empty take no
    part, so that the first steps need no care. Outside of training nothing is remembered. Returns its inputs:

        model = zoo_metric_learning.MetricLearner(encoder, CrossBatchMemory(TripletLoss(mining="hard"), size=4096))
        model.compile("adam"); model.fit(x, labels)

    or `CrossBatchMemory(...)([embeddings, labels])` in a functional model. `layer.weight` is a variable that is not
    trained: a callback may schedule it, for instance to leave out the memory in the first epoch.

    Args:
        loss: TripletLoss, ContrastiveLoss, MultiSimilarityLoss, NTXentLoss or SupConLoss, with its miner; or its
            configuration.
        size: number of embeddings, at least that of a batch.
        weight: of the loss against the memory, at least 0, the first value of the variable.
        batch_weight: of the loss within the batch, at least 0.

    Shapes: `[embeddings, labels]`, (batch, dimensions) and (batch,) or (batch, 1), whole numbers of 32 bits ->
    (batch, dimensions). Memory: size * dimensions numbers of 4 bytes, and some matrices (batch, size).

    Raises:
        ValueError: for an argument out of range, another loss, other shapes, or a batch that is known to be larger than
            the memory; of one whose size is not known beforehand the last `size` samples are remembered.

    References:
        Wang, Zhang, Huang and Scott, 2020, Cross-batch memory for embedding learning: arXiv:1912.06798.
    """

    def __init__(
        self, loss: Any, size: int = 4096, weight: float = 1.0, batch_weight: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(loss, dict):
            loss = keras.saving.deserialize_keras_object(loss)
        if not isinstance(loss, EmbeddingLoss) or isinstance(loss, NPairsLoss):
            raise ValueError(f"CrossBatchMemory needs a loss over pairs such as ContrastiveLoss(), got {loss!r}")
        require_count(size=size)
        require_not_negative(weight=weight, batch_weight=batch_weight)
        self.loss = loss
        self.size = int(size)
        self.batch_weight = float(batch_weight)
        self._first_weight = float(weight)

    def build_for(self, shape: tuple[int | None, ...]) -> None:
        """Make the memory, which is empty."""
        if len(shape) != 2 or shape[1] is None:
            raise ValueError(f"embeddings must have shape (batch, dimensions), got {shape}")
        self.embeddings = self._remembered("embeddings", (self.size, shape[1]), None)
        self.labels = self._remembered("labels", (self.size,), "int32")
        self.step = self._remembered("step", (), "int32")
        self.filled = self._remembered("filled", (), "int32")
        self.weight = self.schedulable("weight", self._first_weight)

    def _remembered(self, name: str, shape: tuple[int, ...], dtype: str | None) -> Any:
        return self.add_weight(
            name=name, shape=shape, dtype=dtype, initializer="zeros", trainable=False, autocast=False
        )

    def with_labels(self, inputs: Any, labels: Any, training: bool) -> tuple[Any, Any]:
        """The embeddings, and the loss."""
        embeddings, labels = as_float32(inputs), ops.cast(labels, "int32")
        if embeddings.shape[0] == 0:
            return inputs, ops.sum(embeddings)
        positions = self._remember(ops.stop_gradient(embeddings), labels) if training else None
        valid = ops.arange(self.size, dtype="int32") < self.filled
        pairs = pairs_against(
            labels,
            embeddings,
            ops.convert_to_tensor(self.labels),
            ops.stop_gradient(ops.convert_to_tensor(self.embeddings)),
            valid=valid,
            positions=positions,
        )
        loss = ops.cast(self.weight, embeddings.dtype) * self._mean(pairs)
        if self.batch_weight:
            loss = loss + self.batch_weight * self._mean(pairs_within(labels, embeddings))
        return inputs, loss

    def _mean(self, pairs: Pairs) -> Any:
        return ops.mean(self.loss.of_pairs(pairs))

    def _remember(self, embeddings: Any, labels: Any) -> Any:
        """Put a batch in the place of the oldest entries; where its samples are now, -1 for one without a place."""
        count = embeddings.shape[0]
        if count is not None and count > self.size:
            raise ValueError(f"a memory of {self.size} is too small for a batch of {count}: give a larger size")
        count = ops.cast(ops.shape(embeddings)[0], "int32")
        numbers = ops.arange(ops.shape(embeddings)[0], dtype="int32")
        positions = (self.step + numbers) % self.size
        # A batch whose size is not known beforehand may be larger: its last samples stay.
        set_rows(self.embeddings, positions[-self.size :], embeddings[-self.size :])
        set_rows(self.labels, positions[-self.size :], labels[-self.size :])
        self.step.assign((self.step + count) % self.size)
        self.filled.assign(ops.minimum(self.filled + count, self.size))
        return ops.where(numbers < count - self.size, -1, positions)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "loss": keras.saving.serialize_keras_object(self.loss),
            "size": self.size,
            "weight": self._first_weight,
            "batch_weight": self.batch_weight,
        }
