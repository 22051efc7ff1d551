"""Reading images of every kind for a model, and writing them; see test_sheets for what is drawn."""

from __future__ import annotations

import contextlib
import stat
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

from zoo_core.errors import DataError, UsageError
from zoo_glow import images

GREY = (28, 28, 1)
COLOUR = (32, 32, 3)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("shape", [GREY, COLOUR, (3, 5, 1), (5, 3, 3)])
def test_written_image_reads_back_bit_for_bit(tmp_path: Path, shape: tuple[int, int, int]) -> None:
    image = noise(*shape)
    images.write_png(tmp_path / "a.png", image)
    read, fitted = images.read_image(tmp_path / "a.png", shape)
    np.testing.assert_array_equal(read, image)
    assert read.dtype == np.uint8
    assert not fitted


def test_grey_file_has_one_channel_and_colour_file_three(tmp_path: Path) -> None:
    images.write_png(tmp_path / "grey.png", noise(*GREY))
    images.write_png(tmp_path / "colour.png", noise(*COLOUR))
    with Image.open(tmp_path / "grey.png") as grey, Image.open(tmp_path / "colour.png") as colour:
        assert (grey.mode, colour.mode) == ("L", "RGB")


def test_wide_picture_is_cropped_around_its_centre(tmp_path: Path) -> None:
    wide = np.zeros((10, 30), np.uint8)
    wide[:, 10:20] = 255
    read, fitted = images.read_image(save(tmp_path / "wide.png", wide), (10, 10, 1))
    assert (read == 255).all()
    assert fitted


def test_larger_picture_is_averaged_not_subsampled(tmp_path: Path) -> None:
    stripes = np.tile(np.array([[0, 255]], np.uint8), (80, 40))
    read, _ = images.read_image(save(tmp_path / "stripes.png", stripes), (8, 8, 1))
    assert abs(read.astype(int) - 127).max() < 10


def test_grey_becomes_colour_exactly_and_back(tmp_path: Path) -> None:
    grey = noise(32, 32)
    colour, fitted = images.read_image(save(tmp_path / "grey.png", grey), COLOUR)
    assert fitted
    np.testing.assert_array_equal(colour, grey[..., None].repeat(3, axis=-1))
    back, _ = images.read_image(save(tmp_path / "colour.png", colour), (32, 32, 1))
    np.testing.assert_array_equal(back[..., 0], grey)


def test_transparent_pixels_are_white(tmp_path: Path) -> None:
    picture = np.zeros((4, 4, 4), np.uint8)
    picture[0, :, 3] = 255
    read, _ = images.read_image(save(tmp_path / "a.png", picture), (4, 4, 1))
    assert (read[0] == 0).all()
    assert (read[1:] == 255).all()


