"""The bundled presets: small enough, better than the baselines, and what their records say."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

import zoo_core
from zoo_core import data, index
from zoo_core.presets import PresetFolder
from zoo_metric_learning.postings import ranks

PACKAGE = Path(__file__).parents[1] / "zoo_metric_learning"
RANKER, CLASSIFIER = "faq-ranker:qa-medical-zh", "center-classifier:fashion-mnist"
LEAST = {
    RANKER: {"mrr": 0.44, "top_1": 0.32, "top_5": 0.55, "top_10": 0.67, "mrr_of_all": 0.19},
    CLASSIFIER: {"accuracy": 0.88, "knn_accuracy": 0.87},
}
"""What each has to reach on the test split."""
FILES = {RANKER: "qa_medical_zh/med_qa.tsv.xz", CLASSIFIER: "fashion_mnist/fashion_mnist.npz"}

each_preset = pytest.mark.parametrize("name", LEAST)


def preset_of(name: str):
    preset = index.find_preset(name)[2]
    assert preset is not None
    return preset


def test_all_presets_are_bundled_and_small():
    presets = [preset_of(name) for name in LEAST]
    assert len(presets) == len(list(PACKAGE.glob("presets/*")))
    assert sum(preset.size for preset in presets) <= 15_000_000


@each_preset
def test_recorded_metrics_are_good_enough_and_beat_every_baseline(name):
    evaluation_ = PresetFolder(PACKAGE / preset_of(name).folder).run()["evaluation"]
    assert evaluation_["split"] == "test"
    assert evaluation_["examples"] == {RANKER: 329, CLASSIFIER: 10_000}[name]
    metrics, baselines = evaluation_["metrics"], evaluation_["baselines"]
    for metric, least in LEAST[name].items():
        assert metrics[metric] >= least
        assert all(metrics[metric] > baselines[other] for other in baselines if other.endswith(f"_{metric}"))


@pytest.mark.backend
def test_the_ranker_knows_what_a_question_is_about():
    model = zoo_core.load(RANKER)
    answers = ["少吃盐，按时服用降压药，监测血压。", "糖尿病人要控制饮食，监测血糖。", "感冒要多喝水，多休息。"]
    scores = model.scores(["高血压患者平时要注意什么？", "血糖高吃什么好？"], model.index(answers))
    assert scores.argmax(axis=1).tolist() == [0, 1]


@pytest.mark.backend
def test_the_ranker_survives_saving(tmp_path):
    model = zoo_core.load(RANKER)
    zoo_core.save(model, tmp_path / "copy", storage="float16")
    copy = zoo_core.load(tmp_path / "copy")
    assert copy.vocabulary == model.vocabulary
    index_ = copy.index(["多喝水"])
    np.testing.assert_array_equal(copy.scores(["喝水"], index_), model.scores(["喝水"], model.index(["多喝水"])))


@pytest.mark.backend
def test_some_test_images_are_told_apart_as_recorded():
    with np.load(data_file(CLASSIFIER)) as arrays:
        images, labels = arrays["x_test"][:500, ..., None], arrays["y_test"][:500]
    accuracy = (zoo_core.load(CLASSIFIER).logits(images).argmax(axis=1) == labels).mean()
    recorded = preset_of(CLASSIFIER).metrics["accuracy"]
    assert abs(accuracy - recorded) < 4 * math.sqrt(recorded * (1 - recorded) / 500)


@pytest.mark.backend
def test_the_test_questions_find_their_answers_as_recorded():
    rows = data.load_data(data_file(RANKER)).test
    model = zoo_core.load(RANKER)
    scores = model.scores(rows[:, 0].tolist(), model.index(rows[:, 2].tolist()))
    mrr = (1 / ranks(scores, np.arange(len(rows)))).mean()
    assert mrr == pytest.approx(preset_of(RANKER).metrics["mrr"], abs=0.002)


def data_file(name: str) -> Path:
    folder = Path(os.environ.get("ZOO_DATA") or Path(__file__).parents[4] / "shared" / "data")
    file = folder / FILES[name]
    if not file.exists():
        pytest.skip(f"{FILES[name]} is not on this machine: set ZOO_DATA to a folder that holds it")
    return file
