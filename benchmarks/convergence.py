"""How fast optimizers and training steps converge on two small problems, over three seeds, at equal cost.

Run: python benchmarks/convergence.py [--budget 1200] [--seeds 3] [--out docs/pictures/convergence.json]
then: python benchmarks/convergence_picture.py

Images: 5,000 of Fashion-MNIST, a network 784-64-10. Text: English sentences about films, positive or negative, an
embedding of 5,000 words x 32 with mean pooling. Batches of 64. The budget counts gradients, not steps, so that Heun's
method or SAM, which take several a step, have fewer steps. Each optimizer has a learning rate chosen among four by the
loss on a validation split, with a seed of its own; then it runs on the others. What is measured: the loss on a thousand
training examples along the way, and the accuracy on the test split at the end. The data come from $ZOO_DATA.
"""

from __future__ import annotations

import argparse
import itertools
import json
import lzma
import os
import re
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo_core import backend

Array = np.ndarray[Any, Any]

BATCH, WORDS, LENGTH, POINTS = 64, 5_000, 40, 12
TUNING_SEED = 100


@dataclass(frozen=True, slots=True)
class Problem:
    """Examples for training, validation and test, and the shapes of the weights."""

    name: str
    train: tuple[Array, Array]
    validation: tuple[Array, Array]
    test: tuple[Array, Array]
    make: Callable[[], Any]
    sgd_rates: tuple[float, ...]
    adam_rates: tuple[float, ...]
    plain_rates: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Method:
    """An optimizer, or a training step around one; `gradients` is what a step costs."""

    name: str
    make: Callable[[], Any]
    rates: Callable[[Problem], tuple[float, ...]]
    wrap: Callable[[Any], Any] | None = None
    gradients: int = 1


@dataclass(frozen=True, slots=True)
class Run:
    """How one run went: (gradients used, training loss) along the way, and what came of it."""

    curve: list[tuple[int, float]]
    validation_loss: float
    test_accuracy: float


