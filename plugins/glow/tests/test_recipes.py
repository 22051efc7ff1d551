"""The recipes: architecture by data, baselines by hand, and a short real training that beats one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from zoo_core.data import Splits
from zoo_core.errors import DataError, RecipeError
from zoo_glow.levels import each_level
from zoo_glow.recipes import GlowRecipe, NICERecipe, RealNVPRecipe, histogram_bits_per_dim


def splits(shape, n=64, seed=0) -> Splits:
    generator = np.random.Generator(np.random.Philox(seed))
    images = generator.integers(0, 256, (n, *shape), dtype=np.uint8)
    return Splits(name="noise", license="none", sha256="0" * 64, train=images, test=images[:16])


def test_histogram_baseline_by_hand():
    train = np.zeros((254, 1, 2, 1), "uint8")
    train[:, 0, 1, 0] = np.arange(254)
    test = np.zeros((1, 1, 2, 1), "uint8")
    expected = (-np.log2(255 / 510) - np.log2(2 / 510)) / 2
    assert histogram_bits_per_dim(train, test) == pytest.approx(expected)


def test_histogram_baseline_of_uniform_noise_is_about_eight_bits():
    data = splits((4, 4, 1), n=20_000)
    assert histogram_bits_per_dim(data.train, data.test) == pytest.approx(8, abs=0.15)


def test_one_value_is_spread_over_levels():
    assert each_level((8,), 3) == each_level(8, 3) == (8, 8, 8)
    assert each_level((8, 4), 2) == (8, 4)
    with pytest.raises(ValueError, match="at least 1"):
        each_level(8, 0)


def test_settings_for_too_many_levels_are_named():
    with pytest.raises(RecipeError, match="setting steps: 3 values"):
        GlowRecipe(steps=(1, 2, 3)).arguments(splits((8, 8, 1)))


def test_a_few_unrestored_images_do_not_fail_a_verification():
    assert GlowRecipe().tolerance("images_not_restored", 0.0) == 10
    assert GlowRecipe().tolerance("bits_per_dim", 0.01) == pytest.approx(0.03)


@pytest.mark.parametrize("recipe", [GlowRecipe, RealNVPRecipe])
def test_images_that_cannot_be_halved_are_refused(recipe):
    with pytest.raises(DataError, match="6x4 cannot be halved 2 times"):
        recipe().arguments(splits((6, 4, 1)))


@pytest.mark.parametrize("recipe", [GlowRecipe, RealNVPRecipe, NICERecipe])
def test_vectors_are_refused(recipe):
    data = dataclasses.replace(splits((4, 4, 1)), train=np.zeros((3, 7), "uint8"))
    with pytest.raises(DataError, match="images"):
        recipe().arguments(data)


@pytest.mark.backend
@pytest.mark.parametrize(
    ("recipe", "model"),
    [
        (GlowRecipe(steps=(1,), filters=(4,), depth=0), "glow:Glow"),
        (RealNVPRecipe(couplings=(1,), filters=(4,), depth=0), "realnvp:RealNVP"),
        (NICERecipe(units=8, depth=1), "nice:NICE"),
    ],
)
def test_recipe_makes_a_model_and_measures_it(recipe, model):
    from zoo_core.host import resolve

    data = splits((8, 8, 1), n=32)
    flow = resolve(f"zoo_glow.models.{model}")(**recipe.arguments(data))
    recipe.initialise(flow, data)
    recipe.compile(flow, steps=10)
    metrics = recipe.evaluate(flow, data, seed=1, limit=8)
    bits = flow.bits_per_dim(data.test[:8], seed=1)
    assert metrics["bits_per_dim"] == pytest.approx(bits.mean())
    assert metrics["bits_per_dim_standard_error"] == pytest.approx(bits.std() / np.sqrt(8))
    assert metrics["images_not_restored"] == 0
