"""Recipes: settings with their types, defaults for each data set, and errors that say what was meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from zoo_core.errors import RecipeError
from zoo_core.recipes import ImageRecipe, Recipe, default_data, make_recipe, setting_types


@dataclass(frozen=True, kw_only=True)
class FlowRecipe(Recipe):
    """A recipe with a setting of every type."""

    variants: ClassVar[Mapping[str, Mapping[str, Any]]] = {"mnist": {"epochs": 40, "filters": [8, 16]}}

    data: str = "mnist"
    epochs: int = 30
    batch_size: int = 64
    learning_rate: float = 1e-3
    logit: bool = False
    filters: tuple[int, ...] = (64,)
    decay: float | None = None
    coupling: str = "affine"


def test_settings_come_from_class_then_variant_then_user() -> None:
    assert make_recipe(FlowRecipe, "fashion-mnist", {}).epochs == 30
    assert make_recipe(FlowRecipe, "mnist", {}).epochs == 40
    assert make_recipe(FlowRecipe, "mnist", {}).filters == (8, 16)
    assert make_recipe(FlowRecipe, "mnist", {"epochs": "5"}).epochs == 5
    assert make_recipe(FlowRecipe, "flowers32", {}).data == "flowers32"


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "7", 7),
        ("learning_rate", "1e-4", 1e-4),
        ("learning_rate", 1, 1.0),
        ("logit", "yes", True),
        ("logit", "off", False),
        ("filters", "8,16,32", (8, 16, 32)),
        ("filters", "8", (8,)),
        ("filters", [4, 2], (4, 2)),
        ("decay", "none", None),
        ("decay", "0.5", 0.5),
        ("decay", None, None),
        ("coupling", "additive", "additive"),
        ("seed", "3", 3),
    ],
)
def test_settings_are_parsed_by_their_type(name: str, text: object, value: object) -> None:
    found = getattr(make_recipe(FlowRecipe, "", {name: text}), name)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("epochs", "many", "setting epochs='many': expected a whole number"),
        ("epochs", 1.5, "expected a whole number"),
        ("epochs", True, "expected a whole number"),
        ("epochs", "0", "epochs: expected at least 1"),
        ("batch_size", "0", "batch_size: expected at least 1"),
        ("learning_rate", "fast", "expected a number"),
        ("learning_rate", "nan", "expected a number"),
        ("logit", "perhaps", "expected true or false"),
        ("filters", "8,x", "expected a whole number"),
        ("coupling", 3, "expected text"),
        ("epoch", "3", "has no setting 'epoch', did you mean 'epochs'"),
    ],
)
def test_unfit_settings_are_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        make_recipe(FlowRecipe, "mnist", {name: value})


def test_recipe_without_defaults_is_named() -> None:
    with pytest.raises(RecipeError, match="Recipe is no complete recipe"):
        make_recipe(Recipe, "mnist", {})


def test_settings_are_listed_with_their_types() -> None:
    types = setting_types(FlowRecipe)
    assert list(types)[:3] == ["data", "epochs", "batch_size"]
    assert types["learning_rate"] is float
    assert "variants" not in types


def test_default_data_is_that_of_the_class() -> None:
    assert default_data(FlowRecipe) == "mnist"
    assert default_data(Recipe) == ""


def test_metrics_may_be_off_by_three_standard_errors_but_at_least_a_little() -> None:
    recipe = FlowRecipe()
    assert recipe.tolerance("bits_per_dim", 0.0) == 0.005
    assert recipe.tolerance("bits_per_dim", 0.01) == pytest.approx(0.03)


def test_batches_are_taken_from_every_array() -> None:
    recipe = FlowRecipe()
    random = np.random.default_rng(0)
    index = np.array([2, 0])
    x, y = recipe.batch((np.arange(3), np.arange(10, 13)), index, random)
    assert (x.tolist(), y.tolist()) == ([2, 0], [12, 10])
    assert recipe.batch(np.arange(3), index, random).tolist() == [2, 0]


def test_image_recipe_reduces_a_folder_to_its_size(tmp_path: Path) -> None:
    from PIL import Image

    for split, value in (("train", 10), ("test", 20)):
        (tmp_path / split).mkdir()
        Image.new("RGB", (8 + value, 9), (value, 0, 0)).save(tmp_path / split / "a.png")

    @dataclass(frozen=True, kw_only=True)
    class PhotoRecipe(ImageRecipe):
        epochs: int = 1
        batch_size: int = 1

    data = make_recipe(PhotoRecipe, "photos", {"image_size": "4"}).load(tmp_path)
    assert data.shape == (4, 4, 3)


def test_importing_recipes_loads_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys, zoo_core.recipes, zoo_core.training, zoo_core.evaluation, zoo_core.data, zoo_core.runs\n"
        "print({'keras', 'numpy', 'tensorflow', 'jax', 'torch', 'PIL'} & set(sys.modules))"
    )
    root = Path(__file__).resolve().parents[1]
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert found.stdout.strip() == "set()"