@pytest.mark.parametrize("suffix", [".png", ".pgm"])
def test_sixteen_bits_become_eight(tmp_path: Path, suffix: str) -> None:
    deep = noise(4, 4).astype(np.uint16) * 257
    file = save(tmp_path / f"deep{suffix}", deep)
    np.testing.assert_array_equal(images.read_image(file, (4, 4, 1))[0][..., 0], deep // 257)


def test_palette_and_two_level_pictures_are_read(tmp_path: Path) -> None:
    Image.fromarray(noise(4, 4) > 127).save(tmp_path / "bits.png")
    Image.fromarray(noise(4, 4)).convert("P").save(tmp_path / "palette.gif")
    assert set(np.unique(images.read_image(tmp_path / "bits.png", (4, 4, 1))[0])) <= {0, 255}
    np.testing.assert_array_equal(images.read_image(tmp_path / "palette.gif", (4, 4, 1))[0][..., 0], noise(4, 4))


def test_camera_rotation_is_undone(tmp_path: Path) -> None:
    upright = np.zeros((16, 16, 3), np.uint8)
    upright[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # stored lying on its left side: to be shown turned by 90 degrees clockwise
    save(tmp_path / "a.jpg", np.rot90(upright), exif=exif, quality=100)
    read, _ = images.read_image(tmp_path / "a.jpg", (16, 16, 3))
    assert abs(read.astype(int) - upright).max() < 10


def test_pixels_of_unknown_range_are_refused(tmp_path: Path) -> None:
    Image.new("F", (4, 4)).save(tmp_path / "a.ppm")
    with pytest.raises(DataError, match=r"a\.ppm: its pixels are real numbers"):
        images.read_image(tmp_path / "a.ppm", GREY)


def test_truncated_image_is_refused(tmp_path: Path) -> None:
    file = save(tmp_path / "a.png", noise(28, 28))
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(DataError, match=r"a\.png: the image cannot be read: .*truncated"):
        images.read_image(file, GREY)


def test_text_called_png_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("not a picture")
    with pytest.raises(DataError, match=r"a\.png: not an image \(supported: PNG, JPEG"):
        images.read_image(tmp_path / "a.png", GREY)


def test_format_outside_the_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 4 4\n")
    with pytest.raises(DataError, match="not an image"):
        images.read_image(tmp_path / "a.png", GREY)


@pytest.mark.parametrize("size", [(9_000, 9_000), (60_000, 60_000)])
def test_decompression_bomb_is_refused(tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "bomb.png").write_bytes(png_header(*size))
    with pytest.raises(DataError, match=r"bomb\.png: .*pixels"):
        images.read_image(tmp_path / "bomb.png", GREY)


def test_huge_file_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "huge.png").open("wb") as stream:
        stream.truncate(images.MOST_BYTES + 1)  # sparse: takes no room on the disk
    with pytest.raises(DataError, match=r"huge\.png: 256.0 MB"):
        images.read_image(tmp_path / "huge.png", GREY)


def test_every_flipped_or_missing_byte_gives_an_image_or_a_data_error(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for suffix in (".png", ".jpg", ".gif", ".bmp", ".ppm", ".webp"):
        whole = save(tmp_path / f"whole{suffix}", noise(8, 8, 3)).read_bytes()
        for _ in range(60):
            damaged = bytearray(whole[: generator.integers(len(whole) // 2, len(whole) + 1)])
            damaged[generator.integers(0, len(damaged))] ^= int(generator.integers(1, 256))
            file = tmp_path / f"damaged{suffix}"
            file.write_bytes(damaged)
            with contextlib.suppress(DataError):
                assert images.read_image(file, (8, 8, 3))[0].shape == (8, 8, 3)


def test_folder_is_read_in_natural_order_without_other_files(tmp_path: Path) -> None:
    for name in ("b-10.png", "b-2.PNG", "A.jpg", ".hidden.png"):
        save(tmp_path / name, noise(4, 4), format="PNG")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "folder.png").mkdir()
    assert [file.name for file in images.find_images([tmp_path])] == ["A.jpg", "b-2.PNG", "b-10.png"]


def test_files_keep_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    first, second = save(tmp_path / "2.png", noise(4, 4)), save(tmp_path / "1.png", noise(4, 4))
    assert images.find_images([first, second, tmp_path]) == (first, second, second, first)


def test_missing_file_and_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.png: no such file"):
        images.find_images([tmp_path / "gone.png"])
    with pytest.raises(DataError, match="no such file"):
        images.find_images([tmp_path / ("long" * 100)])
    with pytest.raises(DataError, match="no images in this folder"):
        images.find_images([tmp_path])


def test_batch_tells_how_many_images_were_changed(tmp_path: Path) -> None:
    files = [save(tmp_path / "same.png", noise(28, 28)), save(tmp_path / "large.png", noise(56, 40, 3))]
    batch = images.read_images(files, GREY)
    assert batch.pixels.shape == (2, 28, 28, 1)
    assert images.fitting_notice(batch) == "1 image of 2 was cropped, resized or converted to 28 x 28 grey"
    assert images.fitting_notice(images.read_images(files[:1], GREY)) == ""


def test_png_replaces_the_old_one_and_leaves_nothing_else(tmp_path: Path) -> None:
    for _ in range(2):
        images.write_png(tmp_path / "a.png", noise(*GREY))
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


def test_png_gets_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    images.write_png(tmp_path / "a.png", noise(*GREY))
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(self: Image.Image, file: BinaryIO, **options: object) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    images.write_png(tmp_path / "a.png", noise(*GREY))
    before = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr(Image.Image, "save", full_disk)
    with pytest.raises(UsageError, match=r"a\.png: cannot be written: No space left on device"):
        images.write_png(tmp_path / "a.png", noise(*GREY))
    assert (tmp_path / "a.png").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_output_that_cannot_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").touch()
    for path, message in {
        "a.jpg": "written as PNG",
        "folder.png": "this is a folder",
        "gone/a.png": r"gone: no such folder \(mkdir -p ",
        "file/a.png": "file: not a folder",
    }.items():
        with pytest.raises(UsageError, match=message):
            images.check_output(tmp_path / path)
    images.check_output(tmp_path / "new.PNG")


def test_single_images_are_numbered_in_a_new_folder(tmp_path: Path) -> None:
    batch = noise(2, *GREY)
    images.write_pngs(tmp_path / "new", batch, "sample")
    files = images.find_images([tmp_path / "new"])
    assert [file.name for file in files] == ["sample-0001.png", "sample-0002.png"]
    np.testing.assert_array_equal(images.read_images(files, GREY).pixels, batch)
