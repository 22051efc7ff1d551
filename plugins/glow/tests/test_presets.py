"""The bundled presets: small enough, good enough, and what their records say."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import zoo_core
from zoo_core import evaluation, index
from zoo_core.presets import PresetFolder

PACKAGE = Path(__file__).parents[1] / "zoo_glow"
LARGEST = {
    "glow:mnist": 1.45,
    "glow:fashion-mnist": 3.30,
    "realnvp:fashion-mnist": 3.5,
    "nice:mnist": 5.0,
}
"""The most bits per dimension that a preset may need on the test split."""

each_preset = pytest.mark.parametrize("name", LARGEST)


def preset_of(name: str):
    preset = index.find_preset(name)[2]
    assert preset is not None
    return preset


def test_all_presets_are_bundled_and_small():
    presets = [preset_of(name) for name in LARGEST]
    assert {preset.name for preset in presets} == {path.name.replace("-", ":", 1) for path in PACKAGE.glob("presets/*")}
    assert max(preset.size for preset in presets) <= 10_000_000
    assert sum(preset.size for preset in presets) <= 30_000_000


@each_preset
def test_recorded_metrics_are_good_enough_and_beat_the_baselines(name):
    preset = preset_of(name)
    measured = PresetFolder(PACKAGE / preset.folder).run()["evaluation"]
    assert (measured["split"], measured["examples"]) == ("test", 10_000)
    assert preset.metrics["bits_per_dim"] == pytest.approx(measured["metrics"]["bits_per_dim"])
    assert measured["metrics"]["bits_per_dim"] <= LARGEST[name]
    assert measured["metrics"]["bits_per_dim"] < min(measured["baselines"].values())


@pytest.mark.backend
@each_preset
def test_preset_draws_images_and_survives_saving(name, tmp_path):
    model = zoo_core.load(name)
    images = model.sample(4, 0.7, seed=2)
    assert images.std() > 10
    zoo_core.save(model, tmp_path / "copy")
    np.testing.assert_array_equal(zoo_core.load(tmp_path / "copy").sample(4, 0.7, seed=2), images)


@pytest.mark.backend
@each_preset
def test_some_test_images_need_the_bits_that_are_recorded(name):
    folder = Path(os.environ.get("ZOO_DATA") or Path(__file__).parents[4] / "shared" / "data")
    data = folder / preset_of(name).data.replace("-", "_")
    if not data.is_dir():
        pytest.skip(f"{data.name} is not on this machine: set ZOO_DATA to a folder that holds it")
    (file,) = data.glob("*.npz")
    measured = evaluation.evaluate(name, file, limit=200).metrics
    distance = abs(measured["bits_per_dim"] - preset_of(name).metrics["bits_per_dim"])
    assert distance < 4 * measured["bits_per_dim_standard_error"]
    assert measured["images_not_restored"] == 0
