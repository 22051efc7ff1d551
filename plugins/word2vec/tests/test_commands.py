"""The commands, with vectors that need no Keras: what they print and what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from zoo_core.errors import NameNotFoundError, UsageError
from zoo_word2vec import commands
from zoo_word2vec.vectors import WordVectors
from zoo_word2vec.vocabulary import Vocabulary

WORDS = ("man", "woman", "king", "queen", "鲸")
ARRAY = np.array([[1, 0, 1], [1, 1, 1], [2, 0, -2], [1, 1, -1], [-3, 0, 0]], np.float32)


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> typer.Typer:
    vectors = WordVectors(Vocabulary(WORDS, [6, 5, 4, 3, 2]), ARRAY)
    monkeypatch.setattr(commands, "load_vectors", lambda reference: vectors)
    app = typer.Typer()
    commands.register(app)
    return app


def run(app: typer.Typer, *arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_neighbours_are_listed_nearest_first(app):
    result = run(app, "neighbours", "man", "--count", "2")
    assert result.stdout == " 0.8165  woman\n 0.0000  king\n"


def test_several_words_have_headings(app):
    lines = run(app, "neighbours", "man", "鲸", "-n", "1").stdout.splitlines()
    assert [lines[0], lines[2]] == ["man", "鲸"]
    assert len(lines) == 4


def test_an_analogy_is_answered(app):
    assert run(app, "analogy", "man", "woman", "king").stdout.splitlines()[0].endswith("  queen")


def test_similarity_is_one_number(app):
    assert run(app, "similarity", "Man", "woman").stdout == "0.8165\n"


def test_json_is_one_document(app):
    found = json.loads(run(app, "neighbours", "Man", "鲸", "-n", "1", "--json").stdout)
    assert [row["word"] for row in found] == ["man", "鲸"]
    assert found[0]["neighbours"] == [{"word": "woman", "similarity": pytest.approx(2 / 6**0.5)}]
    found = json.loads(run(app, "analogy", "man", "woman", "king", "-n", "1", "--json").stdout)
    assert found["words"] == ["man", "woman", "king"]
    assert found["answers"][0]["word"] == "queen"
    found = json.loads(run(app, "similarity", "man", "woman", "--json").stdout)
    assert found == {"words": ["man", "woman"], "similarity": pytest.approx(2 / 6**0.5)}


def test_an_unknown_word_is_an_error_that_suggests(app):
    result = run(app, "neighbours", "qeen")
    assert isinstance(result.exception, NameNotFoundError)
    assert "did you mean queen" in str(result.exception)
    assert result.stdout == ""


@pytest.mark.parametrize("arguments", [["neighbours"], ["analogy", "a", "b"], ["similarity", "a"]])
def test_missing_words_are_wrong_usage(app, arguments):
    assert run(app, *arguments).exit_code == 2


def test_a_model_of_another_kind_is_refused(monkeypatch):
    import zoo_core

    monkeypatch.setattr(zoo_core, "load", lambda reference: object())
    with pytest.raises(UsageError, match="'glow' has no word vectors"):
        commands.load_vectors("glow")
