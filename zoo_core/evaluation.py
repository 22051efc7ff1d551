"""Measuring a trained model by its recipe, recording the result in run.json, and checking what is recorded there."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.errors import EvaluationError
from zoo_core.recipes import STANDARD_ERROR, Recipe, recipe_from_record
from zoo_core.runs import Record, read_record, write_record

if TYPE_CHECKING:
    from zoo_core.data import Splits

_Source = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured on the first `examples` of a split, and with which seed; `data` has its name and sha256.

    `metrics` holds `<metric>_standard_error` beside every metric that has one, `baselines` what a trivial model
    reaches.
    """

    split: str
    examples: int
    seed: int
    metrics: Mapping[str, float]
    baselines: Mapping[str, float]
    data: Mapping[str, str]


def evaluate(
    reference: _Source,
    data: _Source | None = None,
    *,
    split: str = "test",
    seed: int = 0,
    limit: int | None = None,
    record: bool = False,
) -> Evaluation:
    """Measure a preset, by name or folder, on a split of the data it was trained on, or of other `data`.

    `limit` measures the first so many examples only. `record` writes the result into the preset's run.json and card,
    with that of the untrained model among the baselines: for the plugin's author, who runs `zoo manifest update` next.
    Raises UsageError for no split, EvaluationError, DataError.
    """
    from zoo_core.data import check_split

    check_split(split)
    folder = _folder(reference)
    held = read_record(folder)
    measured, recipe = _measure(reference, held, data, split, seed, limit, untrained=record)
    if record:
        if not recipe.measured_on:
            _check_data(reference, held["data"], measured.data)
        _record(folder, held, measured)
    return measured


def verify(reference: _Source, data: _Source | None = None) -> Evaluation:
    """Measure a preset again as its run.json says it was measured.

    Raises EvaluationError where the data is not the recorded one, or where a metric is off by more than the recipe
    tolerates: by default the larger of 0.005 and three recorded standard errors.
    """
    held = read_record(_folder(reference))
    recorded = held.get("evaluation")
    if not recorded:
        raise EvaluationError(f"{reference}: run.json records no measurement", f"zoo evaluate {reference} --record")
    measured, recipe = _measure(reference, held, data, recorded["split"], recorded["seed"], recorded["examples"])
    _check_data(reference, recorded["data"], measured.data)
    if wrong := _deviations(recipe, recorded["metrics"], measured.metrics):
        raise EvaluationError(f"{reference}: measured again, {'; '.join(wrong)}")
    return measured


def _folder(reference: _Source) -> Path:
    from zoo_core.pulling import pull

    path = pull(reference).path
    if path is None:
        raise EvaluationError(f"{reference} has no weights to measure", f"train some: zoo train {reference}")
    return path


def _measure(
    reference: _Source,
    held: Record,
    source: _Source | None,
    split: str,
    seed: int,
    limit: int | None,
    untrained: bool = False,
) -> tuple[Evaluation, Recipe]:
    from zoo_core import backend
    from zoo_core.loading import load

    backend.ensure()
    model = load(reference)
    recipe = recipe_from_record(held)
    data = recipe.load(_data_source(reference, held, recipe, source)).measured_on(split, limit)
    backend.set_random_seed(seed)
    metrics = {name: float(value) for name, value in recipe.evaluate(model, data, seed).items()}
    if bad := [name for name, value in metrics.items() if not math.isfinite(value)]:
        raise EvaluationError(f"{reference}: {', '.join(bad)} is not finite")
    baselines = {name: float(value) for name, value in recipe.baselines(data).items()}
    if untrained:
        baselines |= _untrained(reference, recipe, data, seed)
    measured_data = {"name": data.name, "sha256": data.sha256}
    return Evaluation(split, len(data.test), seed, metrics, baselines, measured_data), recipe


def _untrained(reference: _Source, recipe: Recipe, data: Splits, seed: int) -> dict[str, float]:
    """The metrics that are averages, of the model as it is when training begins."""
    from zoo_core import backend
    from zoo_core.loading import load

    backend.set_random_seed(seed)
    model = load(reference, weights=False)
    recipe.initialise(model, data)
    metrics = recipe.evaluate(model, data, seed)
    return {f"untrained_{name}": float(metrics[name]) for name in metrics if name + STANDARD_ERROR in metrics}


def _data_source(reference: _Source, held: Record, recipe: Recipe, source: _Source | None) -> Any:
    from zoo_core.datasets import DATASETS

    if source is not None or recipe.measured_on:
        return source or recipe.measured_on
    name = held["data"]["name"]
    if name not in DATASETS and name not in recipe.own_data:
        raise EvaluationError(f"{reference} was trained on data of its own, '{name}'", "say where it is: --data PATH")
    return name


def _record(folder: Path, held: Record, measured: Evaluation) -> None:
    if not os.access(folder, os.W_OK):
        raise EvaluationError(f"{folder} cannot be written: the measurement is not recorded")
    write_record(folder, {**held, "evaluation": asdict(measured)})


def _check_data(reference: _Source, recorded: Mapping[str, str], found: Mapping[str, str]) -> None:
    if recorded["sha256"] != found["sha256"]:
        raise EvaluationError(
            f"{reference}: the data is not the recorded one: {found['name']} has sha256 {found['sha256'][:16]}, "
            f"recorded is {recorded['name']}, {recorded['sha256'][:16]}"
        )


def _deviations(recipe: Recipe, recorded: Mapping[str, float], found: Mapping[str, float]) -> list[str]:
    """In which metrics a second measurement is off by more than it may, in words."""
    wrong = []
    for metric, expected in recorded.items():
        if metric.endswith(STANDARD_ERROR):
            continue
        tolerance = recipe.tolerance(metric, recorded.get(metric + STANDARD_ERROR, 0.0))
        value = found.get(metric, math.nan)
        if not abs(value - expected) <= tolerance:
            wrong.append(f"{metric} is {value:.4f}, recorded is {expected:.4f} (tolerated: {tolerance:.4f} off)")
    return wrong
