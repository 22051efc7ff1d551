"""TensorBoard's event files, as far as histograms and numbers go: written with nothing but the standard library.

A file is a sequence of records: length (uint64), its masked CRC-32C, the content, its masked CRC-32C. A content is a
protocol buffer of the type `tensorflow.Event`, whose few fields are encoded here by hand. Formats: tensorflow's
record_writer.cc, event.proto and summary.proto; Castagnoli's CRC as in RFC 3720, B.4.
"""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

_VARINT, _FIXED64, _BYTES = 0, 1, 2


class EventFile:
    """A new event file in a folder; it is closed after every write, so that nothing is lost."""

    def __init__(self, folder: Path) -> None:
        """Begin a file; what other files are in the folder stays, and TensorBoard shows all of them."""
        folder.mkdir(parents=True, exist_ok=True)
        moment = time.time()
        host = socket.gethostname().replace("/", "-")
        # The number tells files of one second apart.
        number = sum(1 for _ in folder.glob("events.out.tfevents.*"))
        self.path = folder / f"events.out.tfevents.{int(moment):010d}.{host}.{os.getpid()}.{number}"
        self.path.write_bytes(record(_number(1, moment) + _bytes(3, b"brain.Event:2")))

    def write_histograms(self, histograms: Mapping[str, np.ndarray], step: int, bins: int = 30) -> None:
        """Add one event with the histograms of these arrays, each under its tag."""
        values = b"".join(
            _bytes(1, _bytes(1, tag.encode()) + _bytes(5, histogram(array, bins))) for tag, array in histograms.items()
        )
        event = _number(1, time.time()) + _whole(2, step) + _bytes(5, values)
        with self.path.open("ab") as file:
            file.write(record(event))


def histogram(array: np.ndarray, bins: int) -> bytes:
    """An array's `tensorflow.HistogramProto`: its extremes, count, sums, and counts in bins of equal width.

    What is not finite is left out.
    """
    values = np.asarray(array, np.float64).ravel()
    values = values[np.isfinite(values)]
    if not values.size:
        return _number(3, 0.0)
    low, high = float(values.min()), float(values.max())
    counts, edges = np.histogram(values, bins=bins if high > low else 1, range=(low, high) if high > low else None)
    limits = edges[1:] if high > low else np.array([high])
    return (
        b"".join(_number(field, number) for field, number in enumerate((low, high, float(values.size)), start=1))
        + _number(4, float(values.sum()))
        + _number(5, float(np.square(values).sum()))
        + _bytes(6, limits.astype("<f8").tobytes())
        + _bytes(7, counts.astype("<f8").tobytes())
    )


def record(content: bytes) -> bytes:
    """A content as a record of the file."""
    length = struct.pack("<Q", len(content))
    return length + struct.pack("<I", _masked(length)) + content + struct.pack("<I", _masked(content))


def crc32c(content: bytes) -> int:
    """Castagnoli's cyclic redundancy check."""
    table, crc = _table(), 0xFFFFFFFF
    for byte in content:
        crc = table[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def _masked(content: bytes) -> int:
    crc = crc32c(content)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


@cache
def _table() -> tuple[int, ...]:
    table = []
    for number in range(256):
        for _ in range(8):
            number = number >> 1 ^ (0x82F63B78 if number & 1 else 0)
        table.append(number)
    return tuple(table)


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _whole(field: int, number: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(number)


def _number(field: int, number: float) -> bytes:
    return _varint(field << 3 | _FIXED64) + struct.pack("<d", number)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(content)) + content
