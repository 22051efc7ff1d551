"""The classifier with centers: its loss from the definition, its neighbours, its recipe, its pictures."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
import typer
from keras import ops
from typer.testing import CliRunner

from zoo_core import backend, evaluation, training
from zoo_core.errors import DataError, RecipeError, UsageError
from zoo_metric_learning import commands, pictures
from zoo_metric_learning.models.center_classifier import CenterClassifier
from zoo_metric_learning.neighbours import nearest_neighbour_labels

SMALL = {"filters": (4,), "units": 8, "epochs": 6, "batch_size": 20, "learning_rate": 0.02}


@pytest.fixture
def bars(tmp_path) -> Path:
    """8 x 8 images of four classes, a bright row or column each, with noise."""
    generator = np.random.Generator(np.random.Philox(5))
    arrays = {}
    for part, count in (("train", 160), ("test", 80)):
        labels = np.arange(count) % 4
        images = generator.integers(0, 90, (count, 8, 8))
        for image, label in zip(images, labels, strict=True):
            place = 2 if label % 2 else 5
            image[(place, slice(None)) if label < 2 else (slice(None), place)] = 255
        arrays |= {f"x_{part}": images.astype("uint8"), f"y_{part}": labels.astype("uint8")}
    np.savez(tmp_path / "bars.npz", **arrays)
    return tmp_path / "bars.npz"


@pytest.mark.backend
def test_the_loss_is_cross_entropy_and_the_squared_distance_to_the_center():
    images = np.random.Generator(np.random.Philox(1)).integers(0, 256, (6, 8, 8, 1)).astype("uint8")
    labels = np.array([0, 1, 2, 2, 1, 0])
    model = CenterClassifier((8, 8, 1), classes=3, filters=(4,), units=8, center_weight=0.5)
    positions = np.array([[1.0, 2], [-1, 0], [0, 3]], "float32")
    set_centers(model, positions)
    logits, features = model.logits(images), model.features(images)
    right = logits[np.arange(6), labels] - np.log(np.exp(logits).sum(axis=1))
    expected = -right.mean() + 0.5 * np.square(features - positions[labels]).sum(axis=1).mean()
    model.compile(keras.optimizers.SGD(0.0), metrics=["accuracy"])
    measured = model.evaluate(images, labels, verbose=0, return_dict=True)
    assert measured["loss"] == pytest.approx(expected, rel=1e-4)
    assert measured["accuracy"] == pytest.approx((logits.argmax(axis=1) == labels).mean())


def set_centers(model: CenterClassifier, positions: np.ndarray) -> None:
    model.center_loss.centers.assign(positions)


@pytest.mark.backend
@pytest.mark.parametrize("update", ["gradient", "moving"])
def test_centers_move_in_training_until_each_is_the_nearest_to_its_class(bars, update):
    with np.load(bars) as arrays:
        images, labels = arrays["x_train"][..., None], arrays["y_train"]
    backend.set_random_seed(0)
    model = CenterClassifier((8, 8, 1), 4, filters=(4,), units=8, center_weight=0.1, center_update=update)
    before = model.center_positions().copy()
    model.compile(keras.optimizers.Adam(0.02), metrics=["accuracy"])
    model.fit(images, labels, epochs=8, batch_size=20, verbose=0)
    assert (model.center_positions() != before).all()
    distances = np.linalg.norm(model.features(images)[:, None] - model.center_positions(), axis=2)
    assert (distances.argmin(axis=1) == labels).mean() > 0.9


@pytest.mark.backend
def test_without_a_weight_there_are_no_centers():
    model = CenterClassifier((8, 8, 1), 4, filters=(4,), units=8, center_weight=0.0)
    assert model.center_positions().shape == (0, 2)


def test_neighbours_vote_and_the_smallest_label_wins_a_draw():
    known = np.array([[0.0, 0], [1, 0], [5, 5], [6, 5], [6, 6]])
    labels = np.array([2, 1, 7, 7, 1])
    asked = np.array([[0.4, 0.1], [5.9, 5.2]])
    assert nearest_neighbour_labels(known, labels, asked, 2).tolist() == [1, 1]
    assert nearest_neighbour_labels(known, labels, asked, 3).tolist() == [1, 7]
    assert nearest_neighbour_labels(known, labels, asked[:0], 3).shape == (0,)
    with pytest.raises(ValueError, match="6 neighbours out of 5"):
        nearest_neighbour_labels(known, labels, asked, 6)


def test_neighbours_are_those_of_a_loop():
    generator = np.random.Generator(np.random.Philox(2))
    known, labels, asked = generator.normal(size=(40, 3)), generator.integers(0, 4, 40), generator.normal(size=(9, 3))
    expected = []
    for row in asked:
        nearest = labels[np.argsort(np.linalg.norm(known - row, axis=1))[:5]].tolist()
        expected.append(min(set(nearest), key=lambda label: (-nearest.count(label), label)))
    assert nearest_neighbour_labels(known, labels, asked, 5).tolist() == expected


@pytest.mark.backend
def test_classes_held_out_are_not_trained_on_but_measured_by_neighbours_and_drawn(bars, tmp_path):
    out = tmp_path / "run"
    record = training.train("center-classifier", bars, {**SMALL, "held_out": (1,)}, out=out, progress="none")
    assert record["steps"] == 6 * (120 // 20)
    metrics = evaluation.evaluate(out, bars).metrics
    assert metrics["accuracy"] > 0.9
    assert metrics["unseen_knn_accuracy"] == 1  # the only one of its kind
    assert 0.5 < metrics["knn_accuracy"] <= 1
    drawn = pictures.panel(str(out), str(bars), "test", 60)
    assert (drawn.features.shape, drawn.unseen, sorted(drawn.centers)) == ((60, 2), {1}, [0, 2, 3])


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"held_out": (9,)}, "has no class 9"), ({"held_out": (0, 1, 2)}, "at least two classes have to be left")],
)
def test_classes_that_cannot_be_held_out_are_refused(bars, tmp_path, settings, message):
    with pytest.raises(RecipeError, match=message):
        training.train("center-classifier", bars, settings, out=tmp_path / "run", progress="none")


def test_data_without_labels_is_refused(tmp_path):
    np.savez(tmp_path / "plain.npz", x_train=np.zeros((9, 8, 8), "uint8"), x_test=np.zeros((3, 8, 8), "uint8"))
    with pytest.raises(DataError, match="no images with labels"):
        training.train("center-classifier", tmp_path / "plain.npz", out=tmp_path / "run", progress="none")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"classes": 1}, "at least 2 classes"), ({"dimensions": 0}, "1 or more"), ({"center_weight": -1}, "0 or more")],
)
def test_arguments_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        CenterClassifier(**arguments)
    with pytest.raises(ValueError, match=r"images of shape \(28, 28, 1\)"):
        CenterClassifier()(ops.zeros((2, 8, 8, 1)))


def panel(title: str, scale: float, centers: bool) -> pictures.Panel:
    generator = np.random.Generator(np.random.Philox(0))
    labels = generator.integers(0, 3, 30)
    features = scale * (generator.normal(size=(30, 2)) + 4 * labels[:, None])
    positions = {label: np.full(2, 4.0 * label) for label in range(2)} if centers else {}
    return pictures.Panel(title, "fashion-mnist, test split", features, labels, positions, frozenset({2}))


def test_panels_have_one_scale_class_names_and_marked_centers(tmp_path):
    from PIL import Image

    path = tmp_path / "scatter.png"
    pictures.write_scatter(path, [panel("without", 5, False), panel("with", 1, True)])
    with Image.open(path) as image:
        assert image.size == (1428, 600)
        assert len(image.convert("RGB").getcolors(1 << 20)) > 100


@pytest.mark.backend
def test_of_no_images_the_results_have_their_width():
    model = CenterClassifier(image_shape=(8, 8, 1), classes=4, filters=(2,), units=3)
    images = np.zeros((0, 8, 8, 1), "uint8")
    assert model.logits(images).shape == (0, 4)
    assert model.features(images).shape == (0, 2)


def test_scatter_draws_and_refuses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(pictures, "panel", lambda reference, *_: panel(reference, 1, True))
    app = typer.Typer()
    commands.register(app)
    result = CliRunner().invoke(app, ["scatter", "one", "two"])
    assert result.stdout == "scatter.png: 30 examples of fashion-mnist, test split, 2 panels\n"
    assert (tmp_path / "scatter.png").stat().st_size > 10_000
    for arguments, message in (
        (["--output", "scatter.svg"], "written as PNG"),
        (["--output", "none/scatter.png"], "is no folder"),
        (["--split", "tset"], "did you mean 'test'"),
        (["a"] * 7, "has room for 1 to 6"),
    ):
        refused = CliRunner().invoke(app, ["scatter", *arguments])
        assert isinstance(refused.exception, UsageError), refused.output
        assert message in str(refused.exception)
