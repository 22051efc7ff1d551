"""Readers of what examples come in: npz, idx, encoded images in npz, folders of images. Nothing is ever unpickled."""

from __future__ import annotations

import gzip
import hashlib
import io
import itertools
import math
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    Array = np.ndarray[Any, Any]

_LARGEST_CONTENT = 8 << 30
_LARGEST_SIDE = 16_384
_IMAGE_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
_TEST_SHARE = 10


def read_npz(path: Path) -> dict[str, Array]:
    """x_train, x_test and, where given, y_train, y_test; a file with one array is split 90/10 by a hash of each row."""
    arrays = _npz_arrays(path)
    if {"x_train", "x_test"} <= set(arrays):
        return {name: arrays[name] for name in ("x_train", "x_test", "y_train", "y_test") if name in arrays}
    if len(arrays) == 1:
        return split_by_hash(next(iter(arrays.values())), None, str(path))
    found = ", ".join(sorted(arrays)) or "nothing"
    raise DataError(f"{path} holds {found}: needed are x_train and x_test (y_train, y_test), or a single array")


def split_by_hash(examples: Array, labels: Array | None, where: str) -> dict[str, Array]:
    """A tenth of the examples as test split, chosen by the hash of each one's bytes: the same whatever their order."""
    import numpy as np

    digests = (hashlib.sha256(np.ascontiguousarray(example).data).digest() for example in examples)
    held_out = np.array([int.from_bytes(digest[:4], "big") % _TEST_SHARE == 0 for digest in digests], dtype=bool)
    if held_out.all() or not held_out.any():
        raise DataError(f"{where}: {len(examples)} examples are too few to split off a test part")
    split = {"x_train": examples[~held_out], "x_test": examples[held_out]}
    return split if labels is None else {**split, "y_train": labels[~held_out], "y_test": labels[held_out]}


