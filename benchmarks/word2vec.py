"""Word vectors of the zoo beside gensim's, trained on the same text with the same settings, in the same run.

Run: python benchmarks/word2vec.py [--seeds 0 1 2] [--epochs 5]    (KERAS_BACKEND=tensorflow, jax or torch)

Skip-gram (or --cbow), 100 dimensions, window 5, 5 negatives, subsampling at 1e-4, words that occur 5 times. Runs
alternate: gensim with one worker, gensim with two, gensim with two that read the file themselves (`corpus_file`, its
fastest way), the zoo. Each is a process of its own. Prints raw words of the text a second, in training alone and with
the reading of the vocabulary, and what the vectors are worth: the share of analogies answered out of the 30,000 most
frequent words, and Spearman's correlation with three sets of ratings, all measured by the same code over the same
words.

Needs gensim 4.4 (the extra `interop`) and the books ($ZOO_DATA). About twenty minutes on two cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

SETTINGS = {"dimension": 100, "window": 5, "negatives": 5, "subsample": 1e-4, "min_count": 5}
QUALITY = ("analogies", "wordsim353", "simlex999", "men")
TOLERATED = 0.01
"""By how much a mean may fall behind gensim's."""

Result = dict[str, float]


def main() -> int:
    """Print a table; 1 where the zoo is slower than gensim with one worker, or clearly worse in any measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--lines", type=int, default=0, help="only so many lines of the text; 0: all")
    parser.add_argument("--cbow", action="store_true")
    parser.add_argument("--run", nargs=2, metavar=("WHICH", "SEED"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.run:
        print(json.dumps(run(arguments.run[0], int(arguments.run[1]), arguments)))
        return 0
    results: dict[str, list[Result]] = {name: [] for name in ("gensim, 1 worker", "gensim, 2 workers")}
    results |= {"gensim, 2 workers, file": [], "zoo": []}
    for seed in arguments.seeds:
        for name, found in results.items():
            found.append(_in_process(name, seed))
            print(f"seed {seed}  {name:<24}{_row([found[-1]])}", file=sys.stderr, flush=True)
    print(f"{'mean':<24}{'words/s':>10}{'with vocabulary':>17}" + "".join(f"{name:>18}" for name in QUALITY))
    for name, found in results.items():
        print(f"{name:<24}{_row(found)}")
    return int(not _holds(results))


def _in_process(name: str, seed: int) -> Result:
    command = [sys.executable, __file__, *sys.argv[1:], "--run", name, str(seed)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: Result = json.loads(output.splitlines()[-1])
    return found


def _row(results: list[Result]) -> str:
    means = {name: statistics.mean(result[name] for result in results) for name in results[0]}
    quality = ""
    for name in QUALITY:
        spread = statistics.stdev([result[name] for result in results]) if len(results) > 1 else 0.0
        quality += f"{means[name]:>10.4f} ±{spread:.4f}"
    return f"{means['speed']:>10,.0f}{means['whole_speed']:>17,.0f}{quality}"


def _holds(results: dict[str, list[Result]]) -> bool:
    def mean(name: str, measure: str) -> float:
        return statistics.mean(result[measure] for result in results[name])

    worse = [name for name in QUALITY if mean("zoo", name) < mean("gensim, 1 worker", name) - TOLERATED]
    return not worse and mean("zoo", "speed") > mean("gensim, 1 worker", "speed")


def run(which: str, seed: int, arguments: argparse.Namespace) -> Result:
    """Train once, and measure."""
    from zoo_core.texts import find_files, find_text
    from zoo_word2vec.examination import examine
    from zoo_word2vec.questions import DATA, read_all

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "text.txt")
        with path.open("w", encoding="utf-8") as stream:
            for number, line in enumerate(find_text("en-books").lines()):
                if arguments.lines and number == arguments.lines:
                    break
                stream.write(line + "\n")
        vectors, found = (_zoo if which == "zoo" else _gensim)(which, path, seed, arguments)
    results = examine(vectors, read_all(find_files(DATA)))
    return found | {name: results[name].value for name in QUALITY}


def _speeds(words: int, epochs: int, vocabulary: float, training: float) -> Result:
    return {"speed": words * epochs / training, "whole_speed": words * epochs / (training + vocabulary)}


def _zoo(_which: str, path: Path, seed: int, arguments: argparse.Namespace) -> tuple[Any, Result]:
    from zoo_core import backend
    from zoo_core.batches import Batches
    from zoo_core.recipes import make_recipe
    from zoo_word2vec import encode
    from zoo_word2vec.data import TextData
    from zoo_word2vec.recipes import Word2VecRecipe

    backend.ensure()
    from zoo_core.texts import lines
    from zoo_word2vec.model import Word2Vec

    algorithm = "cbow" if arguments.cbow else "skip-gram"
    chosen = {**SETTINGS, "negatives": 5.0, "epochs": arguments.epochs, "seed": seed, "algorithm": algorithm}
    recipe = make_recipe(Word2VecRecipe, "en-books", chosen)
    start = time.perf_counter()
    corpus = encode(lines(path), recipe.min_count)
    vocabulary = time.perf_counter() - start
    data = TextData("en-books", "", "", corpus.rows, np.array([]), vocabulary=corpus.vocabulary)
    backend.set_random_seed(seed)
    model = Word2Vec(**recipe.arguments(data))
    recipe.initialise(model, data)
    batches = Batches(recipe, recipe.inputs(data))
    recipe.compile(model, batches.steps * recipe.epochs)
    start = time.perf_counter()
    for epoch in range(recipe.epochs):
        batches.epoch = epoch
        model.fit(batches, verbose=0, shuffle=False)
    return model.vectors(), _speeds(corpus.words, recipe.epochs, vocabulary, time.perf_counter() - start)


def _gensim(which: str, path: Path, seed: int, arguments: argparse.Namespace) -> tuple[Any, Result]:
    from gensim.models import Word2Vec
    from gensim.models.word2vec import LineSentence

    from zoo_word2vec import Vocabulary, WordVectors

    model = Word2Vec(
        sg=int(not arguments.cbow),
        vector_size=SETTINGS["dimension"],
        window=SETTINGS["window"],
        negative=SETTINGS["negatives"],
        sample=SETTINGS["subsample"],
        min_count=SETTINGS["min_count"],
        workers=int(which.split()[1]),
        seed=seed + 1,
    )
    given = {"corpus_file": str(path)} if which.endswith("file") else {"corpus_iterable": LineSentence(str(path))}
    start = time.perf_counter()
    model.build_vocab(**given)
    vocabulary = time.perf_counter() - start
    words = model.corpus_total_words
    start = time.perf_counter()
    model.train(total_examples=model.corpus_count, total_words=words, epochs=arguments.epochs, **given)
    training = time.perf_counter() - start
    counts = {word: int(model.wv.get_vecattr(word, "count")) for word in model.wv.index_to_key}
    known = Vocabulary.of_counts(counts)
    return WordVectors(known, np.stack([model.wv[word] for word in known])), _speeds(
        words, arguments.epochs, vocabulary, training
    )


if __name__ == "__main__":
    sys.exit(main())
