"""One value for all levels of a flow, or one for each."""

from __future__ import annotations

from collections.abc import Sequence


def each_level(value: int | Sequence[int], levels: int) -> tuple[int, ...]:
    """One number for each level: a single one is repeated. Raises ValueError for another count, or no levels."""
    if levels < 1:
        raise ValueError(f"levels={levels}: a flow needs at least 1 level")
    values = (value,) if isinstance(value, int) else tuple(value)
    values = values * levels if len(values) == 1 else values
    if len(values) != levels:
        raise ValueError(f"{len(values)} values {values} were given for {levels} levels")
    return values
