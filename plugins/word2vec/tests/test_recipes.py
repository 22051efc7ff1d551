"""Training by the recipe: from a person's own text to a preset that is measured; on real text, better than before."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest

import zoo_core
from zoo_core.batches import random_generator
from zoo_core.errors import DataError, EvaluationError, RecipeError
from zoo_core.evaluation import evaluate, verify
from zoo_core.recipes import make_recipe, recipe_from_record
from zoo_core.texts import find_files, find_text
from zoo_core.training import train
from zoo_word2vec import data, questions
from zoo_word2vec.data import TextData
from zoo_word2vec.recipes import Word2VecRecipe

SMALL = {"epochs": 2, "dimension": 8, "min_count": 1, "subsample": 0.0, "drawn": 8, "batch_size": 1}

DATA = Path(os.environ.get("ZOO_DATA") or Path(__file__).parents[4] / "shared" / "data")
NEEDS_BOOKS = pytest.mark.skipif(
    not (DATA / "word2vec" / "en_books.txt.xz").is_file(),
    reason="the books are not on this machine: set ZOO_DATA to a folder that holds word2vec/en_books.txt.xz",
)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Three thousand words, royal ones near one another and those of the sea likewise."""
    random = np.random.Generator(np.random.Philox(3))
    themes = (["king", "queen", "crown", "throne"], ["sea", "whale", "ship", "wave"])
    lines = [" ".join(random.choice(themes[index % 2], 10)) for index in range(300)]
    path = tmp_path / "own.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def exam(monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions about these words, in the place of the evaluation sets."""
    asked = [
        *(questions.Question("men", ("king", other), 9.0) for other in ("queen", "crown", "throne")),
        *(questions.Question("men", ("king", other), 1.0) for other in ("sea", "whale", "ship")),
    ]
    lines = np.array([question.render() for question in asked])
    own = TextData("word2vec-eval", "MIT", "0" * 64, np.zeros((0, data.ROW), np.int32), lines)
    monkeypatch.setattr(data, "load_questions", lambda: own)
    monkeypatch.setattr(data, "_questions", lambda: lines)


