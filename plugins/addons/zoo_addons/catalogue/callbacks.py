"""The callbacks of this plugin: where each lives, and how it is tried."""

from __future__ import annotations

CALLBACKS: dict[str, tuple[str, object]] = {
    "BestByMetric": ("callbacks.best_by_metric", "zoo_addons.examples.callbacks:best_by_metric"),
    "Histograms": ("callbacks.histograms", "zoo_addons.examples.callbacks:histograms"),
    "HyperParameterSchedule": ("callbacks.hyper_parameter", "zoo_addons.examples.callbacks:hyper_parameter_schedule"),
    "OneCycle": ("callbacks.one_cycle", "zoo_addons.examples.callbacks:one_cycle"),
    "ProgressBar": ("callbacks.progress_bar", {"mode": "lines"}),
    "Resume": ("callbacks.resume", "zoo_addons.examples.callbacks:resume"),
    "SWA": ("callbacks.swa", "zoo_addons.examples.callbacks:swa"),
    "SampleWriter": ("callbacks.sample_writer", "zoo_addons.examples.callbacks:sample_writer"),
    "TimeBudget": ("callbacks.time_budget", {"minutes": 1.0}),
    "WarmUp": ("callbacks.warm_up", {"steps": 3}),
}
"""Name -> its module within zoo_addons, and how `zoo check` tries it: an Example, or what makes one."""
