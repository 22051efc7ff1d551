"""Data that a recipe makes by itself: trained on, measured on and verified by its name, without a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from tests.training.conftest import _images
from zoo_core import evaluation, training
from zoo_core.data import Splits, data_name, load_data, make_splits
from zoo_core.errors import DataError
from zoo_core.recipes import Task


def lights() -> Splits:
    (x_train, y_train), (x_test, y_test) = _images(44, 0), _images(20, 1)
    return make_splits("lights", "CC0-1.0", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


def test_own_data_goes_before_data_sets_and_has_a_validation_split() -> None:
    splits = load_data("lights", own={"lights": lights}, validation=4)
    assert splits.sizes == {"train": 40, "validation": 4, "test": 20}
    assert (splits.name, splits.license, splits.shape) == ("lights", "CC0-1.0", (4, 4, 1))
    assert data_name("lights", {"lights": lights}) == "lights"
    assert load_data("mnist", own={"mnist": lights}).name == "lights"
    with pytest.raises(DataError, match="no data set is called 'lights'"):
        data_name("lights")


def test_splits_that_do_not_fit_are_refused() -> None:
    with pytest.raises(DataError, match="twos: 2 examples but 1 labels in y_train"):
        make_splits("twos", "CC0-1.0", x_train=np.zeros((2, 3)), x_test=np.zeros((1, 3)), y_train=np.zeros(1))


@pytest.mark.backend
def test_a_run_on_own_data_can_be_measured_and_verified_by_name(
    pets: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclass(frozen=True, kw_only=True)
    class Recipe(pets.CatRecipe):
        own_data: ClassVar = {"lights": lights}
        data: str = "lights"

    monkeypatch.setattr(pets, "CatRecipe", Recipe)
    record = training.train(Task("pets/cat", pets.Cat, Recipe), out=tmp_path / "run", progress="none")
    assert record["variant"] == record["data"]["name"] == "lights"
    assert record["data"]["license"] == "CC0-1.0"
    measured = evaluation.evaluate(tmp_path / "run", record=True)
    assert measured.data["sha256"] == lights().sha256
    assert evaluation.verify(tmp_path / "run").metrics == measured.metrics
