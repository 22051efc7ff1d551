"""Reading and writing the safetensors format: a length, a JSON header, raw numbers. Nothing in a file is trusted.

Format: https://github.com/huggingface/safetensors, whose library writes. Reading is our own: the header is checked more
strictly than the library does it, before anything else is looked at, and without NumPy.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.errors import WeightsError
from zoo_core.files import parse_json, replacing
from zoo_core.text import clean

if TYPE_CHECKING:
    import numpy as np

DTYPES = {
    "BOOL": ("bool", 1),
    "U8": ("uint8", 1),
    "I8": ("int8", 1),
    "U16": ("uint16", 2),
    "I16": ("int16", 2),
    "F16": ("float16", 2),
    "U32": ("uint32", 4),
    "I32": ("int32", 4),
    "F32": ("float32", 4),
    "U64": ("uint64", 8),
    "I64": ("int64", 8),
    "F64": ("float64", 8),
}
"""The format's name of a dtype -> NumPy's name and the size in bytes. (bfloat16 and the 8-bit floats are not read.)"""

_NAMES = {name for name, _ in DTYPES.values()}
_LENGTH_BYTES = 8
_LARGEST_HEADER = 4_000_000
_LARGEST_DIMENSION = 2**48
_LARGEST_ARRAY = 2**50
_MOST_DIMENSIONS = 32
_METADATA = "__metadata__"


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor in a file: NumPy's name of its dtype, its shape, and where its bytes lie behind the header."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself: its tensors by name, in the order of their bytes; metadata; the header's own size."""

    tensors: dict[str, Tensor]
    metadata: dict[str, str]
    size: int

    @property
    def specs(self) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Every tensor's dtype and shape by name."""
        return {name: (tensor.dtype, tensor.shape) for name, tensor in self.tensors.items()}


def write(path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors; the file appears at `path` whole or not at all.

    Raises WeightsError for a dtype that this reader does not know.
    """
    import numpy as np
    from safetensors.numpy import save

    for name, array in tensors.items():
        if array.dtype.name not in _NAMES:
            raise WeightsError(f"tensor '{name}': {array.dtype.name} is no dtype that can be saved")
    # NumPy's ascontiguousarray would make a vector of a scalar.
    content = save(
        {name: np.asarray(array, order="C") for name, array in tensors.items()}, dict(metadata) if metadata else None
    )
    with replacing(path) as file:
        file.write(content)


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The tensors and the metadata of a file; raises WeightsError where anything is malformed."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    header = parse_header(content, str(path))
    return arrays(content, header), header.metadata


def read_header(path: Path) -> Header:
    """The checked header of a file, whose tensors are left unread; raises WeightsError."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            length = _header_length(file.read(_LENGTH_BYTES), size, str(path))
            return _checked_header(file.read(length), size, str(path))
    except OSError as error:
        raise _unreadable(path, error) from None


def parse_header(content: bytes | bytearray, where: str) -> Header:
    """The checked header of a file's content; `where` is named in errors. Raises WeightsError."""
    length = _header_length(content[:_LENGTH_BYTES], len(content), where)
    return _checked_header(bytes(content[_LENGTH_BYTES : _LENGTH_BYTES + length]), len(content), where)


def arrays(content: bytes | bytearray, header: Header) -> dict[str, np.ndarray]:
    """The tensors of a file's content, as views of it: writable where it is a bytearray."""
    import numpy as np

    def view(tensor: Tensor) -> np.ndarray:
        dtype = np.dtype(tensor.dtype).newbyteorder("<")
        flat = np.frombuffer(content, dtype, math.prod(tensor.shape), header.size + tensor.start)
        return flat.reshape(tensor.shape)

    return {name: view(tensor) for name, tensor in header.tensors.items()}


def _header_length(start: bytes | bytearray, file_size: int, where: str) -> int:
    length = int.from_bytes(start, "little")
    if len(start) < _LENGTH_BYTES or length > min(_LARGEST_HEADER, file_size - _LENGTH_BYTES):
        raise _malformed(where, f"a header of {length} bytes in a file of {file_size}")
    return length


def _checked_header(text: bytes, file_size: int, where: str) -> Header:
    try:
        table = parse_json(text)
        if not isinstance(table, dict):
            raise ValueError("no JSON object")
        metadata = _metadata(table.pop(_METADATA, {}))
        tensors = {name: _tensor(name, entry) for name, entry in table.items()}
        size = _LENGTH_BYTES + len(text)
        return Header(_contiguous(tensors, file_size - size), metadata, size)
    except ValueError as error:
        raise _malformed(where, str(error)) from None


def _metadata(table: object) -> dict[str, str]:
    if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
        raise ValueError("metadata that is no table of texts")
    return table


def _tensor(name: str, entry: object) -> Tensor:
    if clean(name) != name:
        raise ValueError(f"tensor '{clean(name)}' has control characters, invisible ones or outer spaces in its name")
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor '{name}' should have a dtype, a shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"tensor '{name}' has the dtype {dtype!r}, which is not one of {', '.join(DTYPES)}")
    if not _whole_numbers(shape, _MOST_DIMENSIONS) or not _whole_numbers(offsets, 2) or len(offsets) != 2:
        raise ValueError(f"tensor '{name}' has a malformed shape or data_offsets")
    kind, bytes_each = DTYPES[dtype]
    # NumPy makes no array of more bytes than it can count, not even an empty one: 0 x 10^9 x 2^31.
    if math.prod(size or 1 for size in shape) * bytes_each > _LARGEST_ARRAY:
        raise ValueError(f"tensor '{name}' has the shape {shape}, which is too large")
    if offsets[1] - offsets[0] != math.prod(shape) * bytes_each:
        raise ValueError(f"tensor '{name}' of shape {shape} does not fill its data_offsets {offsets}")
    return Tensor(kind, tuple(shape), offsets[0], offsets[1])


def _whole_numbers(values: object, most: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) <= most
        and all(type(value) is int and 0 <= value <= _LARGEST_DIMENSION for value in values)
    )


def _contiguous(tensors: Mapping[str, Tensor], data_size: int) -> dict[str, Tensor]:
    ordered = dict(sorted(tensors.items(), key=lambda item: (item[1].start, item[1].stop)))
    end = 0
    for name, tensor in ordered.items():
        if tensor.start != end:
            raise ValueError(f"tensor '{name}' starts at byte {tensor.start} where {end} was expected")
        end = tensor.stop
    if end != data_size:
        raise ValueError(f"tensors of {end} bytes where {data_size} follow the header")
    return ordered


def _malformed(where: str, reason: str) -> WeightsError:
    return WeightsError(f"{clean(where)}: not a safetensors file as it should be: {clean(reason)[:300]}")


def _unreadable(path: Path, error: OSError) -> WeightsError:
    return WeightsError(f"{clean(str(path))}: cannot be read: {clean(str(error))}")
