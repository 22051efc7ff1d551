"""A picture of whole numbers as a PNG file's content, with nothing but zlib."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_png(image: np.ndarray) -> bytes:
    """The content of a PNG of an image, uint8, (height, width) or (height, width, channels) with 1 to 4 channels.

    They are grey, grey and alpha, RGB, RGB and alpha. Raises ValueError for anything else, and for an empty image.
    Reference: Portable Network Graphics, third edition, W3C 2025.
    """
    image = np.asarray(image)
    pixels = image[..., None] if image.ndim == 2 else image
    if image.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] not in _COLOUR_TYPES or not pixels.size:
        raise ValueError(f"a PNG is made of uint8 (height, width[, 1-4]), not of {image.dtype} {image.shape}")
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    rows = np.zeros((height, 1 + width * channels), np.uint8)
    rows[:, 1:] = pixels.reshape(height, -1)
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows.tobytes())) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
