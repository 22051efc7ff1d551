"""Pictures in and out: image files as uint8 arrays of a model's shape, arrays as PNG files.

An image is uint8 (height, width, channels) everywhere here, a batch (batch, height, width, channels); channels 1 or 3.
"""

from __future__ import annotations

import os
import re
import shlex
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from zoo_core.errors import DataError, UsageError, ZooError
from zoo_core.files import replacing
from zoo_core.text import clean, human_size, plural

Pixels = NDArray[np.uint8]
Shape = tuple[int, int, int]

# Named one by one: Pillow would also hand files to Ghostscript (EPS) and to decoders that nobody needs here.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM")
SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".ppm", ".pgm"))
MOST_PIXELS = 64_000_000
MOST_BYTES = 256_000_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Images read for a model: their pixels, and how many of them had to be cropped, resized or converted to fit it."""

    pixels: Pixels
    fitted: int


def find_images(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The image files that the paths name, each folder replaced by the images directly in it, `a-2` before `a-10`.

    Raises DataError for a path that does not exist, and for a folder without images.
    """
    return tuple(file for path in paths for file in (_images_in(path) if os.path.isdir(path) else (_existing(path),)))


def _images_in(folder: Path) -> list[Path]:
    try:
        files = [file for file in folder.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file()]
    except OSError as error:
        raise DataError(f"{_shown(folder)}: the folder cannot be read: {_reason(error)}") from error
    files = [file for file in files if not file.name.startswith(".")]
    if not files:
        raise DataError(
            f"{_shown(folder)}: no images in this folder",
            f"looked for {' '.join(sorted(SUFFIXES))}, not in its subfolders",
        )
    return sorted(files, key=_natural_order)


def _natural_order(file: Path) -> tuple[list[str | int], str]:
    parts = re.split(r"([0-9]+)", file.name.lower())
    return [int(part) if index % 2 else part for index, part in enumerate(parts)], file.name


def _existing(path: Path) -> Path:
    if not os.path.isfile(path):  # unlike pathlib's, it answers where permissions are missing or a name is too long
        raise DataError(f"{_shown(path)}: {'not a file' if os.path.exists(path) else 'no such file or folder'}")
    return path


def read_images(files: Sequence[Path], shape: Shape) -> Batch:
    """The images in the files as one batch of a model's shape; see `read_image`."""
    pixels = np.empty((len(files), *shape), np.uint8)
    fitted = 0
    for index, file in enumerate(files):
        pixels[index], changed = read_image(file, shape)
        fitted += changed
    return Batch(pixels, fitted)


def read_image(file: Path, shape: Shape) -> tuple[Pixels, bool]:
    """The image in a file as uint8 of a model's (height, width, channels), and whether it had to be changed to fit.

    A picture of another size is cropped around its centre to the model's proportions and resized (Lanczos); colour
    becomes grey, or grey colour; what is transparent is shown on white; 16 bits become 8. A picture that has the size
    and the channels already keeps every pixel. Of an animation the first frame is read.

    Raises DataError for a missing, broken, unsupported or huge file (over 64 million pixels or 256 MB).
    """
    size = _existing(file).stat().st_size
    if size > MOST_BYTES:
        raise DataError(f"{_shown(file)}: {human_size(size)}, expected an image of at most {human_size(MOST_BYTES)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(file, formats=FORMATS) as picture:
                return _read(picture, shape)
        except ZooError as error:
            raise DataError(f"{_shown(file)}: {error.message}", error.fix) from None
        except UnidentifiedImageError as error:
            raise DataError(f"{_shown(file)}: not an image", f"supported: {', '.join(FORMATS)}") from error
        except Exception as error:  # a decoder fed with damaged bytes may raise anything
            raise DataError(f"{_shown(file)}: the image cannot be read: {_reason(error)}") from error


def _read(picture: Image.Image, shape: Shape) -> tuple[Pixels, bool]:
    height, width, channels = shape
    mode = "L" if channels == 1 else "RGB"
    if picture.width * picture.height > MOST_PIXELS:
        raise DataError(
            f"{picture.width} x {picture.height} pixels, expected at most {MOST_PIXELS:,}", "make it smaller first"
        )
    upright = ImageOps.exif_transpose(picture)
    fitted = upright.size != (width, height) or upright.mode != mode
    plain = _eight_bit(upright, mode)
    if plain.size != (width, height):
        plain = ImageOps.fit(plain, (width, height), method=Image.Resampling.LANCZOS)
    return np.array(plain, np.uint8).reshape(shape), fitted


def _eight_bit(picture: Image.Image, mode: str) -> Image.Image:
    if picture.mode == "F":
        raise DataError("its pixels are real numbers, whose range is not known", "save it as an 8-bit PNG")
    if picture.mode.startswith("I"):  # of these formats, 16 bits of grey
        sixteen = np.asarray(picture).astype(np.uint32)
        picture = Image.fromarray(((sixteen + 128) // 257).astype(np.uint8))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert(mode)


def check_output(path: Path) -> None:
    """Raises UsageError unless a PNG can be written to the path: before minutes of work, not after."""
    if path.suffix.lower() != ".png":
        raise UsageError(f"{_shown(path)}: sheets are written as PNG", "give --output a name that ends in .png")
    if os.path.isdir(path):
        raise UsageError(f"{_shown(path)}: this is a folder", "give --output a file name that ends in .png")
    check_folder(path.parent)


def check_folder(folder: Path) -> None:
    """Raises UsageError unless this is a folder that may be written to."""
    if not os.path.exists(folder):
        raise UsageError(f"{_shown(folder)}: no such folder", f"mkdir -p {shlex.quote(_shown(folder))}")
    if not folder.is_dir():
        raise UsageError(f"{_shown(folder)}: not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{_shown(folder)}: this folder cannot be written to")


def write_png(path: Path, image: Pixels) -> None:
    """Write an image as a PNG, grey for one channel and RGB for three; the file is there whole or not at all.

    Raises UsageError when it cannot be written.
    """
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    try:
        with replacing(path) as file:
            picture.save(file, format="PNG")
    except OSError as error:
        raise UsageError(f"{_shown(path)}: cannot be written: {_reason(error)}") from error


def write_pngs(folder: Path, images: Pixels, prefix: str) -> None:
    """Write each image of a batch at its own size as `<folder>/<prefix>-0001.png` and on, making the folder."""
    check_folder(folder.parent)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(f"{_shown(folder)}: cannot be made: {_reason(error)}") from error
    for number, image in enumerate(images, start=1):
        write_png(folder / f"{prefix}-{number:04d}.png", image)


def fitting_notice(batch: Batch) -> str:
    """ "2 images of 3 were cropped, resized or converted to 28 x 28 grey", or "" where all fitted as they were."""
    if not batch.fitted:
        return ""
    count, height, width, channels = batch.pixels.shape
    fits = f"{width} x {height} {'grey' if channels == 1 else 'colour'}"
    verb = "was" if batch.fitted == 1 else "were"
    return f"{plural(batch.fitted, 'image')} of {count} {verb} cropped, resized or converted to {fits}"


def _shown(path: Path) -> str:
    return clean(str(path))


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return clean(str(error)) or type(error).__name__
