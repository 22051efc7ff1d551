"""What label smoothing and the hinged cross-entropy are worth: accuracy and calibration on test data, over seeds.

Run: python benchmarks/loss_functions.py [--sets sentiment-zh fashion-mnist] [--seeds 0 1 2]

The same small network under the same seed is trained with each loss, for a fixed number of epochs, on all of the
training split and measured on the rest: accuracy, expected calibration error (15 bins), Brier score; mean and range
over the seeds. Needs Fashion-MNIST and the sentences with their sentiment in $ZOO_DATA. Ten minutes of computing.
"""

from __future__ import annotations

import argparse
import collections
import lzma
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo_core import backend
from zoo_core.data import load_data

Array = np.ndarray[Any, Any]

METRICS = ("accuracy", "ece", "brier")


@dataclass(frozen=True, slots=True)
class Task:
    """Data split in two, a network for it, and for how long to train that."""

    train: tuple[Array, Array]
    test: tuple[Array, Array]
    network: Callable[[], Any]
    epochs: int


def main() -> int:
    """Train and measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sets", nargs="+", default=list(TASKS), choices=list(TASKS), metavar="SET")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], metavar="SEED")
    arguments = parser.parse_args()
    backend.ensure()
    for name in arguments.sets:
        task = TASKS[name]()
        print(f"{name}: {len(task.train[0]):,} to train on, {len(task.test[0]):,} to test, {task.epochs} epochs")
        for loss, make in losses().items():
            results = [trained(task, make, seed) for seed in arguments.seeds]
            print(f"  {loss:22}" + "".join(_shown(metric, [each[metric] for each in results]) for metric in METRICS))
            sys.stdout.flush()
    return 0


def losses() -> dict[str, Callable[[], Any]]:
    """What is compared."""
    from zoo_addons import HingedCrossentropy, LabelSmoothedCrossentropy

    return {
        "cross-entropy": lambda: LabelSmoothedCrossentropy(0.0, from_logits=True),
        "label smoothing 0.1": lambda: LabelSmoothedCrossentropy(0.1, from_logits=True),
        "hinged at 0.6": lambda: HingedCrossentropy(0.6, from_logits=True),
        "hinged at 0.9": lambda: HingedCrossentropy(0.9, from_logits=True),
    }


def trained(task: Task, loss: Callable[[], Any], seed: int) -> dict[str, float]:
    """Accuracy, calibration error and Brier score of a network trained with a loss."""
    import keras

    from zoo_addons import BrierScore, ExpectedCalibrationError

    backend.set_random_seed(seed)
    model = task.network()
    metrics = [
        keras.metrics.SparseCategoricalAccuracy(name="accuracy"),
        ExpectedCalibrationError(from_logits=True, name="ece"),
        BrierScore(from_logits=True, name="brier"),
    ]
    model.compile(keras.optimizers.Adam(1e-3), loss=loss(), metrics=metrics)
    model.fit(*task.train, batch_size=128, epochs=task.epochs, verbose=0)
    measured: dict[str, float] = model.evaluate(*task.test, batch_size=500, verbose=0, return_dict=True)
    return measured


def sentiment(folder: str, words: bool, length: int, epochs: int) -> Task:
    """Sentences and whether they praise, as numbers of words or of characters, 0 where there are none."""
    rows = _rows(Path(os.environ.get("ZOO_DATA", "."), folder))
    texts = [text.split() if words else list(text) for _split, _label, text in rows]
    is_train = np.array([split == "train" for split, _label, _text in rows])
    counts = collections.Counter(word for text, seen in zip(texts, is_train, strict=True) if seen for word in text)
    numbers = {word: number for number, (word, _count) in enumerate(counts.most_common(10_000), start=2)}
    x = np.zeros((len(texts), length), "int32")
    for row, text in zip(x, texts, strict=True):
        known = [numbers.get(word, 1) for word in text[:length]]
        row[: len(known)] = known
    y = np.array([int(label) for _split, label, _text in rows])
    return Task((x[is_train], y[is_train]), (x[~is_train], y[~is_train]), _convolution, epochs)


def fashion_mnist() -> Task:
    """Clothes, between 0 and 1."""
    data = load_data("fashion-mnist")
    assert data.train_labels is not None
    assert data.test_labels is not None
    train, test = (images.astype("float32") / 255 for images in (data.train, data.test))
    return Task((train, data.train_labels), (test, data.test_labels), _perceptron, 12)


TASKS: dict[str, Callable[[], Task]] = {
    "sentiment-en": lambda: sentiment("sentiment_en", words=True, length=40, epochs=6),
    "sentiment-zh": lambda: sentiment("sentiment_zh", words=False, length=100, epochs=6),
    "fashion-mnist": fashion_mnist,
}
"""Name -> what to train on."""


def _rows(folder: Path) -> list[tuple[str, str, str]]:
    with lzma.open(next(folder.glob("*.tsv.xz")), "rt", encoding="utf-8") as file:
        lines = file.read().split("\n")[1:]
    split, label, text = zip(*(line.split("\t", 2) for line in lines if line), strict=True)
    return list(zip(split, label, text, strict=True))


def _convolution() -> Any:
    """As in post 4293: a convolution over embeddings, and the maximum over time."""
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            layers.Embedding(10_002, 64),
            layers.Conv1D(64, 3, activation="relu", padding="same"),
            layers.GlobalMaxPooling1D(),
            layers.Dense(64, activation="relu"),
            layers.Dense(2),
        ]
    )


def _perceptron() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential([layers.Flatten(), layers.Dense(256, activation="relu"), layers.Dense(10)])


def _shown(metric: str, values: Sequence[float]) -> str:
    scale, unit = (100, "%") if metric == "accuracy" else (1, "")
    digits = 2 if metric == "accuracy" else 4
    mean, low, high = (scale * value for value in (statistics.mean(values), min(values), max(values)))
    return f"  {metric} {mean:.{digits}f}{unit} ({low:.{digits}f} to {high:.{digits}f})"


if __name__ == "__main__":
    sys.exit(main())
