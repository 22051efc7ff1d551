"""Cross-entropy of cosines with a margin: AM-softmax, ArcFace and the simpler A-softmax."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_metric_learning.arguments import require_matrix, require_not_negative, require_positive
from zoo_metric_learning.distances import at_least_float32
from zoo_metric_learning.labels import flat_labels, require_as_many
from zoo_metric_learning.losses.base import raised
from zoo_metric_learning.margins import am_softmax, arc_face, one_hot, require_angle, simpler_a_softmax


class MarginSoftmaxLoss(keras.losses.Loss):
    """Cross-entropy of `scale` times cosines, where that of the right class is lowered by a margin.

    `y_pred` are cosines of shape (batch, classes), as `CosineClassifier(classes)` gives; `y_true` labels from 0 to
    classes - 1, (batch,) or (batch, 1). A label that is none of them raises ValueError where its value is known; in
    compiled code its loss is 0. A subclass says what the margin does.
    """

    def __init__(
        self,
        scale: float,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=raised(dtype))
        require_positive(scale=scale)
        self.scale = float(scale)

    def lowered(self, cosines: Any, of_label: Any) -> Any:
        """The cosines with the margin: `of_label` is 1 for the class of each sample, else 0."""
        raise NotImplementedError

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The cross-entropy of each sample: (batch,)."""
        cosines = at_least_float32(y_pred)
        require_matrix("cosines", cosines)
        labels = flat_labels(y_true)
        require_as_many(labels, cosines)
        of_label = one_hot(labels, cosines)
        return ops.categorical_crossentropy(of_label, self.scale * self.lowered(cosines, of_label), from_logits=True)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "scale": self.scale}


@keras.saving.register_keras_serializable(package="metric-learning")
class AMSoftmaxLoss(MarginSoftmaxLoss):
    """AM-softmax (CosFace): cross-entropy of cosines, with a margin subtracted from that of the right class.

        -log(exp(s (cos_y - m)) / (exp(s (cos_y - m)) + sum over j != y of exp(s cos_j)))

    With m = 0 it is the cross-entropy of the scaled cosines.

    Args:
        margin: m, at least 0.
        scale: s, above 0.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Shapes: labels (batch,) or (batch, 1), cosines (batch, classes), as `CosineClassifier(classes)` gives.

    Raises:
        ValueError: for a margin below 0, a scale of 0 or less, a label out of range, or other shapes.

    References:
        Wang, Liu, Liu and Cheng, 2018, Additive margin softmax: arXiv:1801.05599.
        Wang and others, 2018, CosFace: arXiv:1801.09414. In Chinese: kexue.fm/archives/5743.
    """

    def __init__(
        self,
        margin: float = 0.35,
        scale: float = 30.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(scale=scale, reduction=reduction, name=name, dtype=dtype)
        require_not_negative(margin=margin)
        self.margin = float(margin)

    def lowered(self, cosines: Any, of_label: Any) -> Any:
        """cos - m."""
        return am_softmax(cosines, of_label, self.margin)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable(package="metric-learning")
class ArcFaceLoss(MarginSoftmaxLoss):
    """ArcFace: cross-entropy of cosines, with a margin added to the angle of the right class.

        -log(exp(s cos(t_y + m)) / (exp(s cos(t_y + m)) + sum over j != y of exp(s cos t_j)))

    Beyond an angle of pi - m, where cos(t + m) would rise again, it is cos t - m sin m.

    Args:
        margin: m in radians, from 0 to pi/2; the paper's 0.5 is 28.6 degrees.
        scale: s, above 0.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Shapes: labels (batch,) or (batch, 1), cosines (batch, classes), as `CosineClassifier(classes)` gives.

    Raises:
        ValueError: for a margin outside [0, pi/2], a scale of 0 or less, a label out of range, or other shapes.

    References:
        Deng, Guo, Xue and Zafeiriou, 2019, ArcFace: arXiv:1801.07698.
    """

    def __init__(
        self,
        margin: float = 0.5,
        scale: float = 64.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(scale=scale, reduction=reduction, name=name, dtype=dtype)
        require_angle(margin)
        self.margin = float(margin)

    def lowered(self, cosines: Any, of_label: Any) -> Any:
        """cos(t + m)."""
        return arc_face(cosines, of_label, self.margin)

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "margin": self.margin}


@keras.saving.register_keras_serializable(package="metric-learning")
class SimplerASoftmaxLoss(MarginSoftmaxLoss):
    """The simpler A-softmax: cross-entropy of cosines, where the right class has min(cos 4t, cos t) in place of cos t.

        -log(exp(s psi(t_y)) / (exp(s psi(t_y)) + sum over j != y of exp(s cos t_j))),  psi(t) = min(cos 4t, cos t)

    A-softmax without its cases: in cosines cos 4t = 8 cos^4 t - 8 cos^2 t + 1, and there is no margin to choose.

    Args:
        scale: s, above 0.
        reduction, name, dtype: as in `keras.losses.Loss`.

    Shapes: labels (batch,) or (batch, 1), cosines (batch, classes), as `CosineClassifier(classes)` gives.

    Raises:
        ValueError: for a scale of 0 or less, a label out of range, or other shapes.

    References:
        Su, 2018, kexue.fm/archives/5743.
        Liu and others, 2017, SphereFace (A-softmax): arXiv:1704.08063.
    """

    def __init__(
        self,
        scale: float = 30.0,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(scale=scale, reduction=reduction, name=name, dtype=dtype)

    def lowered(self, cosines: Any, of_label: Any) -> Any:
        """min(cos 4t, cos t)."""
        return simpler_a_softmax(cosines, of_label)
