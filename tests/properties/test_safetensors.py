"""safetensors files by strangers: what is accepted lies within the file, and the reference implementation agrees."""

from __future__ import annotations

import math

import numpy as np
import safetensors
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import bases, hostile
from tests.properties.profiles import examples
from tests.properties.shown import assert_shown_safely
from tests.properties.watch import attempt
from zoo_core.errors import WeightsError
from zoo_core.safetensors_file import DTYPES, Header, arrays, parse_header

TENSOR_VALUES = st.one_of(
    hostile.values,
    hostile.one_of((*DTYPES, "BF16", "F8_E4M3", "f32", "F32 ")),
    st.lists(st.one_of(st.integers(-1, 9), hostile.one_of((10**9, 2**31, 2**32, 2**48, 2**63, 2**64))), max_size=4),
)
PIECES = hostile.encoded(
    (
        *hostile.TEXTS,
        *('"a": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]},', '"data_offsets": [0, 0]', '"shape": []', "[]"),
        *(
            "1000000000",
            "-1",
            "1e3",
            "0.0",
            "NaN",
            "9" * 400,
            "[" * 3000,
            '{"a":' * 3000,
            '"__metadata__": {},',
            " " * 50,
        ),
    )
)


def content(table: bytes, data_size: int, length: int | None = None) -> bytes:
    """A file of a header, as many bytes of numbers, and what it says of the header's length."""
    announced = len(table) if length is None else length
    return announced.to_bytes(8, "little") + table + b"\1" * data_size


def assert_header_is_safe(header: Header, file: bytes) -> None:
    assert_shown_safely(list(header.tensors))
    found = arrays(bytearray(file), header)
    theirs = dict(safetensors.deserialize(file))
    assert found.keys() == theirs.keys() == header.tensors.keys()
    for name, array in found.items():
        tensor = header.tensors[name]
        assert header.size <= header.size + tensor.start <= header.size + tensor.stop <= len(file)
        assert array.shape == tensor.shape == tuple(theirs[name]["shape"])
        assert array.nbytes == tensor.stop - tensor.start == math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize
        assert array.tobytes() == bytes(theirs[name]["data"])
    assert sum(array.nbytes for array in found.values()) == len(file) - header.size


@examples(deep=100_000)
@given(hostile.mutated(bases.HEADERS, replacing=TENSOR_VALUES), st.sampled_from((0, 0, 0, 0, 1, -1)))
def test_a_header_with_anything_in_any_place(table, off):
    data_size = max((_end(entry) for entry in table.values()), default=0)
    file = content(bases.as_json(table), max(0, data_size + off))
    header = attempt(WeightsError, parse_header, file, "here/model.safetensors")
    if header is not None:
        assert_header_is_safe(header, file)


def _end(entry: object) -> int:
    """Where a tensor says that it ends, if that makes a file of a size that can be made."""
    offsets = entry.get("data_offsets") if isinstance(entry, dict) else None
    ends = [end for end in offsets if isinstance(end, int) and 0 <= end <= 4096] if isinstance(offsets, list) else []
    return max(ends, default=0)


@examples(deep=60_000)
@given(
    hostile.spliced(tuple(map(bases.as_json, bases.HEADERS)), PIECES),
    st.sampled_from(bases.DATA_SIZES),
    st.one_of(st.none(), st.none(), st.none(), hostile.one_of((0, 1, 7, 2**31, 2**63, 2**64 - 1))),
)
def test_a_header_as_bytes_cut_and_pasted(table, data_size, length):
    file = content(table, data_size, length)
    header = attempt(WeightsError, parse_header, file, "here/model.safetensors")
    if header is not None:
        assert_header_is_safe(header, file)


@examples(deep=20_000)
@given(st.binary(max_size=60))
def test_any_bytes_at_all(file):
    header = attempt(WeightsError, parse_header, file, "here/model.safetensors")
    if header is not None:
        assert_header_is_safe(header, file)
