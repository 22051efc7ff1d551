"""Logits with a margin: class weights, and in training a margin for the right class."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_count, require_not_negative, require_positive
from zoo_metric_learning.distances import similarities
from zoo_metric_learning.layers.labelled import LabelledLayer, as_float32
from zoo_metric_learning.margins import am_softmax, arc_face, one_hot, require_angle, simpler_a_softmax


class MarginSoftmax(LabelledLayer):
    """Scaled cosines with one weight vector for each class; in training that of the right class has a margin.

    Called as `layer([embeddings, labels])`, and without labels, or outside of training, for plain cosines times the
    scale. Its outputs are logits: `compile(loss=SparseCategoricalCrossentropy(from_logits=True))`. A subclass says what
    the margin does. `CosineClassifier` and a margin loss do the same without labels as an input.
    """

    def __init__(self, classes: int, scale: float, initializer: Any = "glorot_uniform", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        require_count(classes=classes)
        require_positive(scale=scale)
        self.classes = int(classes)
        self.scale = float(scale)
        self.initializer = keras.initializers.get(initializer)

    def lowered(self, cosines: Any, of_label: Any) -> Any:
        """The cosines with the margin: `of_label` is 1 for the class of each sample, else 0."""
        raise NotImplementedError

    def build_for(self, shape: tuple[int | None, ...]) -> None:
        """Make the class weights."""
        if len(shape) != 2 or shape[1] is None:
            raise ValueError(f"embeddings must have shape (batch, dimensions), got {shape}")
        self.class_weights = self.add_weight(
            name="class_weights", shape=(self.classes, shape[1]), initializer=self.initializer, autocast=False
        )

    def with_labels(self, inputs: Any, labels: Any, training: bool) -> tuple[Any, Any]:
        """The logits, in training with the margin; no loss is added."""
        cosines = self._cosines(inputs)
        if training:
            cosines = self.lowered(cosines, one_hot(labels, cosines))
        return self.scale * cosines, None

    def without_labels(self, inputs: Any) -> Any:
        """The logits without margin: (batch, classes)."""
        return self.scale * self._cosines(inputs)

    def _cosines(self, inputs: Any) -> Any:
        return ops.clip(similarities(as_float32(inputs), as_float32(self.class_weights)), -1, 1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """(batch, classes)."""
        return super().compute_output_shape(input_shape)[0], self.classes

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "classes": self.classes, "scale": self.scale, "initializer": initializer}


@keras.saving.register_keras_serializable(package="metric-learning")
class ArcFace(MarginSoftmax):
    """ArcFace: scaled cosines with the classes, where in training a margin is added to the angle of the right class.

        s cos(t_y + m) for the label y, s cos t_j for the others; beyond an angle of pi - m, s (cos t_y - m sin m)

    Called as `layer([embeddings, labels])`; without labels, or outside of training, all are s cos t_j. They are logits:
    compile with `SparseCategoricalCrossentropy(from_logits=True)`. `CosineClassifier` with `ArcFaceLoss` is the same
    and needs no labels as an input.

    Args:
        classes: number of classes.
        margin: m in radians, from 0 to pi/2.
        scale: s, above 0.
        initializer: of the class weights.

    Shapes: `[embeddings, labels]`, (batch, dimensions) and (batch,) or (batch, 1) -> (batch, classes). A label out of
    range raises ValueError where its value is known, and otherwise has no margin.

    Raises:
        ValueError: for an argument out of range, a label out of range, or other shapes.

    References:
        Deng, Guo, Xue and Zafeiriou, 2019, ArcFace: arXiv:1801.07698.
    """

    def __init__(self, classes: int, margin: float = 0.5, scale: float = 64.0, **kwargs: Any) -> None:
        super().__init__(classes, scale=scale, **kwargs)
        require_angle(margin)
        self.margin = float(margin)

    def lowered(self, cosines: Any, of_label: Any) -> Any:
        """cos(t + m)."""
        return arc_face(cosines, of_label, self.margin)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable(package="metric-learning")
class AMSoftmax(MarginSoftmax):
    """AM-softmax (CosFace): scaled cosines with the classes; in training that of the right class is less a margin.

        s (cos t_y - m) for the label y, s cos t_j for the others

    Called as `layer([embeddings, labels])`; without labels, or outside of training, all are s cos t_j. They are logits:
    compile with `SparseCategoricalCrossentropy(from_logits=True)`. `CosineClassifier` with `AMSoftmaxLoss` is the same
    and needs no labels as an input.

    Args:
        classes: number of classes.
        margin: m, at least 0.
        scale: s, above 0.
        initializer: of the class weights.

    Shapes: `[embeddings, labels]`, (batch, dimensions) and (batch,) or (batch, 1) -> (batch, classes). A label out of
    range raises ValueError where its value is known, and otherwise has no margin.

    Raises:
        ValueError: for an argument out of range, a label out of range, or other shapes.

    References:
        Wang, Liu, Liu and Cheng, 2018, Additive margin softmax: arXiv:1801.05599. In Chinese: kexue.fm/archives/5743.
    """

    def __init__(self, classes: int, margin: float = 0.35, scale: float = 30.0, **kwargs: Any) -> None:
        super().__init__(classes, scale=scale, **kwargs)
        require_not_negative(margin=margin)
        self.margin = float(margin)

    def lowered(self, cosines: Any, of_label: Any) -> Any:
        """cos - m."""
        return am_softmax(cosines, of_label, self.margin)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable(package="metric-learning")
class SimplerASoftmax(MarginSoftmax):
    """The simpler A-softmax: scaled cosines; in training min(cos 4t, cos t) takes the place of the right class's.

        s min(cos 4t_y, cos t_y) for the label y, s cos t_j for the others

    Called as `layer([embeddings, labels])`; without labels, or outside of training, all are s cos t_j. They are logits:
    compile with `SparseCategoricalCrossentropy(from_logits=True)`. `CosineClassifier` with `SimplerASoftmaxLoss` is the
    same and needs no labels as an input.

    Args:
        classes: number of classes.
        scale: s, above 0.
        initializer: of the class weights.

    Shapes: `[embeddings, labels]`, (batch, dimensions) and (batch,) or (batch, 1) -> (batch, classes). A label out of
    range raises ValueError where its value is known, and otherwise has no margin.

    Raises:
        ValueError: for an argument out of range, a label out of range, or other shapes.

    References:
        Su, 2018, kexue.fm/archives/5743.
    """

    def __init__(self, classes: int, scale: float = 30.0, **kwargs: Any) -> None:
        super().__init__(classes, scale=scale, **kwargs)

    def lowered(self, cosines: Any, of_label: Any) -> Any:
        """min(cos 4t, cos t)."""
        return simpler_a_softmax(cosines, of_label)
