"""The loss of density models."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable(package="glow")
class NegativeLogLikelihood(keras.losses.Loss):
    """Negative log-likelihood in nats, of models whose output is the log-density of each sample.

    `y_true` is ignored, `y_pred` is `(batch,)` or `(batch, ...)` log-densities in nats. Negative values are no mistake:
    a density can exceed 1.

    Args:
        reduction: as in `keras.losses.Loss`.
    """

    def __init__(
        self,
        reduction: str | None = "sum_over_batch_size",
        name: str = "negative_log_likelihood",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """`-y_pred`, sample by sample."""
        return -y_pred

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return {"name": self.name, "reduction": self.reduction}
