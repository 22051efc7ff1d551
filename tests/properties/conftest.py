"""The deep profile, and the counts of a run: `--hypothesis-profile=deep`, written to $ZOO_PROPERTIES_LOG as it goes."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import configuration, settings

from tests.properties import watch
from tests.properties.profiles import DEEP

settings.register_profile(DEEP)


# Else Hypothesis would keep its files in the checkout.
configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir(), "zoo-hypothesis"))


@pytest.fixture(autouse=True)
def _counted(request):
    """What happens in a test is counted under its name."""
    with watch.counting(request.node.name):
        yield
    if path := os.environ.get("ZOO_PROPERTIES_LOG"):
        watch.write(path)
