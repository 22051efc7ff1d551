"""A model trained with a layer that needs the labels."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.labels import flat_labels
from zoo_metric_learning.layers.labelled import LabelledLayer
from zoo_metric_learning.layers.margin_softmax import MarginSoftmax


@keras.saving.register_keras_serializable(package="metric-learning")
class MetricLearner(keras.Model):
    """A model, and a layer that turns its outputs and the labels into a loss: `CrossBatchMemory`, `CenterLoss`, ...

        learner = zoo_metric_learning.MetricLearner(encoder, zoo_metric_learning.CrossBatchMemory(loss, size=4096))
        learner.compile("adam", metrics=[zoo_metric_learning.RecallAtK(1)])
        learner.fit(x, labels)
        encoder.predict(x)

    Its outputs are those of the model, which holds the trained weights and can be saved on its own. The labels are the
    targets that `fit` and `evaluate` are given, so that nothing has to be an input twice. A loss given to `compile` is
    added, of the labels and the layer's outputs: `ArcFace`, whose outputs are logits, needs
    SparseCategoricalCrossentropy(from_logits=True). Sample weights weigh that loss alone. Metrics see the model's
    outputs; for the accuracy of a margin softmax use `CosineClassifier` and `ArcFaceLoss` in an ordinary model.

    Args:
        model: any model whose outputs the layer takes.
        objective: a layer of this plugin that is called with `[outputs, labels]`.

    Raises:
        ValueError: where the objective is no such layer, or there are no labels; for a loss of probabilities, or an
            accuracy among the metrics, beside a margin softmax.
    """

    def __init__(self, model: keras.Model, objective: LabelledLayer, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(objective, LabelledLayer):
            raise ValueError(f"objective must be a layer that takes labels, such as CenterLoss(10), got {objective!r}")
        self.model = model
        self.objective = objective

    def build(self, input_shape: Any) -> None:
        """Build the model and the objective."""
        if not self.model.built:
            self.model.build(input_shape)
        if not self.objective.built:
            self.objective.build(self.model.compute_output_shape(input_shape))
        self.built = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """What the model makes of the inputs."""
        return self.model(inputs, training=training, mask=mask)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The objective's loss, the compiled one of its outputs, and those that layers of the model add."""
        if y is None:
            raise ValueError("MetricLearner needs the labels: fit(x, labels)")
        if isinstance(self.objective, MarginSoftmax):
            self._require_loss_of_logits()
        outputs, loss = self.objective.with_labels(y_pred, flat_labels(y), training)
        terms = [] if loss is None else [loss]
        if self.loss is not None or self.losses:
            others = super().compute_loss(x, y, outputs, sample_weight, training)
            terms.append(ops.cast(others, terms[0].dtype) if terms else others)
        if not terms:
            raise ValueError(f"{type(self.objective).__name__} adds no loss of its own: give one to compile(loss=...)")
        return sum(terms[1:], start=terms[0])

    def _require_loss_of_logits(self) -> None:
        name = type(self.objective).__name__
        takes_probabilities = isinstance(self.loss, str) or getattr(self.loss, "from_logits", True) is False
        if takes_probabilities and "crossentropy" in str(getattr(self.loss, "name", self.loss)).lower():
            raise ValueError(
                f"{name} gives logits: compile with keras.losses.SparseCategoricalCrossentropy(from_logits=True)"
            )
        if any("acc" in metric for metric in _names(getattr(self._compile_metrics, "_user_metrics", None))):
            raise ValueError(
                f"metrics see the model's embeddings, not the logits of {name}: RecallAtK(1) works on them; for an "
                "accuracy, train CosineClassifier with ArcFaceLoss or AMSoftmaxLoss"
            )

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            **super().get_config(),
            "model": keras.saving.serialize_keras_object(self.model),
            "objective": keras.saving.serialize_keras_object(self.objective),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> MetricLearner:
        """The learner of a configuration."""
        parts = {
            name: keras.saving.deserialize_keras_object(config[name], custom_objects=custom_objects)
            for name in ("model", "objective")
        }
        return cls(**{**config, **parts})


def _names(metrics: Any) -> list[str]:
    """The names of compiled metrics, however nested."""
    if isinstance(metrics, dict):
        metrics = list(metrics.values())
    if isinstance(metrics, list | tuple):
        return [name for metric in metrics for name in _names(metric)]
    return [str(getattr(metrics, "name", None) or getattr(metrics, "__name__", metrics)).lower()]
