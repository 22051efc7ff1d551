"""How many examples each property gets: few in CI, the same ones every time; 10^6 in all in a deep run.

pytest tests/properties --hypothesis-profile=deep                               most of an hour
ZOO_PROPERTIES_SHARE=0.01 pytest tests/properties --hypothesis-profile=deep     a hundredth of that
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, settings

from tests.properties import watch

DEEP = "deep"


def examples(deep: int, few: int = 200) -> Callable[[Any], Any]:
    """Gives a property `few` examples, or `deep` ones with `--hypothesis-profile=deep`, and counts them."""
    is_deep = settings.get_current_profile_name() == DEEP
    share = float(os.environ.get("ZOO_PROPERTIES_SHARE", "1"))
    chosen = settings(
        max_examples=max(1, round(deep * share)) if is_deep else few,
        derandomize=not is_deep,
        deadline=None,  # watch.py keeps the time: of the call alone, and of the processor instead of the clock
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    def prepared(test: Any) -> Any:
        inner = test.hypothesis.inner_test

        @functools.wraps(inner)
        def counted(*arguments: Any, **named: Any) -> Any:
            watch.count_example()
            return inner(*arguments, **named)

        test.hypothesis.inner_test = counted
        return chosen(test)

    return prepared
