"""What has to work on every backend is tested on PyTorch too, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

HERE = Path(__file__).parent
FILES = ("test_gradients.py", "test_loading.py", "test_tensors.py")


@pytest.mark.skipif(find_spec("torch") is None, reason="PyTorch is not installed")
def test_weights_and_gradients_on_pytorch():
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *(str(HERE / file) for file in FILES)]
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run(command, env=environment, cwd=HERE.parent, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-3000:]
