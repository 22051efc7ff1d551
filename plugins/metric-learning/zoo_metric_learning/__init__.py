"""Losses over embeddings, miners, retrieval metrics, and two models trained with them.

Importing this imports nothing else: each name is looked up in `zoo_metric_learning.catalogue` when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from zoo_metric_learning.catalogue import HOMES

__all__ = sorted(HOMES)


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
