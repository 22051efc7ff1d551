"""The optimizers of this plugin: where each lives, and how it is tried."""

from __future__ import annotations

OPTIMIZERS: dict[str, tuple[str, object]] = {
    "AdaBelief": ("optimizers.adabelief", None),
    "Composed": (
        "optimizers.composed",
        {"weight_decay": 0.1, "layer_adaptation": True, "lookahead": {"sync_period": 2}},
    ),
    "GradientAccumulation": ("steps.accumulation", {"steps": 2}),
    "Heun": ("steps.runge_kutta", None),
    "LayerAdaptation": ("optimizers.modifiers", None),
    "LARS": ("optimizers.lars", None),
    "LazyAdam": ("optimizers.lazy_adam", None),
    "Lookahead": ("optimizers.lookahead", {"sync_period": 2}),
    "Prodigy": ("optimizers.prodigy", None),
    "RAdam": ("optimizers.radam", None),
    "RK2": ("steps.runge_kutta", None),
    "RK23": ("steps.adaptive_runge_kutta", None),
    "RK4": ("steps.runge_kutta", None),
    "SAM": ("steps.sam", None),
    "WeightDecay": ("optimizers.modifiers", None),
}
"""Name -> its module within zoo_addons, and how `zoo check` tries it: an Example, or what makes one."""
