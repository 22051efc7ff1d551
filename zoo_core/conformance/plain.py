"""Configurations as plain data, as a JSON file would keep them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from zoo_core.conformance.results import CheckFailed


def plain(value: Any, what: str) -> Any:
    """A value as it comes out of JSON; raises CheckFailed for one that does not go into it."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise CheckFailed(f"{what} is no plain JSON: {error}") from error


def differing(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The keys whose values differ by more than float32 rounds, as a learning rate is rounded when it is a variable."""
    return [key for key in dict.fromkeys([*one, *other]) if not _same(one.get(key), other.get(key))]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return not differing(one, other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6)
    return bool(one == other)
