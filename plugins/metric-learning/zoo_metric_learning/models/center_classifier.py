"""A classifier of images with few features, drawn to one center for each class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import keras
import numpy as np
from keras import ops

from zoo_metric_learning.labels import flat_labels
from zoo_metric_learning.layers.center_loss import CenterLoss

BATCH = 500


@keras.saving.register_keras_serializable(package="metric-learning")
class CenterClassifier(keras.Model):
    """Convolutions, a few linear features, and a softmax over them: `-log softmax_y(W x + b) + w |x - c_y|^2`.

    The first term parts the classes, the second draws the features of each class to its center, so that distances
    between features mean something, also for classes that were never seen. With two features they can be drawn.

    Calling it on uint8 images gives a dictionary: `logits` `(batch, classes)` and `features` `(batch, dimensions)`.
    `compile(optimizer, metrics=["accuracy"])` and `fit(images, labels)` train it, labels being 0 to classes - 1.

    Args:
        image_shape: `(height, width, channels)`.
        classes: how many there are.
        dimensions: number of features.
        filters: of each convolution 3x3, each followed by a pooling that halves the image.
        units: width of the dense layer before the features.
        center_weight: how much the centers count, w; 0 is softmax alone.
        center_update: "gradient": centers are trained as weights are; "moving": each moves towards its features.
        center_rate: of the moving update, see `CenterLoss`.

    References:
        Wen, Zhang, Li, Qiao, 2016. A discriminative feature learning approach for deep face recognition.
        Su, 2017. kexue.fm post 4493.
    """

    argument_limits: ClassVar = {
        "image_shape": (1, 1024),
        "classes": (2, 100_000),
        "dimensions": (1, 4096),
        "filters": (1, 2048),
        "units": (1, 16384),
        "center_weight": (0, 1000),
        "center_rate": (0, 1),
    }

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (28, 28, 1),
        classes: int = 10,
        dimensions: int = 2,
        filters: Sequence[int] = (16, 32),
        units: int = 128,
        center_weight: float = 0.02,
        center_update: str = "gradient",
        center_rate: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if classes < 2 or min(dimensions, units, *image_shape) < 1 or not center_weight >= 0:
            raise ValueError(
                f"CenterClassifier(image_shape={image_shape}, classes={classes}, dimensions={dimensions}, "
                f"units={units}, center_weight={center_weight}): at least 2 classes, sizes of 1 or more and a weight "
                "of 0 or more are needed"
            )
        self.image_shape = tuple(int(size) for size in image_shape)
        self.classes, self.dimensions = classes, dimensions
        self.filters, self.units = tuple(filters), units
        self.center_weight, self.center_update, self.center_rate = center_weight, center_update, center_rate
        body: list[keras.Layer] = [keras.layers.Rescaling(1 / 127.5, -1.0)]
        for width in self.filters:
            body += [keras.layers.Conv2D(width, 3, padding="same", activation="relu"), keras.layers.MaxPooling2D()]
        body += [keras.layers.Flatten(), keras.layers.Dense(units, activation="relu"), keras.layers.Dense(dimensions)]
        self.body = keras.Sequential(body)
        self.body.build((None, *self.image_shape))
        self.head = keras.layers.Dense(classes, dtype="float32")
        self.head.build((None, dimensions))
        self.center_loss = (
            CenterLoss(classes, weight=center_weight, update=center_update, rate=center_rate) if center_weight else None
        )
        if self.center_loss is not None:
            self.center_loss.build((None, dimensions))
        self.built = True

    def call(self, images: Any, training: bool = False) -> dict[str, Any]:
        """Logits and features of images `(batch, height, width, channels)`."""
        if tuple(images.shape[1:]) != self.image_shape:
            raise ValueError(f"CenterClassifier takes images of shape {self.image_shape}, got {tuple(images.shape)}")
        features = ops.cast(self.body(images, training=training), "float32")
        return {"logits": self.head(features), "features": features}

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Cross-entropy of the logits and, with a weight, the squared distance to the class' center.

        Sample weights weigh the cross-entropy alone.
        """
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(y, y_pred["logits"], sample_weight)
        if self.center_loss is None:
            return loss
        return loss + self.center_loss.with_labels(y_pred["features"], flat_labels(y), training)[1]

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Compiled metrics look at the logits."""
        return super().compute_metrics(x, y, y_pred["logits"], sample_weight)

    def features(self, images: np.ndarray) -> np.ndarray:
        """The features of uint8 images, `(images, dimensions)`."""
        return self._in_batches("features", images, self.dimensions)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """The logits of uint8 images, `(images, classes)`."""
        return self._in_batches("logits", images, self.classes)

    def center_positions(self) -> np.ndarray:
        """Where the centers are, `(classes, dimensions)`; `(0, dimensions)` without center loss."""
        if self.center_loss is None:
            return np.zeros((0, self.dimensions), "float32")
        return np.asarray(ops.convert_to_numpy(self.center_loss.centers))

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {
            "image_shape": list(self.image_shape),
            "classes": self.classes,
            "dimensions": self.dimensions,
            "filters": list(self.filters),
            "units": self.units,
            "center_weight": self.center_weight,
            "center_update": self.center_update,
            "center_rate": self.center_rate,
        }

    def _in_batches(self, name: str, images: np.ndarray, width: int) -> np.ndarray:
        parts = [
            ops.convert_to_numpy(self(ops.convert_to_tensor(images[start : start + BATCH]))[name])
            for start in range(0, len(images), BATCH)
        ]
        return np.concatenate(parts) if parts else np.zeros((0, width), "float32")
