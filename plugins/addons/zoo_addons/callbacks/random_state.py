"""The global random generators of Python, NumPy and PyTorch, which decide in what order `fit(shuffle=True)` reads."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping

import numpy as np


def random_arrays() -> dict[str, np.ndarray]:
    """Their states. TensorFlow's order is drawn within its data pipeline, and cannot be read."""
    version, words, gauss = random.getstate()
    kind, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    states: dict[str, np.ndarray] = {
        "python": np.array([version, *words], np.int64),
        "python_gauss": np.array([] if gauss is None else [gauss], np.float64),
        "numpy": np.array(keys, np.uint32),
        "numpy_more": np.array([position, has_gauss, cached], np.float64),
    }
    assert kind == "MT19937"
    if torch := sys.modules.get("torch"):
        states["torch"] = torch.get_rng_state().numpy().copy()
    return states


def set_random_arrays(states: Mapping[str, np.ndarray]) -> None:
    """Set them to these states."""
    version, *words = states["python"].tolist()
    gauss = states["python_gauss"].tolist()
    random.setstate((version, tuple(words), gauss[0] if gauss else None))
    position, has_gauss, cached = states["numpy_more"].tolist()
    np.random.set_state(("MT19937", states["numpy"], int(position), int(has_gauss), cached))
    if "torch" in states and (torch := sys.modules.get("torch")):
        torch.set_rng_state(torch.from_numpy(np.array(states["torch"])))
