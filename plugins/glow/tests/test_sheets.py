"""What sheets look like: where each image stands, at which size, and what is written beside it."""

from __future__ import annotations

import numpy as np
import pytest

from zoo_core.errors import UsageError
from zoo_glow import sheets

WHITE = 255


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, shape, dtype=np.uint8)


def test_images_stand_in_rows_enlarged_three_times() -> None:
    images = noise(3, 28, 28, 1)
    sheet = sheets.sheet(images, columns=2)
    assert sheet.shape == (3 + 2 * 87, 3 + 2 * 87, 1)
    for index, (top, left) in enumerate([(3, 3), (3, 90), (90, 3)]):
        tile = sheet[top : top + 84, left : left + 84]
        np.testing.assert_array_equal(tile[1::3, 1::3], images[index])
        np.testing.assert_array_equal(tile, images[index].repeat(3, axis=0).repeat(3, axis=1))
    assert (sheet[90:, 90:] == WHITE).all()
    assert (sheet[:3] == WHITE).all()
    assert (sheet[:, 87:90] == WHITE).all()


@pytest.mark.parametrize(("size", "scale"), [(28, 3), (32, 3), (8, 12), (64, 1), (96, 1), (200, 1)])
def test_images_are_enlarged_by_a_whole_factor(size: int, scale: int) -> None:
    gutter = max(2, scale)
    assert sheets.sheet(noise(1, size, size, 3), 1).shape == (size * scale + 2 * gutter,) * 2 + (3,)


def test_sheet_of_very_many_images_enlarges_less() -> None:
    images = np.zeros((10_000, 28, 28, 1), np.uint8)
    assert sheets.sheet(images, columns=100).size < 40_000_000


def test_tall_images_keep_their_proportions() -> None:
    assert sheets.sheet(noise(1, 24, 8, 1), 1).shape == (24 * 4 + 8, 8 * 4 + 8, 1)


def test_one_temperature_has_no_label_and_several_have_one_each() -> None:
    images = noise(3, 28, 28, 1)
    alone = sheets.sample_sheet({0.7: images}, columns=2)
    np.testing.assert_array_equal(alone, sheets.sheet(images, 2))
    both = sheets.sample_sheet({0.5: images, 1.0: images}, columns=2)
    margin = both.shape[1] - alone.shape[1]
    labels = [band[:, 3 : margin + 3].min() < WHITE for band in np.split(both[3 : 3 + 87 * 2], 2)]
    assert labels == [True, False]
    assert both.shape[0] == 3 + 4 * 87 + 9
    np.testing.assert_array_equal(both[: alone.shape[0], margin:], alone)


def test_comparison_shows_one_grey_level_at_64() -> None:
    originals = noise(2, 28, 28, 1)
    decoded = originals.copy()
    decoded[0, 0, 0] += 1
    decoded[1, 0, 0] += 5
    sheet = sheets.comparison_sheet(originals, decoded, columns=8)
    difference = sheet[3 + 2 * 87 :][:84, -2 * 87 :]
    assert sheet.shape[0] == 3 + 3 * 87
    assert difference[0, 0] == 64
    assert difference[0, 87] == 255
    assert difference[3:, :84].max() == 0


def test_comparison_goes_on_below_in_bands_of_three() -> None:
    images = noise(3, 28, 28, 3)
    sheet = sheets.comparison_sheet(images, images, columns=2)
    assert sheet.shape[0] == 3 + 6 * 87 + 9
    np.testing.assert_array_equal(sheet[3 : 3 + 84, -87:-3], sheet[3 + 87 :][:84, -87:-3])


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(UsageError, match="no images"):
        sheets.sheet(noise(0, 28, 28, 1))
    with pytest.raises(UsageError, match="no images"):
        sheets.draw_sheet([])


def test_difference_does_not_wrap_around() -> None:
    black, white = np.zeros((1, 1, 1, 1), np.uint8), np.full((1, 1, 1, 1), 255, np.uint8)
    assert sheets.absolute_difference(black, white).item() == 255
