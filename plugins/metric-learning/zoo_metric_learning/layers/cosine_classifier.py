"""Classes as directions: cosines of embeddings with a weight vector for each class."""

from __future__ import annotations

from typing import Any

import keras

from zoo_metric_learning.arguments import require_count
from zoo_metric_learning.distances import similarities
from zoo_metric_learning.layers.labelled import as_float32


@keras.saving.register_keras_serializable(package="metric-learning")
class CosineClassifier(keras.layers.Layer):
    """Cosines of the embeddings with one weight vector for each class: a dense layer of unit vectors, without bias.

        outputs_j = x . w_j / (|x| |w_j|)

    What the margin softmax losses take: `CosineClassifier(10)` as the last layer, then `compile("adam",
    loss=ArcFaceLoss(), metrics=["accuracy"])`. The class weights, or proxies, are trained with the model. Outputs are
    float32 under mixed precision too.

    Args:
        classes: number of classes.
        initializer: of the class weights.

    Shapes: (batch, dimensions) -> (batch, classes), from -1 to 1.

    Raises:
        ValueError: for a number of classes below 1, or other shapes.

    References:
        Wang, Xiang, Cheng and Yuille, 2017, NormFace: arXiv:1704.06369.
    """

    def __init__(self, classes: int, initializer: Any = "glorot_uniform", **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        require_count(classes=classes)
        self.classes = int(classes)
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape: Any) -> None:
        """Make the class weights."""
        if len(input_shape) != 2 or input_shape[1] is None:
            raise ValueError(f"embeddings must have shape (batch, dimensions), got {tuple(input_shape)}")
        self.class_weights = self.add_weight(
            name="class_weights", shape=(self.classes, input_shape[1]), initializer=self.initializer, autocast=False
        )
        self.built = True

    def call(self, inputs: Any) -> Any:
        """The cosines: (batch, classes)."""
        return similarities(as_float32(inputs), as_float32(self.class_weights))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, int]:
        """(batch, classes)."""
        return input_shape[0], self.classes

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        initializer = keras.initializers.serialize(self.initializer)
        return {**super().get_config(), "classes": self.classes, "initializer": initializer}
