"""The functions that a step computes with: `keras.ops`, and on PyTorch its own, where `keras.ops` costs too much.

There every operation runs by itself, on matrices of a few thousand numbers, and what Keras does around each takes about
as long as the operation.
"""

from __future__ import annotations

import importlib
from typing import Any

import keras

ops: Any = importlib.import_module("zoo_word2vec.torch_numeric" if keras.backend.backend() == "torch" else "keras.ops")

__all__ = ["ops"]