def reduce_images(images: Array, size: int) -> Array:
    """Images `(examples, height, width, channels)` averaged over boxes down to `size` x `size`, rounded half up."""
    import numpy as np

    count, height, width, channels = images.shape
    if height != width or height % size:
        raise DataError(f"cannot reduce {height}x{width} images to {size}x{size}")
    factor = height // size
    boxes = images.reshape(count, size, factor, size, factor, channels).astype("uint32")
    total: Array = boxes.sum(axis=(2, 4))
    return np.asarray((total + factor**2 // 2) // factor**2, dtype="uint8")


def _npz_arrays(path: Path) -> dict[str, Array]:
    """Every array of an npz file; pickles, and files that unpack to more than they may, are refused."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > _LARGEST_CONTENT:
                raise DataError(f"{path} unpacks to more than {_LARGEST_CONTENT >> 30} GiB")
            return {member.filename.removesuffix(".npy"): _npy_array(archive, member) for member in members}
    except (zipfile.BadZipFile, ValueError, OSError, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise DataError(f"{path} is not a readable npz file of plain arrays: {error}") from error


def _npy_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Array:
    import numpy as np

    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        if dtype.kind not in "buif":
            raise ValueError(f"{member.filename} holds {dtype}, not numbers")
        # numpy allocates what the header says before it reads: the header has to fit the member's size.
        if math.prod(shape) * dtype.itemsize != member.file_size - stream.tell():
            raise ValueError(f"{member.filename} is not as long as its header says")
    with archive.open(member) as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))


def _read_npz_files(paths: list[Path]) -> dict[str, Array]:
    return read_npz(paths[0])


def _read_idx(paths: list[Path]) -> dict[str, Array]:
    return dict(zip(("x_train", "y_train", "x_test", "y_test"), map(read_idx_file, paths), strict=True))


def read_idx_file(path: Path) -> Array:
    """One gzipped idx file of bytes: two zeros, 8 for uint8, the rank, then big-endian sizes and the values (LeCun)."""
    import numpy as np

    with gzip.open(path) as stream:
        content = stream.read(_LARGEST_CONTENT)
    if content[:3] != b"\0\0\x08":
        raise DataError(f"{path} is no idx file of bytes")
    rank = content[3]
    shape = np.frombuffer(content, ">u4", rank, offset=4)
    return np.frombuffer(content, "uint8", offset=4 + 4 * rank).reshape(shape)


def _read_encoded(paths: list[Path]) -> dict[str, Array]:
    """Encoded images of two npz files, train and test: `blob`, `offsets` and the labels `y`."""
    import numpy as np

    arrays: dict[str, Array] = {}
    for part, path in zip(("train", "test"), paths, strict=True):
        with np.load(path, allow_pickle=False) as content:
            blob, offsets, arrays[f"y_{part}"] = content["blob"], content["offsets"], content["y"]
        images = [_open_image(io.BytesIO(blob[a:b].tobytes()), path) for a, b in itertools.pairwise(offsets)]
        arrays[f"x_{part}"] = np.stack([np.asarray(image.convert("RGB")) for image in images])
    return arrays


def _read_questions(paths: list[Path]) -> dict[str, Array]:
    """Rows of split, department, title, question, answer: x is `(rows, 3)` texts, y the department's place among all.

    The splits train, valid and test are the file's own.
    """
    import lzma

    import numpy as np

    with lzma.open(paths[0], "rt", encoding="utf-8") as stream:
        rows = [line.rstrip("\n").split("\t") for line in stream][1:]
    departments = sorted({row[1] for row in rows})
    width = max(len(cell) for row in rows for cell in row)
    arrays: dict[str, Array] = {}
    for split, name in (("train", "train"), ("valid", "validation"), ("test", "test")):
        chosen = [row for row in rows if row[0] == split]
        arrays[f"x_{name}"] = np.array([row[2:5] for row in chosen], f"<U{width}")
        arrays[f"y_{name}"] = np.array([departments.index(row[1]) for row in chosen])
    return arrays


def read_image_folder(folder: Path, size: int) -> dict[str, Array]:
    """The images under a folder, cropped and reduced to `size` x `size` where size is not 0.

    Subfolders `train` and `test` are the splits; without them a tenth is held out by a hash of the pixels.
    Grey where all of them are, else RGB. Raises DataError for unreadable files and for images of several sizes.
    """
    if not 0 <= size <= _LARGEST_SIDE:
        raise DataError(f"images of {size}x{size} pixels", f"a side has at most {_LARGEST_SIDE}")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _IMAGE_SUFFIXES and path.is_file())
    if not paths:
        raise DataError(f"no images under {folder}", f"looked for {' '.join(sorted(_IMAGE_SUFFIXES))}")
    images = _stack([_fit(_open_image(path, path), size) for path in paths], folder)
    top = [path.relative_to(folder).parts[0] for path in paths]
    if set(top) == {"train", "test"}:
        return {f"x_{part}": images[[name == part for name in top]] for part in ("train", "test")}
    return split_by_hash(images, None, str(folder))


def _open_image(file: Path | io.BytesIO, where: Path) -> Image.Image:
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise DataError("reading images needs Pillow", "pip install pillow") from error
    try:
        with Image.open(file) as image:
            return ImageOps.exif_transpose(image)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"{where} is not a readable image: {error}") from error


def _fit(image: Image.Image, size: int) -> Image.Image:
    from PIL import Image, ImageOps

    return ImageOps.fit(image, (size, size), Image.Resampling.LANCZOS) if size else image


def _stack(images: list[Image.Image], folder: Path) -> Array:
    import numpy as np

    sizes = {image.size for image in images}
    if len(sizes) > 1:
        raise DataError(
            f"the images under {folder} have {len(sizes)} sizes", "say the size to reduce them to: --set image_size=32"
        )
    grey = all(image.mode in {"1", "L", "LA"} for image in images)
    return np.stack(list(_pixels(images, "L" if grey else "RGB")))


def _pixels(images: list[Image.Image], mode: str) -> Iterator[Array]:
    import numpy as np

    for image in images:
        pixels = np.asarray(image.convert(mode))
        yield pixels[..., None] if pixels.ndim == 2 else pixels


READERS: dict[str, Callable[[list[Path]], dict[str, Array]]] = {
    "npz": _read_npz_files,
    "idx": _read_idx,
    "encoded": _read_encoded,
    "questions": _read_questions,
}
