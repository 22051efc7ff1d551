"""Data to train and measure on: a data set by name, a FILE.npz or a FOLDER of images, as arrays in fixed splits."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.datasets import DATASETS, Dataset, Edition, find_dataset
from zoo_core.errors import DataError, UsageError
from zoo_core.text import clean

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """Examples in fixed splits: images are uint8 `(examples, height, width, channels)`, labels `(examples,)` or None.

    Texts are arrays of strings. `sha256` is over the content of train, validation and test, whichever way they are
    split off one another.
    """

    name: str
    license: str
    sha256: str
    train: Array
    test: Array
    train_labels: Array | None = None
    test_labels: Array | None = None
    validation: Array | None = None
    validation_labels: Array | None = None

    def part(self, split: str) -> tuple[Array, Array | None]:
        """The examples and labels of one split; raises UsageError for no split, DataError where the data has none."""
        check_split(split)
        examples = getattr(self, split)
        if examples is None:
            raise DataError(
                f"{self.name} has no {split} split", "a run has one when trained with --set validation=1000"
            )
        return examples, getattr(self, f"{split}_labels")

    def measured_on(self, split: str, limit: int | None = None) -> Splits:
        """The same data with `split`, cut to its first `limit` examples, in the place of `test`."""
        examples, labels = self.part(split)
        if limit is not None and limit < 1:
            raise DataError(f"cannot measure on {limit} examples")
        return replace(self, test=examples[:limit], test_labels=None if labels is None else labels[:limit])

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return tuple(int(size) for size in self.train.shape[1:])

    @property
    def sizes(self) -> dict[str, int]:
        """How many examples each split has."""
        return {split: len(getattr(self, split)) for split in SPLITS if getattr(self, split) is not None}


def check_split(split: str) -> None:
    """Raise UsageError unless this is the name of a split."""
    from zoo_core.names import suggest

    if split not in SPLITS:
        raise UsageError(f"no split '{clean(split)}'{suggest(split, SPLITS)}", f"one of {', '.join(SPLITS)}")


OwnData = Mapping[str, Callable[[], Splits]]
"""Data that a recipe makes or gets by itself: name -> what gives its splits."""


def make_splits(name: str, license: str, **arrays: Array | None) -> Splits:
    """Splits out of x_train, x_test and, where there are labels, y_train and y_test; raises DataError for a misfit."""
    return _splits(name, license, {key: array for key, array in arrays.items() if array is not None}, name)


def load_data(
    source: str | os.PathLike[str], *, size: int = 0, validation: int = 0, own: OwnData | None = None
) -> Splits:
    """Load the data set of this name, or a FILE.npz, or a FOLDER of images; names in `own` go before data sets.

    `size` crops and reduces the images of a folder to squares of that side; `validation` examples are taken off the end
    of the training split. A file or folder that holds a known data set is recognised by its sha256.
    Raises DataError, and IntegrityError or DownloadError where a data set has to be downloaded and cannot be.
    """
    if own and str(source) in own:
        splits = own[str(source)]()
    elif is_data_path(source):
        splits = _load_path(Path(source).expanduser(), size)
    else:
        splits = _load_named(str(source))
    return _split_off_validation(splits, validation)


def is_data_path(source: str | os.PathLike[str]) -> bool:
    """Whether this is a path: any pathlib path, and strings that start with `./`, `../`, `/`, `~` or end in `.npz`."""
    from zoo_core.names import is_path

    return is_path(source) or str(source).endswith(".npz")


def data_name(source: str | os.PathLike[str], own: Container[str] = ()) -> str:
    """The name under which a run on this data goes: the data set's, or one made of the file's or folder's name.

    `own` are the names of the recipe's own data.
    """
    if str(source) in own:
        return str(source)
    if not is_data_path(source):
        return find_dataset(str(source)).name
    path = Path(source).expanduser()
    known = _recognise(path)
    return known[0].name if known else _slug(path)


def _slug(path: Path) -> str:
    stem = re.sub(r"\.(npz|txt(\.[gx]z)?)$", "", path.resolve().name)
    slug = re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:50] or "data"
    return f"my-{slug}" if slug in DATASETS else slug


def _load_named(name: str) -> Splits:
    from zoo_core.data_files import locate

    dataset = find_dataset(name)
    return _load_dataset(dataset, *locate(dataset))


def _load_path(path: Path, size: int) -> Splits:
    from zoo_core import data_readers
    from zoo_core.names import shown_path

    if known := _recognise(path):
        return _load_dataset(*known)
    if path.is_dir():
        arrays = data_readers.read_image_folder(path, size)
    elif path.is_file():
        arrays = data_readers.read_npz(path)
    else:
        raise DataError(
            f"{shown_path(path)} does not exist", "give a data set's name, a FILE.npz or a folder of images"
        )
    return _splits(_slug(path), "unknown", arrays, str(path))


def _recognise(path: Path) -> tuple[Dataset, Edition, list[Path]] | None:
    """The known data set that a file is, or that a folder holds."""
    from zoo_core.data_files import find_in_folder
    from zoo_core.files import sha256_of_file

    digest = sha256_of_file(path) if path.is_file() else ""
    for dataset in DATASETS.values():
        for edition in dataset.editions:
            if digest and [digest] == [file.sha256 for file in edition.files]:
                return dataset, edition, [path]
            if not digest and (paths := find_in_folder(path, dataset, edition)):
                return dataset, edition, paths
    return None


def _load_dataset(dataset: Dataset, edition: Edition, paths: list[Path]) -> Splits:
    from zoo_core import data_readers

    if not edition.reader:
        raise DataError(f"{dataset.name} is a text, no set of examples", "models of words take it: zoo train word2vec")
    arrays = data_readers.READERS[edition.reader](paths)
    if dataset.image_size:
        arrays = {
            name: data_readers.reduce_images(array, dataset.image_size) if name.startswith("x") else array
            for name, array in arrays.items()
        }
    return _splits(dataset.name, dataset.license, arrays, dataset.name)


def _splits(name: str, license_name: str, arrays: dict[str, Array], where: str) -> Splits:
    """Checked splits out of x_train, x_test and, where given, y_train, y_test."""
    train, test = _with_channels(arrays["x_train"]), _with_channels(arrays["x_test"])
    if train.shape[1:] != test.shape[1:] or train.dtype != test.dtype:
        found = f"x_train is {train.dtype} {train.shape}, x_test {test.dtype} {test.shape}"
        raise DataError(f"{where}: the examples of train and test are unlike: {found}")
    train_labels = _labels(arrays, "train", where)
    test_labels = _labels(arrays, "test", where)
    held_out = (arrays["x_validation"], _labels(arrays, "validation", where)) if "x_validation" in arrays else ()
    sha256 = content_sha256(train, test, train_labels, test_labels, *held_out)
    return Splits(name, license_name, sha256, train, test, train_labels, test_labels, *held_out)


def _labels(arrays: dict[str, Array], split: str, where: str) -> Array | None:
    examples, labels = arrays[f"x_{split}"], arrays.get(f"y_{split}")
    if len(examples) == 0:
        raise DataError(f"{where}: no examples in x_{split}")
    if labels is not None and len(labels) != len(examples):
        raise DataError(f"{where}: {len(examples)} examples but {len(labels)} labels in y_{split}")
    return labels


def _with_channels(images: Array) -> Array:
    """Grey images `(examples, height, width)` get a channel axis; everything else stays."""
    return images[..., None] if images.ndim == 3 and images.dtype.name == "uint8" else images


def content_sha256(*arrays: Array | None) -> str:
    """The sha256 over the arrays' shapes, dtypes and bytes."""
    import hashlib

    import numpy as np

    digest = hashlib.sha256()
    for array in arrays:
        header = "none" if array is None else f"{array.dtype.str}{array.shape}"
        digest.update(header.encode())
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _split_off_validation(splits: Splits, size: int) -> Splits:
    if size == 0:
        return splits
    if splits.validation is not None:
        raise DataError(f"{splits.name} has a validation split of its own", "leave out --set validation")
    if not 0 < size < len(splits.train):
        raise DataError(f"cannot take {size} of {splits.name}'s {len(splits.train)} training examples for validation")
    labels = splits.train_labels
    return replace(
        splits,
        train=splits.train[:-size],
        train_labels=None if labels is None else labels[:-size],
        validation=splits.train[-size:],
        validation_labels=None if labels is None else labels[-size:],
    )
