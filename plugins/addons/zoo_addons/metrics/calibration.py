"""Whether probabilities mean what they say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from zoo_addons.metrics.predictions import PredictionMetric, Predictions, Tensor

CELLS = 8192
"""How finely probabilities are counted where the bins are made of them later; even in their log-odds."""
LARGEST_LOG_ODDS = 16.2
"""Just above the log-odds of 1 - 1e-7, the greatest probability below 1 that float32 can tell."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability diagram: for each bin that is not empty the mean probability, how often it came true, the weight.

    The weights sum to 1, and the expected calibration error is `sum(weights * abs(confidences - accuracies))`.
    """

    confidences: np.ndarray
    accuracies: np.ndarray
    weights: np.ndarray


@keras.saving.register_keras_serializable(package="addons")
class ExpectedCalibrationError(PredictionMetric):
    """By how much confidence and accuracy differ (ECE): `sum_b n_b / n |confidence_b - accuracy_b|` over bins b.

    For several classes the confidence is the greatest probability, and accuracy is how often that class came true. For
    binary labels it is the probability of 1, and how often it was 1. Of n predictions that are perfectly calibrated the
    ECE is not 0 but noise, about `sum_b sqrt(2 v_b n_b / pi) / n` with the mean variance `v_b = p (1 - p)`.

        model.compile("adam", loss="sparse_categorical_crossentropy", metrics=[ExpectedCalibrationError()])
        model.evaluate(x, y)                             # streams: bins, not predictions, are kept

        metric = ExpectedCalibrationError()              # the diagram
        metric.update_state(y, model.predict(x))
        metric.reliability().accuracies

    Args:
        bins: how many.
        binning: "equal_width", bins `((b - 1) / bins, b / bins]`; or "equal_mass", with equally many predictions in
            each (adaptive ECE), whose borders are found to 0.001 of a probability.
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
        Guo, Pleiss, Sun and Weinberger, 2017. On calibration of modern neural networks. arXiv:1706.04599
        Nixon et al., 2019. Measuring calibration in deep learning. arXiv:1904.01685
    """

    def __init__(
        self,
        bins: int = 15,
        binning: str = "equal_width",
        labels: str = "auto",
        from_logits: bool = False,
        ignore_class: int | None = None,
        name: str = "expected_calibration_error",
        dtype: Any = None,
    ) -> None:
        super().__init__(labels, from_logits, ignore_class, name, dtype)
        if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
            raise ValueError(f"ExpectedCalibrationError(bins={bins!r}): bins must be a whole number from 1")
        if binning not in ("equal_width", "equal_mass"):
            raise ValueError(
                f"ExpectedCalibrationError(binning={binning!r}): binning must be equal_width or equal_mass"
            )
        self.bins, self.binning = bins, binning
        cells = bins if binning == "equal_width" else CELLS
        self.weights, self.confidences, self.outcomes = (
            self.add_variable((cells,), "zeros", dtype=self.dtype, name=name)
            for name in ("weights", "confidences", "outcomes")
        )

    def add(self, predictions: Predictions) -> None:
        """Count the confidences of a batch, and whether they were right, by cell."""
        top = ops.argmax(predictions.probabilities, axis=-1, keepdims=True)
        confidence, outcome = (
            ops.squeeze(ops.take_along_axis(each, top, axis=-1), axis=-1)
            for each in (predictions.probabilities, predictions.outcomes)
        )
        cells = self._cells(confidence)
        for sums, values in ((self.weights, 1), (self.confidences, confidence), (self.outcomes, outcome)):
            sums.assign(sums + ops.segment_sum(predictions.weights * values, cells, num_segments=sums.shape[0]))

    def _cells(self, confidence: Tensor) -> Tensor:
        if self.binning == "equal_width":
            place = ops.ceil(confidence * self.bins) - 1
        else:
            inside = ops.clip(confidence, 1e-7, 1 - 1e-7)
            log_odds = ops.log(inside) - ops.log1p(-inside)
            place = ops.floor((log_odds / LARGEST_LOG_ODDS + 1) / 2 * CELLS)
        return ops.cast(ops.clip(place, 0, self.weights.shape[0] - 1), "int32")

    def _binned(self) -> list[Tensor]:
        """Weights, and weighted sums of confidences and outcomes, by bin."""
        sums = [ops.convert_to_tensor(each) for each in (self.weights, self.confidences, self.outcomes)]
        if self.binning == "equal_width":
            return sums
        # A cell belongs to the bin that the middle of its mass falls into.
        middle = ops.divide_no_nan(ops.cumsum(sums[0]) - sums[0] / 2, ops.sum(sums[0]))
        bins = ops.cast(ops.clip(ops.floor(middle * self.bins), 0, self.bins - 1), "int32")
        return [ops.segment_sum(each, bins, num_segments=self.bins) for each in sums]

    def result(self) -> Tensor:
        """The error over all that was counted; 0 before anything was."""
        weights, confidences, outcomes = self._binned()
        return ops.divide_no_nan(ops.sum(ops.abs(confidences - outcomes)), ops.sum(weights))

    def reliability(self) -> Reliability:
        """The reliability diagram of what was counted."""
        weights, confidences, outcomes = (ops.convert_to_numpy(each) for each in self._binned())
        full = weights > 0
        weights, confidences, outcomes = weights[full], confidences[full], outcomes[full]
        return Reliability(confidences / weights, outcomes / weights, weights / weights.sum())

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {**super().get_config(), "bins": self.bins, "binning": self.binning}