def main() -> int:
    """Tune, run, write the curves and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--budget", type=int, default=1200, help="gradients in a run")
    parser.add_argument("--seeds", type=int, default=3, help="runs after the rate is chosen")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures/convergence.json"), help="where the curves go")
    arguments = parser.parse_args()
    name = backend.ensure()
    found: dict[str, dict[str, Any]] = {}
    for problem in (images(), text()):
        # Without an embedding lazy Adam is Adam.
        chosen = [method for method in methods() if problem.name == "text" or method.name != "LazyAdam"]
        results = {method.name: compare(problem, method, arguments.budget, arguments.seeds) for method in chosen}
        found[problem.name] = results
        print_table(problem.name, results)
    record = {"backend": name, "budget": arguments.budget, "batch": BATCH, "problems": found}
    arguments.out.write_text(json.dumps(record) + "\n")
    return 0


def methods() -> list[Method]:
    """What is compared; SGD always has momentum 0.9, but within methods for differential equations."""
    import keras

    import zoo_addons

    def sgd() -> Any:
        return keras.optimizers.SGD(0.1, momentum=0.9)

    def plain() -> Any:
        return keras.optimizers.SGD(0.1)

    def around_adam(name: str) -> Callable[[], Any]:
        return lambda: getattr(zoo_addons, name)(keras.optimizers.Adam())

    return [
        Method("SGD", sgd, lambda problem: problem.sgd_rates),
        Method("Adam", keras.optimizers.Adam, lambda problem: problem.adam_rates),
        Method("LazyAdam", zoo_addons.LazyAdam, lambda problem: problem.adam_rates),
        Method("Lookahead (Adam)", around_adam("Lookahead"), lambda problem: problem.adam_rates),
        Method("RAdam", zoo_addons.RAdam, lambda problem: problem.adam_rates),
        Method("AdaBelief", zoo_addons.AdaBelief, lambda problem: problem.adam_rates),
        Method("Prodigy", zoo_addons.Prodigy, lambda _: (0.25, 0.5, 1.0, 2.0)),
        Method("LARS", zoo_addons.LARS, lambda _: (1.0, 3.0, 10.0, 30.0)),
        Method("SAM (SGD)", sgd, lambda problem: problem.sgd_rates, zoo_addons.SAM, 2),
        Method("Heun", plain, lambda problem: problem.plain_rates, zoo_addons.Heun, 2),
        Method("RK23", plain, lambda problem: problem.plain_rates, zoo_addons.RK23, 4),
    ]


def compare(problem: Problem, method: Method, budget: int, seeds: int) -> dict[str, Any]:
    """Choose the learning rate, then run with each seed."""
    trainer = Trainer(problem, method)
    tuned = {rate: trainer.run(rate, TUNING_SEED, budget).validation_loss for rate in method.rates(problem)}
    rate = min(tuned, key=lambda each: tuned[each])
    runs = [trainer.run(rate, seed, budget) for seed in range(seeds)]
    print(f"{problem.name}: {method.name}: {rate:g} of {tuned}", file=sys.stderr)
    return {
        "rate": rate,
        "at_the_edge": rate in (min(tuned), max(tuned)),
        "curves": [run.curve for run in runs],
        "test_accuracy": [run.test_accuracy for run in runs],
    }


class Trainer:
    """A compiled model that can be started anew, so that it is compiled once only."""

    def __init__(self, problem: Problem, method: Method) -> None:
        """Build and compile."""
        self.problem, self.method = problem, method
        inner = problem.make()
        self.model = method.wrap(inner) if method.wrap else inner
        self.model.compile(method.make(), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
        if not self.model.built:
            self.model.build((None, *problem.train[0].shape[1:]))
        self.model.optimizer.build(self.model.trainable_variables)
        self.variables = [*self.model.variables, *self.model.optimizer.variables]
        self.start = [np.array(variable.numpy()) for variable in self.variables]

    def run(self, rate: float, seed: int, budget: int) -> Run:
        """Train from this seed's weights, on its batches, until the gradients are used up."""
        rng = np.random.default_rng(seed)
        self._restart(rng)
        self.model.optimizer.learning_rate = rate
        x, y = self.problem.train
        batches = _batches(rng, len(x))
        curve = [(0, round(self._loss(), 4))]
        while curve[-1][0] < budget:
            steps = max(1, budget // POINTS // self.method.gradients)
            rows = np.concatenate(list(itertools.islice(batches, steps)))
            self.model.fit(x[rows], y[rows], batch_size=BATCH, shuffle=False, verbose=0)
            curve.append((curve[-1][0] + self._used(steps), round(self._loss(), 4)))
        validation, _ = self._measure(*self.problem.validation)
        return Run(curve, validation, self._measure(*self.problem.test)[1])

    def _used(self, steps: int) -> int:
        """Gradients, in so many steps that were the last."""
        if not hasattr(self.model, "tries"):
            return steps * self.method.gradients
        # The adaptive method: a gradient, and three for each attempt.
        tries = int(self.model.tries.numpy())
        self.model.tries.assign(0)
        return steps + 3 * tries

    def _loss(self) -> float:
        x, y = self.problem.train
        return self._measure(x[:1000], y[:1000])[0]

    def _measure(self, x: Array, y: Array) -> tuple[float, float]:
        loss, accuracy = self.model.test_on_batch(x, y)
        self.model.reset_metrics()
        return min(float(loss), 1e9) if np.isfinite(loss) else 1e9, float(accuracy)

    def _restart(self, rng: np.random.Generator) -> None:
        for variable, value in zip(self.variables, self.start, strict=True):
            variable.assign(value)
        for variable in self.model.trainable_variables:
            shape = tuple(variable.shape)
            limit = 0.05 if shape[0] == WORDS else np.sqrt(6 / sum(shape)) if len(shape) > 1 else 0.0
            variable.assign(rng.uniform(-limit, limit, shape).astype("float32"))


def _batches(rng: np.random.Generator, count: int) -> Any:
    while True:
        order = rng.permutation(count)
        yield from (order[start : start + BATCH] for start in range(0, count - BATCH + 1, BATCH))


def images() -> Problem:
    """A part of Fashion-MNIST."""
    import keras

    from zoo_core.data import load_data

    def make() -> Any:
        layers = [keras.layers.Dense(64, activation="relu"), keras.layers.Dense(10, activation="softmax")]
        return keras.Sequential([keras.Input((784,)), *layers])

    data = load_data("fashion-mnist")
    (x, y), (x_test, y_test) = (
        (np.asarray(images[:most], "float32").reshape(most, -1) / 255, np.asarray(labels)[:most])
        for (images, labels), most in ((data.part("train"), 6000), (data.part("test"), 10_000))
    )
    rates = (0.003, 0.01, 0.03, 0.1), (3e-4, 1e-3, 3e-3, 1e-2), (0.1, 0.3, 1.0, 3.0)
    return Problem("images", (x[:5000], y[:5000]), (x[5000:], y[5000:]), (x_test, y_test), make, *rates)


def text() -> Problem:
    """Sentences as the numbers of their words."""
    import keras

    def make() -> Any:
        layers = [keras.layers.Embedding(WORDS, 32), keras.layers.GlobalAveragePooling1D()]
        return keras.Sequential([keras.Input((LENGTH,), dtype="int32"), *layers, keras.layers.Dense(2, "softmax")])

    folder = Path(os.environ.get("ZOO_DATA") or Path(__file__).parents[2] / "shared" / "data")
    content = lzma.decompress((folder / "sentiment_en" / "rt_polarity.tsv.xz").read_bytes()).decode()
    rows = [line.split("\t") for line in content.splitlines()[1:]]
    sentences = {split: [re.findall(r"[\w']+", text) for part, _, text in rows if part == split] for split in _SPLITS}
    counts = Counter(word for words in sentences["train"] for word in words)
    numbers = {word: number for number, (word, _) in enumerate(counts.most_common(WORDS - 2), 2)}
    train, validation, test = (
        (_numbered(sentences[split], numbers), np.array([int(label) for part, label, _ in rows if part == split]))
        for split in _SPLITS
    )
    rates = (0.1, 0.3, 1.0, 3.0), (3e-4, 1e-3, 3e-3, 1e-2), (1.0, 3.0, 10.0, 30.0)
    return Problem("text", train, validation, test, make, *rates)


_SPLITS = ("train", "valid", "test")


def _numbered(sentences: Sequence[Sequence[str]], numbers: dict[str, int]) -> Array:
    """0 fills up, 1 is every rare word."""
    table = np.zeros((len(sentences), LENGTH), "int32")
    for row, words in zip(table, sentences, strict=True):
        known = [numbers.get(word, 1) for word in words[:LENGTH]]
        row[: len(known)] = known
    return table


def print_table(problem: str, results: dict[str, dict[str, Any]]) -> None:
    """Best training loss first."""
    print(f"{problem:<22}{'rate':>8}{'training loss':>16}{'test accuracy':>18}")
    for name, result in sorted(results.items(), key=lambda item: _last(item[1])):
        accuracy = result["test_accuracy"]
        spread = f"{100 * statistics.mean(accuracy):.1f} ({100 * min(accuracy):.1f} to {100 * max(accuracy):.1f})"
        edge = "*" if result["at_the_edge"] else " "
        print(f"{name:<22}{result['rate']:>7g}{edge}{_last(result):>16.3f}{spread:>22}")
    print("* the least or largest rate that was tried\n")


def _last(result: dict[str, Any]) -> float:
    return float(statistics.mean(curve[-1][1] for curve in result["curves"]))


if __name__ == "__main__":
    sys.exit(main())
