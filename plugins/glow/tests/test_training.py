"""A short real training on real images, from the recipe to samples: it must beat the baseline."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from zoo_core import evaluation, loading, training

pytestmark = pytest.mark.backend


@pytest.fixture
def clothes(tmp_path) -> Path:
    """Fashion-MNIST reduced to 14 x 14, 6,000 images to train on and 500 to test on, as a file."""
    folders = [os.environ.get("ZOO_DATA"), Path(__file__).parents[4] / "shared" / "data"]
    files = [Path(folder) / "fashion_mnist" / "fashion_mnist.npz" for folder in folders if folder]
    source = next((file for file in files if file.exists()), None)
    if source is None:
        pytest.skip("Fashion-MNIST is not on this machine: set ZOO_DATA to a folder that holds fashion_mnist/")
    with np.load(source) as arrays:
        reduced = {
            name: arrays[name][:count].reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).round().astype("uint8")[..., None]
            for name, count in (("x_train", 6000), ("x_test", 500))
        }
    np.savez(tmp_path / "clothes.npz", **reduced)
    return tmp_path / "clothes.npz"


def test_a_minute_of_training_beats_the_histogram_and_the_untrained_model(clothes, tmp_path):
    out = tmp_path / "run"
    settings = {
        "epochs": 2,
        "levels": 1,
        "steps": (4,),
        "filters": (24,),
        "depth": 0,
        "average": 0.9,
        "warmup": 20,
    }
    record = training.train("glow", clothes, settings, out=out, progress="none")
    assert record["steps"] == 2 * (6000 // 64)
    measured = evaluation.evaluate(out, clothes)
    bits = measured.metrics["bits_per_dim"]
    assert bits < measured.baselines["per_pixel_histogram_bits_per_dim"] - 0.3
    untrained = loading.load(out, weights=False)
    with np.load(clothes) as arrays:
        untrained.initialise(arrays["x_train"][:512])
        assert bits < untrained.bits_per_dim(arrays["x_test"]).mean() - 0.3
    assert measured.metrics["images_not_restored"] == 0
    assert (out / "samples" / "epoch-0002.png").stat().st_size > 1000
    assert loading.load(out).sample(4, 0.7).std() > 10
