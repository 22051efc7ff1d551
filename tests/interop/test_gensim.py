"""Word vectors beside gensim 4.4: the same vocabulary, the same answers, vectors as good, and the same optimum."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo_word2vec import BlockMaker, Vocabulary, WordVectors, encode, examine
from zoo_word2vec.questions import Question

models = pytest.importorskip("gensim.models")

pytestmark = [pytest.mark.interop, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

THEMES, MEMBERS = 12, 8


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.Generator(np.random.Philox(7))


@pytest.fixture(scope="module")
def text() -> list[list[str]]:
    """Lines that each keep to one theme, with common words in between."""
    random = np.random.Generator(np.random.Philox(21))
    lines = []
    for _ in range(4000):
        theme = random.integers(THEMES)
        members = [f"t{theme:02}m{member}" for member in random.integers(0, MEMBERS, 12)]
        common = random.random(12) < 0.3
        lines.append([f"c{random.integers(5)}" if other else word for word, other in zip(members, common, strict=True)])
    return lines


def trained_by_gensim(text: list[list[str]], **settings: object) -> Any:
    chosen = {"vector_size": 16, "window": 3, "negative": 5, "sample": 1e-3, "min_count": 1, "workers": 1, "epochs": 5}
    return models.Word2Vec(text, **{**chosen, "sg": 1, "seed": 1, **settings})


def trained_by_zoo(text: list[list[str]], **settings: object) -> WordVectors:
    import keras

    from zoo_core.batches import Batches
    from zoo_core.recipes import make_recipe
    from zoo_word2vec.data import TextData
    from zoo_word2vec.model import Word2Vec
    from zoo_word2vec.recipes import Word2VecRecipe

    chosen = {"dimension": 16, "window": 3, "subsample": 1e-3, "min_count": 1, "epochs": 5, "batch_size": 4}
    recipe = make_recipe(Word2VecRecipe, "text", {**chosen, **settings})
    corpus = encode((" ".join(line) for line in text), 1)
    data = TextData("text", "", "", corpus.rows, np.array([]), vocabulary=corpus.vocabulary)
    keras.utils.set_random_seed(0)
    model = Word2Vec(**recipe.arguments(data))
    recipe.initialise(model, data)
    batches = Batches(recipe, recipe.inputs(data))
    recipe.compile(model, batches.steps * recipe.epochs)
    for epoch in range(recipe.epochs):
        batches.epoch = epoch
        model.fit(batches, verbose=0, shuffle=False)
    return model.vectors()


def theme_score(vectors: WordVectors) -> float:
    """How often a word's nearest seven are of its theme."""
    words = [word for word in vectors.vocabulary if word.startswith("t")]
    near = [(word, other) for word in words for other, _ in vectors.neighbours(word, MEMBERS - 1)]
    return sum(word[:3] == other[:3] for word, other in near) / len(near)


def as_zoo(model: Any) -> WordVectors:
    counts = {word: int(model.wv.get_vecattr(word, "count")) for word in model.wv.index_to_key}
    known = Vocabulary.of_counts(counts)
    return WordVectors(known, np.stack([model.wv[word] for word in known]))


def test_words_and_counts_are_the_same(text):
    model = trained_by_gensim(text, epochs=1, min_count=3)
    found = encode((" ".join(line) for line in text), 3).vocabulary
    assert dict(zip(found.words, found.counts.tolist(), strict=True)) == {
        word: model.wv.get_vecattr(word, "count") for word in model.wv.index_to_key
    }


def test_frequent_words_are_kept_as_often(text):
    """Gensim holds its probabilities as whole numbers out of 2**32."""
    model = trained_by_gensim(text, epochs=1, sample=1e-2)
    known = Vocabulary.of_counts(Counter(word for line in text for word in line))
    theirs = [model.wv.get_vecattr(word, "sample_int") / 2**32 for word in known]
    np.testing.assert_allclose(known.keep_probabilities(1e-2), theirs, atol=1e-4)
    assert min(theirs) < 0.7


def test_negatives_are_drawn_as_often(text):
    model = trained_by_gensim(text, epochs=1)
    known = Vocabulary.of_counts(Counter(word for line in text for word in line))
    shares = np.diff(model.cum_table, prepend=0) / model.cum_table[-1]
    theirs = dict(zip(model.wv.index_to_key, shares, strict=True))
    np.testing.assert_allclose(known.noise(), [theirs[word] for word in known], atol=1e-6)
    made = BlockMaker.of_vocabulary(known)
    np.testing.assert_allclose(np.diff(made.noise, prepend=0), known.noise(), atol=1e-12)


def test_the_same_vectors_get_the_same_marks(tmp_path: Path, rng: np.random.Generator):
    words = [f"w{index:02}" for index in range(60)]
    array = rng.standard_normal((60, 3)).astype(np.float32)
    theirs = models.KeyedVectors(3)
    theirs.add_vectors(words, array)
    ours = WordVectors(Vocabulary(words, [1] * 60), array)
    asked = [tuple(str(word) for word in rng.choice(words, 4, replace=False)) for _ in range(400)]
    path = tmp_path / "analogies.txt"
    path.write_text(": all\n" + "\n".join(" ".join(each) for each in asked), encoding="utf-8")
    score, _ = theirs.evaluate_word_analogies(str(path), restrict_vocab=40)
    result = examine(ours, [Question("analogies", each) for each in asked], most_words=40)["analogies"]
    assert 0 < score == pytest.approx(result.value)
    pairs = [(*each[:2], float(rng.integers(0, 10))) for each in asked]
    path.write_text("\n".join("\t".join(map(str, pair)) for pair in pairs), encoding="utf-8")
    _, spearman, _ = theirs.evaluate_word_pairs(str(path))
    result = examine(ours, [Question("men", pair[:2], pair[2]) for pair in pairs])["men"]
    assert result.value == pytest.approx(spearman[0])


def test_neighbours_and_analogies_are_the_same(rng: np.random.Generator):
    words = [f"w{index:02}" for index in range(60)]
    array = rng.standard_normal((60, 5)).astype(np.float32)
    theirs = models.KeyedVectors(5)
    theirs.add_vectors(words, array)
    ours = WordVectors(Vocabulary(words, [1] * 60), array)
    for mine, other in (
        (ours.neighbours("w03", 7), theirs.most_similar("w03", topn=7)),
        (ours.analogy("w01", "w02", "w03", 7), theirs.most_similar(positive=["w02", "w03"], negative=["w01"], topn=7)),
    ):
        assert [word for word, _ in mine] == [word for word, _ in other]
        np.testing.assert_allclose([cosine for _, cosine in mine], [cosine for _, cosine in other], atol=1e-6)


@pytest.mark.parametrize("algorithm", ["skip-gram", "cbow"])
def test_vectors_are_as_good(text, algorithm):
    theirs = theme_score(as_zoo(trained_by_gensim(text, sg=int(algorithm == "skip-gram"))))
    ours = theme_score(trained_by_zoo(text, algorithm=algorithm))
    by_chance = (MEMBERS - 1) / (THEMES * MEMBERS + 4)
    assert theirs > 3 * by_chance
    assert ours > theirs - 0.05
