"""Data: found by name, file or folder, accepted by hash, always split alike, and nothing in a file trusted."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import struct
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo_core import data_files, data_readers
from zoo_core.data import Splits, content_sha256, data_name, load_data
from zoo_core.datasets import DATASETS, DataFile, Dataset, Edition, find_dataset
from zoo_core.errors import DataError, DownloadError, IntegrityError, OfflineError, UsageError

X_TRAIN = np.arange(5 * 4 * 4, dtype="uint8").reshape(5, 4, 4)
X_TEST = X_TRAIN[:2] + 100


def write_npz(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(autouse=True)
def _no_data_at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("ZOO_DATA", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "zoo-home"))


def toy_dataset(file: DataFile) -> Dataset:
    return replace(DATASETS["mnist"], name="toy", folder="toy", editions=(Edition("npz", (file,)),))


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(DataError, match="no data set is called 'fashion_mnist', did you mean 'fashion-mnist'"):
        load_data("fashion_mnist")


def test_every_data_set_has_licence_origin_and_hashes() -> None:
    for dataset in DATASETS.values():
        assert dataset.license
        assert dataset.origin
        for file in (file for edition in dataset.editions for file in edition.files):
            assert len(file.sha256) == 64
            assert int(file.sha256, 16)


def test_npz_with_splits_becomes_images_with_a_channel_axis(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "My Clothes.npz", x_train=X_TRAIN, x_test=X_TEST, y_train=np.arange(5))
    data = load_data(path)
    assert (data.name, data.license, data.shape) == ("my-clothes", "unknown", (4, 4, 1))
    assert data.sizes == {"train": 5, "test": 2}
    np.testing.assert_array_equal(data.train[..., 0], X_TRAIN)
    np.testing.assert_array_equal(data.train_labels, np.arange(5))
    assert data.test_labels is None


def test_numbers_that_are_no_images_keep_their_shape(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", x_train=np.zeros((3, 2, 7), "float32"), x_test=np.zeros((1, 2, 7), "float32"))
    assert load_data(path).shape == (2, 7)


def test_single_array_is_split_by_content_not_by_order(tmp_path: Path) -> None:
    examples = np.random.default_rng(0).integers(0, 256, (200, 3, 3), dtype="uint8")
    data = load_data(write_npz(tmp_path / "a.npz", images=examples))
    mirrored = load_data(write_npz(tmp_path / "b.npz", images=examples[::-1]))
    assert 10 <= len(data.test) <= 32
    assert {row.tobytes() for row in data.test} == {row.tobytes() for row in mirrored.test}
    assert len(data.train) + len(data.test) == 200
    doubled = load_data(write_npz(tmp_path / "c.npz", images=np.concatenate([examples, examples])))
    assert not {row.tobytes() for row in doubled.train} & {row.tobytes() for row in doubled.test}


def test_validation_is_the_end_of_the_training_split(tmp_path: Path) -> None:
    path = write_npz(tmp_path / "a.npz", x_train=X_TRAIN, x_test=X_TEST, y_train=np.arange(5), y_test=np.arange(2))
    whole, data = load_data(path), load_data(path, validation=2)
    assert data.sizes == {"train": 3, "validation": 2, "test": 2}
    np.testing.assert_array_equal(data.validation, whole.train[3:])
    np.testing.assert_array_equal(data.validation_labels, [3, 4])
    assert data.sha256 == whole.sha256
    for size in (-1, 5):
        with pytest.raises(DataError, match="training examples for validation"):
            load_data(path, validation=size)
    with pytest.raises(DataError, match="no validation split"):
        whole.measured_on("validation")


def test_data_measured_on_another_split_and_fewer_examples(tmp_path: Path) -> None:
    data = load_data(write_npz(tmp_path / "a.npz", x_train=X_TRAIN, x_test=X_TEST, y_train=np.arange(5)))
    measured = data.measured_on("train", limit=3)
    np.testing.assert_array_equal(measured.test, data.train[:3])
    np.testing.assert_array_equal(measured.test_labels, [0, 1, 2])
    with pytest.raises(UsageError, match="no split"):
        data.measured_on("holdout")
    with pytest.raises(DataError, match="0 examples"):
        data.measured_on("test", limit=0)


def test_content_hash_tells_values_shapes_and_dtypes_apart() -> None:
    array = np.arange(6, dtype="uint8")
    hashes = [
        content_sha256(array),
        content_sha256(array + 1),
        content_sha256(array.reshape(2, 3)),
        content_sha256(array.astype("int8")),
        content_sha256(array, None),
    ]
    assert len(set(hashes)) == 5
    assert content_sha256(np.asfortranarray(array.reshape(2, 3))) == content_sha256(array.reshape(2, 3))


def test_content_hash_is_that_of_header_and_bytes() -> None:
    array = np.array([[1, 2]], dtype="<i4")
    assert content_sha256(array) == hashlib.sha256(b"<i4(1, 2)" + struct.pack("<2i", 1, 2)).hexdigest()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_train": X_TRAIN, "x_test": X_TEST, "y_train": np.arange(4)}, "5 examples but 4 labels"),
        ({"x_train": X_TRAIN, "x_test": X_TEST[:, :3]}, "train and test are unlike: x_train is uint8"),
        ({"x_train": X_TRAIN, "x_test": X_TEST[:0]}, "no examples in x_test"),
        ({"a": X_TRAIN, "b": X_TEST}, "holds a, b: needed are x_train and x_test"),
        ({"x": X_TRAIN[:1]}, "too few to split"),
        ({"x": np.array(["a", "b"])}, "not numbers"),
    ],
)
def test_unfit_npz_is_refused(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(write_npz(tmp_path / "a.npz", **arrays))


def test_pickled_objects_are_never_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, x=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(DataError, match="not numbers"):
        load_data(path)


def test_npz_that_claims_more_than_it_holds_is_refused(tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (10**13,)})
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", header.getvalue() + b"123")
    with pytest.raises(DataError, match="not as long as its header says"):
        load_data(path)


def test_npz_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_readers, "_LARGEST_CONTENT", 1000)
    path = tmp_path / "a.npz"
    np.savez_compressed(path, x=np.zeros(100_000, "uint8"))
    with pytest.raises(DataError, match="unpacks to more"):
        load_data(path)


@pytest.mark.parametrize("content", [b"", b"PK\3\4 torn", b"no zip at all"])
def test_damaged_npz_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(DataError, match="not a readable npz file"):
        load_data(path)


def test_missing_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not exist"):
        load_data(tmp_path / "nowhere")


def test_names_of_data() -> None:
    assert data_name("mnist") == "mnist"
    assert data_name("./Some Data.npz") == "some-data"
    assert data_name(Path("mnist.npz")) == "my-mnist"


def save_image(path: Path, value: int, size: tuple[int, int] = (8, 6), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, 0, 0)).save(path)


def test_folder_of_images_is_cropped_reduced_and_split(tmp_path: Path) -> None:
    for number in range(40):
        save_image(tmp_path / "cats" / f"{number}.png", number, size=(8 + number, 6))
    data = load_data(tmp_path, size=3)
    assert data.shape == (3, 3, 3)
    assert data.train.dtype == np.uint8
    assert len(data.train) + len(data.test) == 40
    assert sorted(int(image[0, 0, 0]) for image in np.concatenate([data.train, data.test])) == list(range(40))


def test_folder_with_train_and_test_keeps_its_splits(tmp_path: Path) -> None:
    save_image(tmp_path / "train" / "a.png", 1, mode="L")
    save_image(tmp_path / "train" / "b.png", 2, mode="L")
    save_image(tmp_path / "test" / "c.png", 3, mode="L")
    data = load_data(tmp_path)
    assert data.shape == (6, 8, 1)
    assert (data.train[:, 0, 0, 0].tolist(), data.test[:, 0, 0, 0].tolist()) == ([1, 2], [3])


def test_unfit_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no image")
    with pytest.raises(DataError, match="no images under"):
        load_data(tmp_path)
    save_image(tmp_path / "a.png", 1)
    save_image(tmp_path / "b.png", 1, size=(3, 3))
    with pytest.raises(DataError, match="2 sizes.*--set image_size=32"):
        load_data(tmp_path)
    (tmp_path / "c.png").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"c\.png is not a readable image"):
        load_data(tmp_path, size=2)


def test_images_are_reduced_as_by_a_box_filter() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype="uint8")
    reduced = data_readers.reduce_images(images, 4)
    assert reduced[1, 2, 3, 0] == np.floor(images[1, 4:6, 6:8, 0].mean() + 0.5)
    # Pillow rounds twice, once for each axis.
    pillow = [np.asarray(Image.fromarray(image).resize((4, 4), Image.Resampling.BOX)) for image in images]
    np.testing.assert_allclose(reduced, np.array(pillow, "float"), atol=1)
    with pytest.raises(DataError, match="cannot reduce"):
        data_readers.reduce_images(images, 3)


def test_idx_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"\0\0\x08\x03" + struct.pack(">3I", 5, 4, 4) + X_TRAIN.tobytes()))
    np.testing.assert_array_equal(data_readers.read_idx_file(path), X_TRAIN)
    path.write_bytes(gzip.compress(b"\0\0\x0d\x01" + struct.pack(">I", 0)))
    with pytest.raises(DataError, match="no idx file"):
        data_readers.read_idx_file(path)


def test_known_data_is_found_below_zoo_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store" / "toy").mkdir(parents=True)
    path = write_npz(tmp_path / "store" / "toy" / "toy.npz", x_train=X_TRAIN, x_test=X_TEST)
    monkeypatch.setitem(DATASETS, "toy", toy_dataset(DataFile("toy.npz", digest(path))))
    monkeypatch.setenv("ZOO_DATA", str(tmp_path / "store"))
    assert load_data("toy").license == "CC-BY-SA-3.0"
    for place in (path, path.parent, path.parent.parent):
        assert load_data(place).name == data_name(place) == "toy"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match="its sha256 differs"):
        load_data("toy")


def test_data_that_nobody_serves_says_where_to_put_it() -> None:
    with pytest.raises(DataError, match=r"put flowers64_train.npz and flowers64_test.npz into \$ZOO_DATA/flowers64"):
        load_data("flowers64")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the loopback address that serves it."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_data_is_downloaded_once_checked_and_its_licence_shown(
    served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder, address = served
    path = write_npz(folder / "toy.npz", x_train=X_TRAIN, x_test=X_TEST)
    monkeypatch.setitem(DATASETS, "toy", toy_dataset(DataFile("toy.npz", digest(path), f"{address}/toy.npz")))
    with monkeypatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        with pytest.raises(OfflineError, match="HF_HUB_OFFLINE"):
            load_data("toy")
    assert load_data("toy").sizes == {"train": 5, "test": 2}
    assert "downloading toy: licence CC-BY-SA-3.0" in capsys.readouterr().err
    path.unlink()
    assert load_data("toy").sizes == {"train": 5, "test": 2}
    assert capsys.readouterr().err == ""
    assert [file.name for file in (tmp_path / "zoo-home" / "data" / "toy").iterdir()] == ["toy.npz"]


def test_download_of_the_wrong_content_leaves_nothing(
    served: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, address = served
    (folder / "toy.npz").write_bytes(b"something else")
    monkeypatch.setitem(DATASETS, "toy", toy_dataset(DataFile("toy.npz", "0" * 64, f"{address}/toy.npz")))
    with pytest.raises(IntegrityError, match="expected sha256 0000"):
        load_data("toy")
    monkeypatch.setattr(data_files, "_LARGEST_DOWNLOAD", 3)
    with pytest.raises(IntegrityError, match="more than 3 bytes"):
        load_data("toy")
    (folder / "toy.npz").unlink()
    with pytest.raises(DownloadError, match="could not be downloaded.*404"):
        load_data("toy")
    assert list((tmp_path / "zoo-home" / "data" / "toy").iterdir()) == []


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "flowers32"])
def test_real_data_sets_are_what_the_table_says(name: str, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_DATA", str(data_folder))
    data: Splits = load_data(name)
    assert data.shape == find_dataset(name).shape
    assert data.train.dtype == np.uint8
    sizes = {"train": 2931, "test": 536} if name == "flowers32" else {"train": 60000, "test": 10000}
    assert data.sizes == sizes
    assert data.train_labels is not None


def test_fashion_mnist_has_its_published_mean(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_DATA", str(data_folder))
    assert load_data("fashion-mnist").train.mean() / 255 == pytest.approx(0.2860, abs=1e-4)
