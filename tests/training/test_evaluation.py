"""Measuring presets, recording what was measured, and checking what is recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from zoo_core.errors import EvaluationError
from zoo_core.evaluation import evaluate, verify
from zoo_core.loading import load

pytestmark = pytest.mark.backend

Train = Callable[..., dict[str, Any]]


@pytest.fixture
def run(train_cat: Train, tmp_path: Path) -> Path:
    """The folder of a trained preset."""
    train_cat("run", epochs=1, validation=4)
    return tmp_path / "run"


@pytest.fixture
def data(run: Path, tmp_path: Path) -> Path:
    """The file that it was trained on."""
    return tmp_path / "lights.npz"


def change(run: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    record = json.loads((run / "run.json").read_text())
    edit(record)
    (run / "run.json").write_text(json.dumps(record))


def test_metrics_are_those_of_the_test_split(run: Path, data: Path) -> None:
    measured = evaluate(run, data, seed=7)
    with np.load(data) as arrays:
        answers = load(run).predict(arrays["x_test"][..., None], verbose=0).argmax(axis=1)
        assert measured.metrics["accuracy"] == (answers == arrays["y_test"]).mean()
        commoner = max(arrays["y_test"].mean(), 1 - arrays["y_test"].mean())
    assert measured.baselines == {"accuracy_of_the_commoner_class": commoner}
    assert (measured.split, measured.examples, measured.seed) == ("test", 20, 7)
    assert measured.metrics["seed_seen"] == 7


def test_other_splits_and_fewer_examples_can_be_measured(run: Path, data: Path) -> None:
    assert evaluate(run, data, split="validation").examples == 4
    assert evaluate(run, data, split="train").examples == 40
    assert evaluate(run, data, limit=5).examples == 5


def test_record_has_the_untrained_model_beside_the_trained_one(run: Path, data: Path) -> None:
    measured = evaluate(run, data, seed=5, record=True)
    keras.utils.set_random_seed(5)
    untrained = load(run, weights=False)
    with np.load(data) as arrays:
        answers = untrained.predict(arrays["x_test"][..., None], verbose=0).argmax(axis=1)
        assert measured.baselines["untrained_accuracy"] == (answers == arrays["y_test"]).mean()
    assert "untrained_seed_seen" not in measured.baselines


def test_nothing_is_recorded_unless_asked_for(run: Path, data: Path) -> None:
    before = (run / "run.json").read_bytes()
    evaluate(run, data)
    assert (run / "run.json").read_bytes() == before
    with pytest.raises(EvaluationError, match="records no measurement"):
        verify(run, data)


def test_record_goes_into_run_and_card_and_can_be_verified(run: Path, data: Path) -> None:
    measured = evaluate(run, data, limit=9, seed=3, record=True)
    recorded = json.loads((run / "run.json").read_text())["evaluation"]
    assert recorded["metrics"] == measured.metrics
    assert recorded["baselines"] == measured.baselines
    assert (recorded["split"], recorded["examples"], recorded["seed"]) == ("test", 9, 3)
    assert f"| accuracy | {measured.metrics['accuracy']:.4f}" in (run / "README.md").read_text()
    load(run)
    assert verify(run, data).metrics == measured.metrics


def test_metric_that_is_off_fails_the_verification(run: Path, data: Path) -> None:
    evaluate(run, data, record=True)

    def off_by(difference: float) -> Callable[[dict[str, Any]], None]:
        def edit(record: dict[str, Any]) -> None:
            record["evaluation"]["metrics"]["accuracy"] += difference
            record["evaluation"]["metrics"]["accuracy_standard_error"] = 0.01

        return edit

    change(run, off_by(0.029))
    verify(run, data)
    change(run, off_by(0.002))
    with pytest.raises(EvaluationError, match=r"accuracy is .* recorded is .* \(tolerated: 0.0300 off\)"):
        verify(run, data)


def test_metric_that_is_no_longer_measured_fails_the_verification(run: Path, data: Path) -> None:
    evaluate(run, data, record=True)
    change(run, lambda record: record["evaluation"]["metrics"].update(bits_per_dim=1.25))
    with pytest.raises(EvaluationError, match="bits_per_dim is nan"):
        verify(run, data)


def test_other_data_is_told_apart(run: Path, data: Path, make_data: Callable[..., Path]) -> None:
    evaluate(run, data, record=True)
    other = make_data("other.npz", seed=9)
    with pytest.raises(EvaluationError, match="the data is not the recorded one: other has sha256"):
        verify(run, other)
    with pytest.raises(EvaluationError, match="the data is not the recorded one"):
        evaluate(run, other, record=True)
    assert evaluate(run, other).data["name"] == "other"


def test_own_data_has_to_be_given(run: Path) -> None:
    with pytest.raises(EvaluationError, match="trained on data of its own, 'lights'.*--data"):
        evaluate(run)


def test_metric_that_is_not_finite_is_an_error(
    run: Path, data: Path, pets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pets.CatRecipe, "evaluate", lambda *_: {"accuracy": float("nan")})
    with pytest.raises(EvaluationError, match="accuracy is not finite"):
        evaluate(run, data, record=True)


def test_settings_that_the_recipe_lost_are_left_out(run: Path, data: Path) -> None:
    change(run, lambda record: record["settings"].update(forgotten=3))
    assert evaluate(run, data).examples == 20
