"""How well answers are found on the test split of qa-medical-zh: BM25, TF-IDF, and the ranker trained in three ways.

BM25's k1 and b and the words of both are chosen on the validation split. The ranker is trained under three seeds by
each objective, everything else equal: the triplet with one random wrong answer and in-batch InfoNCE, both on cosines
alone, and the recipe as it is, with words that count by themselves. Prints MRR and the share of right answers among
the first 1, 5, 10, where the candidates are the answers of the test split and where they are all answers; mean and
range over seeds; then the paired difference to BM25. Needs qa-medical-zh ($ZOO_DATA). About fifteen minutes on two
cores. `--tune` prints what BM25's constants are worth on the validation split, and trains nothing.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from zoo_core import backend, loading, training
from zoo_core.data import Splits, load_data
from zoo_metric_learning.models.vocabulary import build_vocabulary
from zoo_metric_learning.postings import bm25, ranks, tf_idf

Array = np.ndarray[Any, Any]
Places = Mapping[str, Array]

OBJECTIVES: Mapping[str, Mapping[str, Any]] = {
    "random-negative triplet, cosine": {"objective": "triplet", "lexical": False},
    "in-batch InfoNCE, cosine": {"lexical": False},
    "in-batch InfoNCE, cosine and words": {},
}
CANDIDATES = ("test split", "all")
CUTS = (1, 5, 10)


def main() -> int:
    """Print the table; 0 if the recipe as it is has the best MRR, BM25's included, under every seed, else 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=None)
    parser.add_argument("--tune", action="store_true")
    chosen = parser.parse_args()
    data = load_data("qa-medical-zh")
    if chosen.tune:
        return tune(data)
    backend.ensure()
    print(f"| method | candidates | MRR | {' | '.join(f'top {cut}' for cut in CUTS)} |\n|{' --- |' * (3 + len(CUTS))}")
    lexical = classical(data)
    for name, places in lexical.items():
        show(name, [places])
    trained: dict[str, list[Places]] = {}
    for name, settings in OBJECTIVES.items():
        extra = {} if chosen.epochs is None else {"epochs": chosen.epochs}
        runs = [measured(data, {**settings, **extra, "seed": seed}) for seed in range(chosen.seeds)]
        show(f"{name}, untrained", [runs[0][1]])
        trained[name] = [places for places, _ in runs]
        show(name, trained[name])
    best = trained["in-batch InfoNCE, cosine and words"]
    compare(best, lexical["BM25"])
    beaten = [*lexical.values(), *trained["random-negative triplet, cosine"], *trained["in-batch InfoNCE, cosine"]]
    return int(min(map(_mrr, best)) <= max(map(_mrr, beaten)))


def tune(data: Splits) -> int:
    """BM25 on the validation split, by its constants, best first."""
    assert data.validation is not None
    rows = []
    for pairs in (False, True):
        asked, documents, background, words = tokens(data.validation, [], data.train, pairs)
        for k1, b in itertools.product((0.6, 0.9, 1.2, 1.6, 2.0, 3.0), (0.0, 0.25, 0.5, 0.75, 1.0)):
            places = ranks(bm25(asked, documents, background, words, k1, b), np.arange(len(asked)))
            rows.append(((1 / places).mean(), "characters and pairs" if pairs else "characters", k1, b))
    for mrr, kind, k1, b in sorted(rows, reverse=True)[:10]:
        print(f"{mrr:.4f}  {kind}, k1 {k1}, b {b}")
    return 0


def tokens(asked: Array, others: Sequence[str], train: Array, pairs: bool = True) -> tuple[Array, Array, Array, int]:
    """Questions, their answers followed by `others`, and the training answers, as tokens of all words there are."""
    answers = [*asked[:, -1].tolist(), *others]
    vocabulary = build_vocabulary(answers, 1, 1 if pairs else len(answers) + 1)
    texts = (asked[:, 0].tolist(), answers, train[:, -1].tolist())
    first, second, third = (vocabulary.all_tokens(part) for part in texts)
    return first, second, third, len(vocabulary)


def classical(data: Splits) -> dict[str, Places]:
    """Where BM25 and TF-IDF put the right answers."""
    asked, documents, background, words = tokens(data.test, _others(data), data.train)
    found = {}
    for name, score in {"TF-IDF": tf_idf, "BM25": bm25}.items():
        found[name] = _places(score(asked, documents, background, words))
    return found


def measured(data: Splits, settings: Mapping[str, Any]) -> tuple[Places, Places]:
    """Where a ranker trained like this puts the right answers, and where it did before training."""
    from zoo_core.recipes import find_recipe, make_recipe

    with tempfile.TemporaryDirectory() as folder:
        training.train("faq-ranker", settings=settings, out=Path(folder, "run"), progress="none")
        trained, fresh = loading.load(Path(folder, "run")), loading.load(Path(folder, "run"), weights=False)
    backend.set_random_seed(settings["seed"])
    make_recipe(find_recipe("faq-ranker").recipe, data.name, settings).initialise(fresh, data)
    answers = [*data.test[:, -1].tolist(), *_others(data)]
    before, after = (
        _places(model.scores(data.test[:, 0].tolist(), model.index(answers))) for model in (fresh, trained)
    )
    return after, before


def _others(data: Splits) -> list[str]:
    assert data.validation is not None
    return [*data.train[:, -1].tolist(), *data.validation[:, -1].tolist()]


def _places(scores: Array) -> Places:
    """Of scores whose first candidates are the right answers, in the questions' order."""
    right = np.arange(len(scores))
    return {"test split": ranks(scores[:, : len(scores)], right), "all": ranks(scores, right)}


def show(name: str, runs: Sequence[Places]) -> None:
    """The table's lines for one method: mean and, over several seeds, range."""
    for candidates in CANDIDATES:
        each = [[(1 / run[candidates]).mean(), *((run[candidates] <= cut).mean() for cut in CUTS)] for run in runs]
        cells = [_cell(values) for values in zip(*each, strict=True)]
        print(f"| {name} | {candidates} | {' | '.join(cells)} |", flush=True)


def _cell(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3f} to {max(values):.3f})"


def compare(runs: Sequence[Places], other: Places) -> None:
    """The difference in MRR to another method, question by question, averaged over seeds, and its standard error."""
    for candidates in CANDIDATES:
        gains = np.mean([1 / run[candidates] for run in runs], axis=0) - 1 / other[candidates]
        error = gains.std() / np.sqrt(len(gains))
        print(f"MRR beyond BM25's, {candidates}: {gains.mean():+.3f}, standard error {error:.3f}")


def _mrr(places: Places) -> float:
    return float((1 / places["test split"]).mean())


if __name__ == "__main__":
    sys.exit(main())
