"""Short real trainings on real data: they must beat what they start from, and what is there without them."""

from __future__ import annotations

import os
from pathlib import Path

import keras
import numpy as np
import pytest

from zoo_core import data, evaluation, training

pytestmark = pytest.mark.backend

SHARED = Path(__file__).parents[4] / "shared" / "data"


def path_of(folder: str, file: str) -> Path:
    folders = [os.environ.get("ZOO_DATA"), SHARED]
    paths = [Path(each) / folder / file for each in folders if each]
    found = next((path for path in paths if path.exists()), None)
    if found is None:
        pytest.skip(f"{folder} is not on this machine: set ZOO_DATA to a folder that holds {folder}/{file}")
    return found


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="takes minutes on PyTorch: its gradients are dense")
def test_a_ranker_of_1800_questions_beats_bm25_and_the_untrained_one(tmp_path, monkeypatch):
    monkeypatch.setenv("ZOO_DATA", str(path_of("qa_medical_zh", "med_qa.tsv.xz").parents[1]))
    rows = data.load_data("qa-medical-zh").train[:2000]
    own = tmp_path / "faq.tsv"
    own.write_text("".join(f"{row[0]}\t{row[2]}\n" for row in rows), encoding="utf-8")
    settings = {"epochs": 6, "units": 32, "batch_size": 128, "learning_rate": 1e-2, "scale": 2.0, "answer_length": 256}
    training.train("faq-ranker", own, settings, out=tmp_path / "run", progress="none")
    measured = evaluation.evaluate(tmp_path / "run", own, record=True)
    mrr = measured.metrics["mrr"]
    assert mrr > measured.baselines["bm25_mrr"]
    assert mrr > measured.baselines["tf_idf_mrr"]
    assert mrr > measured.baselines["untrained_mrr"] + 0.02
    assert (tmp_path / "run" / "vocab.txt").read_text(encoding="utf-8").count("\n") > 3000


def test_seconds_of_center_loss_beat_untrained_features(tmp_path):
    with np.load(path_of("fashion_mnist", "fashion_mnist.npz")) as arrays:
        parts = {name: arrays[name][: 3000 if "train" in name else 500] for name in arrays.files}
    np.savez(tmp_path / "clothes.npz", **parts)
    settings = {
        "epochs": 6,
        "filters": (8, 16),
        "units": 32,
        "batch_size": 64,
        "learning_rate": 5e-3,
        "center_weight": 0.01,
    }
    training.train("center-classifier", tmp_path / "clothes.npz", settings, out=tmp_path / "run", progress="none")
    measured = evaluation.evaluate(tmp_path / "run", tmp_path / "clothes.npz", record=True)
    assert measured.metrics["accuracy"] > 0.5
    assert measured.metrics["knn_accuracy"] > measured.baselines["untrained_knn_accuracy"] + 0.1
