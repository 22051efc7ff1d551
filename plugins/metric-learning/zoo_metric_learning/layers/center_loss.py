"""The center loss."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_choice, require_count, require_fraction, require_not_negative
from zoo_metric_learning.labels import require_range
from zoo_metric_learning.layers.labelled import LabelledLayer, as_float32

_UPDATES = ("gradient", "moving")


@keras.saving.register_keras_serializable(package="metric-learning")
class CenterLoss(LabelledLayer):
    """Center loss: pulls the features of each class towards a center of it. Returns the features as they are.

    It adds, to whatever loss the model has, usually the cross-entropy of a softmax over the same features,

        weight * mean over the batch of |x - c_y|^2

    (the paper's lambda is twice this weight). Centers follow the features in one of two ways:

    - "gradient": they are trained like other weights. The gradient by c_y of one sample is -2 weight (x - c_y).
    - "moving", as in the paper: after each training step a center moves towards the n features of its class in the
      batch, c += rate * sum of (x - c) / (1 + n), whatever the optimizer does.

    Features should come out of a linear layer: relu would confine them to a corner. In a functional model:

        features = keras.layers.Dense(2)(hidden)
        features = zoo_metric_learning.CenterLoss(classes=10)([features, labels])
        logits = classifier(features)

    and for inference `classifier(keras.layers.Dense's output)`; or `MetricLearner(encoder, CenterLoss(10))`, or
    `layer.distances(features, labels)` in a model's own `compute_loss`. `layer.weight` is a variable that is not
    trained: a callback may schedule it. The loss is added in evaluation too; centers move in training alone.

    Args:
        classes: number of classes.
        weight: at least 0, the first value of the variable.
        update: "gradient" or "moving".
        rate: of the "moving" update, between 0 and 1.
        initializer: of the centers.

    Shapes: `[features, labels]`, (batch, dimensions) and (batch,) or (batch, 1), labels from 0 to classes - 1; features
    alone are passed on. A label out of range raises ValueError where its value is known, and otherwise adds nothing.

    Raises:
        ValueError: for an argument out of range, a label out of range, or other shapes.

    References:
        Wen, Zhang, Li and Qiao, 2016, A discriminative feature learning approach for deep face recognition (ECCV).
        In Chinese: Su, 2017, kexue.fm/archives/4493.
    """

    def __init__(
        self,
        classes: int,
        weight: float = 0.2,
        update: str = "gradient",
        rate: float = 0.5,
        initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        require_count(classes=classes)
        require_not_negative(weight=weight)
        require_choice("update", update, _UPDATES)
        require_fraction(rate=rate)
        self.classes = int(classes)
        self.update = update
        self.rate = float(rate)
        self.initializer = keras.initializers.get(initializer)
        self._first_weight = float(weight)

    def build_for(self, shape: tuple[int | None, ...]) -> None:
        """Make the centers and the weight."""
        if len(shape) != 2 or shape[1] is None:
            raise ValueError(f"features must have shape (batch, dimensions), got {shape}")
        self.centers = self.add_weight(
            name="centers",
            shape=(self.classes, shape[1]),
            initializer=self.initializer,
            trainable=self.update == "gradient",
            autocast=False,
        )
        self.weight = self.schedulable("weight", self._first_weight)

    def with_labels(self, inputs: Any, labels: Any, training: bool) -> tuple[Any, Any]:
        """The features, and the loss."""
        squares = self.distances(inputs, labels)
        loss = ops.cast(self.weight, squares.dtype) * ops.sum(squares) / max_one(ops.shape(squares)[0], squares.dtype)
        if training and self.update == "moving":
            self._move(ops.stop_gradient(as_float32(inputs)), labels)
        return inputs, loss

    def distances(self, features: Any, labels: Any) -> Any:
        """|x - c_y|^2 of each sample, 0 where its label is no class: (batch,)."""
        require_range(labels, self.classes)
        features, is_class = as_float32(features), self._is_class(labels)
        centers = ops.take(self.centers, ops.where(is_class, ops.cast(labels, "int32"), 0), axis=0)
        squares = ops.sum(ops.square(features - ops.cast(centers, features.dtype)), axis=1)
        return ops.where(is_class, squares, 0)

    def _is_class(self, labels: Any) -> Any:
        return ops.logical_and(labels >= 0, labels < self.classes)

    def _move(self, features: Any, labels: Any) -> None:
        centers = as_float32(self.centers)
        members = ops.arange(self.classes, dtype="int32")[:, None] == ops.cast(labels, "int32")
        members = ops.cast(members, centers.dtype)
        counts = ops.sum(members, axis=1, keepdims=True)
        differences = ops.matmul(members, features) - counts * centers
        self.centers.assign(centers + self.rate * differences / (1 + counts))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "classes": self.classes,
            "weight": self._first_weight,
            "update": self.update,
            "rate": self.rate,
            "initializer": keras.initializers.serialize(self.initializer),
        }


def max_one(count: Any, dtype: Any) -> Any:
    """A number of samples, at least 1, as a divisor."""
    return ops.maximum(ops.cast(count, dtype), 1)
