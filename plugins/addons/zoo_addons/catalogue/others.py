"""What no registry knows: metrics, schedules, functions. Public name -> its module within zoo_addons."""

from __future__ import annotations

OTHERS: dict[str, str] = {
    "BrierScore": "metrics.brier",
    "ExpectedCalibrationError": "metrics.calibration",
    "TrainStep": "steps.step",
    "compose": "optimizers.composed",
    "PiecewiseLinear": "schedules.piecewise_linear",
    "CosineSchedule": "callbacks.hyper_schedules",
    "CyclicSchedule": "callbacks.hyper_schedules",
    "LinearSchedule": "callbacks.hyper_schedules",
    "StepSchedule": "callbacks.hyper_schedules",
    "ShuffledBatches": "callbacks.shuffled_batches",
    "estimate_batch_statistics": "callbacks.batch_statistics",
}