@pytest.mark.backend
@pytest.mark.usefixtures("exam")
def test_a_text_of_ones_own_becomes_a_preset(text, tmp_path):
    out = tmp_path / "run"
    record = train("word2vec", text, {**SMALL, "epochs": 4}, out=out, progress="none")
    assert record["data"]["name"] == "own"
    assert sorted(record["files"]) == ["config.json", "model.safetensors", "vocab.txt"]
    model = zoo_core.load(out)
    near = [word for word, _ in model.vectors().neighbours("king", 3)]
    assert sorted(near) == ["crown", "queen", "throne"]
    losses = [json.loads(line)["loss"] for line in (out / "history.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]
    assert "king: " in (out / "samples" / "epoch-0004.txt").read_text()
    measured = evaluate(out, record=True)
    assert measured.metrics["men"] > 0.8
    assert measured.metrics["men_asked"] == 1
    assert measured.data["name"] == "word2vec-eval"
    assert "On 6 examples of the test split of word2vec-eval, with seed 0:" in (out / "README.md").read_text()
    assert abs(measured.baselines["untrained_men"]) < measured.metrics["men"]
    assert verify(out).metrics == pytest.approx(measured.metrics, abs=1e-3)


@pytest.mark.backend
def test_an_interrupted_run_goes_on_to_the_same_vectors(text, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train("word2vec", text, SMALL, out=whole, progress="none")
    train("word2vec", text, SMALL, out=parts, minutes=0, progress="none")
    assert json.loads((parts / "run.json").read_text())["epochs"] < 2
    train("word2vec", text, SMALL, out=parts, progress="none")
    one, other = (zoo_core.load(folder).vectors().array for folder in (whole, parts))
    np.testing.assert_array_equal(one, other)


def recipe(**settings: object) -> Word2VecRecipe:
    return make_recipe(Word2VecRecipe, "own", settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"algorithm": "skipgram"}, "setting algorithm: expected one of skip-gram, cbow"),
        ({"objective": "softmax"}, "setting objective: expected one of"),
        ({"validation": 3}, "setting validation: a text is trained on whole"),
        ({"dimension": 0}, "setting dimension: expected at least 1"),
        ({"window": 0}, "setting window: expected at least 1"),
        ({"subsample": -1.0}, "setting subsample: expected at least 0"),
        ({"learning_rate": 0.0}, "setting learning_rate: expected more than 0"),
        ({"negatives": 0.0}, "setting negatives: expected more than 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, message):
    with pytest.raises(RecipeError, match=message):
        recipe(**settings)


def test_cbow_starts_with_a_larger_learning_rate():
    assert recipe().rate == 0.025
    assert recipe(algorithm="cbow").rate == 0.1
    assert recipe(algorithm="cbow", learning_rate=0.5).rate == 0.5
    record = {"model": "word2vec", "settings": {"data": "own", "epochs": 1, "batch_size": 1, "learning_rate": None}}
    assert recipe_from_record(record).rate == 0.025


def test_updates_are_small_for_a_text_of_few_words(text):
    made = recipe(**SMALL)
    rows = made.inputs(made.load(text))
    # Eight words, each about an eighth of the text and of what is drawn: 4 / (0.025 * 6 * 6 / 8) is 35.
    centers = rows.maker.centers
    assert 28 < centers <= 35
    assert rows.maker.parallel == 1
    batch = made.batch(rows, np.array([1, 0]), random_generator(0, 0, 0))[0]
    assert batch["words"].shape == (-(-2048 // centers), 1, centers + 10)


def test_a_text_too_small_for_its_settings_says_what_to_do(tmp_path):
    path = tmp_path / "few.txt"
    path.write_text("a b c", encoding="utf-8")
    with pytest.raises(DataError, match="no word of the text occurs 5 times .lower it: --set min_count=1"):
        recipe().load(path)


@pytest.mark.usefixtures("exam")
def test_the_evaluation_sets_are_no_text_to_train_on():
    made = recipe()
    with pytest.raises(DataError, match="word2vec-eval is no text to train on"):
        made.arguments(made.load("word2vec-eval"))


def test_without_questions_there_is_nothing_to_measure(text):
    made = recipe(**SMALL)
    loaded = made.load(text)
    model = zoo_core.recipes.find_recipe("word2vec").model(**made.arguments(loaded))
    made.initialise(model, loaded)
    held = TextData("word2vec-eval", "MIT", "", loaded.train, np.array([], np.str_), vocabulary=None)
    with pytest.raises(EvaluationError, match="no question of the evaluation sets"):
        made.evaluate(model, held, 0)


@NEEDS_BOOKS
def test_what_people_rate_as_alike_is_nearer_after_a_short_training(monkeypatch):
    """A twelfth of the books, one epoch, beside vectors as they are at the beginning."""
    monkeypatch.setenv("ZOO_DATA", str(DATA))
    from zoo_core import backend
    from zoo_core.batches import Batches
    from zoo_word2vec import Word2Vec, encode, examine

    made = recipe(epochs=1, dimension=32, learning_rate=0.05, batch_size=16, min_count=20)
    corpus = encode(itertools.islice(find_text("en-books").lines(), 10_000), made.min_count)
    loaded = TextData("part", "", "", corpus.rows, np.array([]), vocabulary=corpus.vocabulary)
    backend.ensure()
    backend.set_random_seed(0)
    model = Word2Vec(**made.arguments(loaded))
    made.initialise(model, loaded)
    inputs = made.inputs(loaded)
    steps = Batches(made, inputs)
    made.compile(model, 3 * steps.steps)
    asked = questions.read_all(find_files(questions.DATA))
    before = examine(model.vectors(), asked)["men"]
    for epoch in range(3):
        steps.epoch = epoch
        model.fit(steps, verbose=0, shuffle=False)
    after = examine(model.vectors(), asked)["men"]
    assert before.known == after.known > 300
    assert abs(before.value) < 0.12
    assert after.value > before.value + 0.08
