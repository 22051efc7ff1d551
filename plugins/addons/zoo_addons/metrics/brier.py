"""Mean squared error of probabilities."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from zoo_addons.metrics.predictions import PredictionMetric, Predictions, Tensor


@keras.saving.register_keras_serializable(package="addons")
class BrierScore(PredictionMetric):
    """Mean squared distance of probabilities to what came true, a proper score: `mean sum_k (p_k - y_k)^2`.

    It is least where the probabilities are the true ones, so it sees both calibration and sharpness. For several
    classes the sum is over all of them, as Brier had it: from 0 to 2. For binary labels it is `mean (p - y)^2`, the
    half of that, from 0 to 1, as is usual there.

        model.compile("adam", loss="sparse_categorical_crossentropy", metrics=[BrierScore()])

    Args:
        labels: "sparse", whole numbers; "one_hot", one number for each class; "binary", 0 or 1 for each output, which
            is the probability of 1; "auto" sees by the shapes which of them it is (binary if there is one output).
        from_logits: whether `y_pred` are logits; otherwise they are probabilities.
        ignore_class: a label that marks what is left out, -1 say.
        name: of the metric.
        dtype: of the computation; half precision is raised to float32.

    Raises:
        ValueError: for other shapes, and labels out of range where their values can be seen. In compiled code such a
            whole number counts as none of the classes.

    References:
        Brier, 1950. Verification of forecasts expressed in terms of probability. Monthly Weather Review 78
    """

    def __init__(
        self,
        labels: str = "auto",
        from_logits: bool = False,
        ignore_class: int | None = None,
        name: str = "brier_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(labels, from_logits, ignore_class, name, dtype)
        self.total = self.add_variable((), "zeros", dtype=self.dtype, name="total")
        self.count = self.add_variable((), "zeros", dtype=self.dtype, name="count")

    def add(self, predictions: Predictions) -> None:
        """Add the squared distances of a batch."""
        distances = ops.sum(ops.square(predictions.probabilities - predictions.outcomes), axis=-1)
        self.total.assign(self.total + ops.sum(distances * predictions.weights))
        self.count.assign(self.count + ops.sum(predictions.weights))

    def result(self) -> Tensor:
        """The mean of what was counted; 0 before anything was."""
        return ops.divide_no_nan(self.total, self.count)
