"""Sums of exponentials over some of a row's numbers, in logarithms."""

from __future__ import annotations

import math
from typing import Any

from keras import ops


def masked_log_sum_exp(logits: Any, weights: Any) -> Any:
    """log sum_j weights_ij exp(logits_ij), without overflow: (rows,); -inf for a row without weights.

    The gradient of a row without weights is 0.
    """
    counted = ops.where(weights > 0, logits, -math.inf)
    highest = ops.max(counted, axis=1)
    exists = highest > -math.inf
    highest = ops.stop_gradient(ops.where(exists, highest, 0))
    sums = ops.sum(weights * ops.exp(counted - highest[:, None]), axis=1)
    return ops.where(exists, highest + ops.log(ops.where(exists, sums, 1)), -math.inf)
