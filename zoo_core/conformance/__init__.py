"""The conformance kit: what a plugin promises to its users, checked by `zoo check` and by `pytest --zoo-plugin`.

A plugin imports `Example` from here, so importing this is light; everything else is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from zoo_core.conformance.example import Example

if TYPE_CHECKING:
    from zoo_core.conformance.results import Result as Result
    from zoo_core.conformance.table import CHECKS as CHECKS

__all__ = ["CHECKS", "Example", "Result"]

_HOMES = {"CHECKS": "table", "Result": "results"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo_core.conformance' has no attribute '{name}'")
    return getattr(import_module(f"zoo_core.conformance.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
