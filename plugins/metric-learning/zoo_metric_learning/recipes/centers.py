"""How the classifier with centers is trained and measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.errors import DataError, RecipeError
from zoo_core.recipes import ImageRecipe

if TYPE_CHECKING:
    import keras
    import numpy as np

    from zoo_core.data import Splits

    Array = np.ndarray[Any, Any]

KNOWN = 10_000
"""Training images among which neighbours are looked for."""
NEIGHBOURS = 5


@dataclass(frozen=True, kw_only=True)
class CenterRecipe(ImageRecipe):
    """Cross-entropy and center loss by Adam under a cosine schedule.

    `held_out` names classes that are not trained on: whether their images find one another by their features says how
    much distances mean.
    """

    data: str = "fashion-mnist"
    epochs: int = 12
    batch_size: int = 128
    learning_rate: float = 2e-3
    center_weight: float = 0.02
    """How much the centers count beside the cross-entropy; 0: softmax alone."""
    center_update: str = "gradient"
    """"gradient": centers are trained as weights are; "moving": each moves towards the features of its class."""
    center_rate: float = 0.5
    """By how much, of the way, centers that move by themselves do so."""
    dimensions: int = 2
    """Number of features; two can be drawn."""
    filters: tuple[int, ...] = (16, 32)
    units: int = 128
    held_out: tuple[int, ...] = ()
    """Labels of classes that are never trained on."""

    def load(self, source: str | Path) -> Splits:
        """Images with labels, one of which at least is not held out."""
        data = super().load(source)
        if data.train_labels is None or data.test_labels is None or len(data.shape) != 3:
            raise DataError(
                f"{data.name} has no images with labels", "a FILE.npz needs x_train, y_train, x_test, y_test"
            )
        labels = set(data.train_labels.tolist())
        if unknown := sorted(set(self.held_out) - labels):
            raise RecipeError(f"setting held_out: {data.name} has no class {unknown[0]}")
        if len(labels - set(self.held_out)) < 2:
            raise RecipeError("setting held_out: at least two classes have to be left to train on")
        return data

    def inputs(self, data: Splits) -> Any:
        """Images and labels of the classes that are trained on, numbered from 0."""
        import numpy as np

        assert data.train_labels is not None  # load has seen to it
        classes = self._classes(data)
        chosen = np.isin(data.train_labels, classes)
        return data.train[chosen], np.searchsorted(classes, data.train_labels[chosen]).astype("int32")

    def arguments(self, data: Splits) -> dict[str, Any]:
        """The model's constructor arguments."""
        return {
            "image_shape": data.shape,
            "classes": len(self._classes(data)),
            "dimensions": self.dimensions,
            "filters": self.filters,
            "units": self.units,
            "center_weight": self.center_weight,
            "center_update": self.center_update,
            "center_rate": self.center_rate,
        }

    def compile(self, model: keras.Model, steps: int) -> None:
        """Adam under a cosine schedule."""
        import keras

        schedule = keras.optimizers.schedules.CosineDecay(self.learning_rate, max(1, steps))
        model.compile(keras.optimizers.Adam(schedule), metrics=["accuracy"])

    def sample(self, model: keras.Model, folder: Path, epoch: int) -> None:
        """Nothing to draw without data: `zoo metric-learning scatter` draws the features."""

    def evaluate(self, model: keras.Model, data: Splits, seed: int, limit: int | None = None) -> dict[str, float]:
        """Accuracy on the classes trained on; accuracy by neighbours on all classes, and on those held out."""
        import numpy as np

        images, labels = _labelled(data.test, data.test_labels, limit)
        classes = self._classes(data)
        seen = np.isin(labels, classes)
        predicted = classes[model.logits(images[seen]).argmax(axis=1)]
        metrics = _share("accuracy", predicted == labels[seen])
        known_images, known_labels = _labelled(data.train, data.train_labels, KNOWN)
        known, asked = model.features(known_images), model.features(images)
        return metrics | self._by_neighbours(known, known_labels, asked, labels)

    def baselines(self, data: Splits) -> dict[str, float]:
        """The same neighbours by the distance between pixels."""
        images, labels = _labelled(data.test, data.test_labels, None)
        known, known_labels = _labelled(data.train, data.train_labels, KNOWN)
        found = self._by_neighbours(_flat(known), known_labels, _flat(images), labels)
        return {f"pixels_{name}": value for name, value in found.items() if not name.endswith("_error")}

    def _by_neighbours(self, known: Array, known_labels: Array, asked: Array, labels: Array) -> dict[str, float]:
        import numpy as np

        from zoo_metric_learning.neighbours import nearest_neighbour_labels

        metrics = _share("knn_accuracy", nearest_neighbour_labels(known, known_labels, asked, NEIGHBOURS) == labels)
        if self.held_out:
            among, asks = np.isin(known_labels, self.held_out), np.isin(labels, self.held_out)
            found = nearest_neighbour_labels(known[among], known_labels[among], asked[asks], NEIGHBOURS)
            metrics |= _share("unseen_knn_accuracy", found == labels[asks])
        return metrics

    def _classes(self, data: Splits) -> Array:
        """The labels that are trained on, in order."""
        import numpy as np

        assert data.train_labels is not None
        return np.setdiff1d(data.train_labels, self.held_out)


def _labelled(images: Array, labels: Array | None, limit: int | None) -> tuple[Array, Array]:
    assert labels is not None
    return images[:limit], labels[:limit].astype("int64")


def _flat(images: Array) -> Array:
    return images.reshape(len(images), -1).astype("float32") / 255


def _share(name: str, right: Array) -> dict[str, float]:
    """A share of right answers with its standard error; none where nothing was asked."""
    import numpy as np

    if not len(right):
        return {}
    return {name: float(right.mean()), f"{name}_standard_error": float(right.std() / np.sqrt(len(right)))}
