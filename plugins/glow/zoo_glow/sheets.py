"""Sheets: many small images drawn as one picture, in rows, enlarged, with a gutter between them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from zoo_core.errors import UsageError
from zoo_glow.images import Pixels

CONTRAST = 64

_PAPER, _INK = 255, 64
_TILE = 96
_SHEET_PIXELS = 32_000_000
_FONT_SIZE = 14


def in_rows(images: Pixels, columns: int) -> list[Pixels]:
    """A batch cut into rows of `columns` images; the last row may be shorter."""
    return [images[start : start + columns] for start in range(0, len(images), columns)]


def sheet(images: Pixels, columns: int = 8) -> Pixels:
    """A batch as one picture, row by row; see `draw_sheet`."""
    return draw_sheet(in_rows(images, columns))


def draw_sheet(rows: Sequence[Pixels], labels: Mapping[int, str] | None = None, gaps: Collection[int] = ()) -> Pixels:
    """One picture (height, width, channels) of rows of images, on white, with a small gutter between them.

    Small images are enlarged by a whole factor (28 x 28 to 84 x 84), so that every pixel stays a square. `labels` are
    written to the left of the rows with these indices; a wider gap stands above the rows in `gaps`.

    Raises UsageError when there is nothing to draw.
    """
    if not any(len(row) for row in rows):
        raise UsageError("there are no images to draw")
    labels = labels or {}
    columns = max(len(row) for row in rows)
    scale = _scale(rows[0].shape[1], rows[0].shape[2], len(rows) * columns)
    gutter = max(2, scale)
    margin = _margin_width(labels.values(), gutter)
    strips = []
    for index, row in enumerate(rows):
        strip = _with_label(_strip(row, columns, scale, gutter), labels.get(index, ""), margin)
        above = 0 if index == 0 else gutter * (4 if index in gaps else 1)
        strips.append(np.pad(strip, ((above, 0), (0, 0), (0, 0)), constant_values=_PAPER))
    return np.pad(np.concatenate(strips), ((gutter, gutter), (gutter, 0), (0, 0)), constant_values=_PAPER)


def _scale(height: int, width: int, count: int) -> int:
    scale = max(1, _TILE // max(height, width))
    while scale > 1 and count * height * width * scale**2 > _SHEET_PIXELS:
        scale -= 1
    return scale


def _strip(row: Pixels, columns: int, scale: int, gutter: int) -> Pixels:
    tiles = row.repeat(scale, axis=1).repeat(scale, axis=2)
    tiles = np.pad(tiles, ((0, columns - len(row)), (0, 0), (0, gutter), (0, 0)), constant_values=_PAPER)
    count, height, width, channels = tiles.shape
    return tiles.transpose(1, 0, 2, 3).reshape(height, count * width, channels)


def _margin_width(labels: Iterable[str], gutter: int) -> int:
    font = ImageFont.load_default(_FONT_SIZE)
    return max((int(font.getlength(text)) + 4 * gutter for text in labels), default=0)


def _with_label(strip: Pixels, text: str, margin: int) -> Pixels:
    if not margin:
        return strip
    height, _, channels = strip.shape
    label = Image.new("L", (margin, height), _PAPER)
    if text:
        font = ImageFont.load_default(_FONT_SIZE)
        ImageDraw.Draw(label).text((margin // 2, height // 2), text, fill=_INK, font=font, anchor="mm")
    return np.concatenate([np.asarray(label)[..., None].repeat(channels, axis=-1), strip], axis=1)


def sample_sheet(batches: Mapping[float, Pixels], columns: int) -> Pixels:
    """Samples by temperature: one block of rows each, with the temperature beside it where there are several."""
    rows: list[Pixels] = []
    labels = {}
    for temperature, batch in batches.items():
        labels[len(rows)] = f"T {temperature:g}"
        rows += in_rows(batch, columns)
    return draw_sheet(rows, labels if len(batches) > 1 else {}, labels.keys())


def comparison_sheet(originals: Pixels, decoded: Pixels, columns: int) -> Pixels:
    """Bands of three rows: originals, what was decoded, and their difference, so bright that one grey level shows."""
    difference = np.minimum(absolute_difference(originals, decoded) * CONTRAST, 255).astype(np.uint8)
    bands = zip(*(in_rows(batch, columns) for batch in (originals, decoded, difference)), strict=True)
    rows = [row for band in bands for row in band]
    names = ("original", "decoded", f"difference x{CONTRAST}")
    return draw_sheet(rows, {index: names[index % 3] for index in range(len(rows))}, range(0, len(rows), 3))


def absolute_difference(first: Pixels, second: Pixels) -> NDArray[np.int16]:
    """How many grey levels the pixels of two batches are apart, as int16 of their shape."""
    return np.abs(first.astype(np.int16) - second)
