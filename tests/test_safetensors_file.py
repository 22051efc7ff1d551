"""The safetensors format: what is written is what the reference implementation reads, and nothing malformed is read."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import safetensors.numpy

from zoo_core import safetensors_file
from zoo_core.errors import WeightsError

TENSORS = {
    "kernel": np.arange(6, dtype=np.float32).reshape(2, 3),
    "bias": np.array([1.5, -2.0], dtype=np.float64),
    "scalar": np.array(3, dtype=np.int64),
    "flags": np.array([True, False, True]),
    "empty": np.zeros((0, 4), np.float16),
    "transposed": np.arange(6, dtype=np.uint32).reshape(2, 3).T,
}


def assert_equal(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def content(entries, data=b"\0" * 8):
    """A file out of a header, given as an object or as JSON text, and the bytes after it."""
    text = entries if isinstance(entries, bytes) else json.dumps(entries).encode()
    return len(text).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(2,), offsets=(0, 8), **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets), **more}


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "file.safetensors"
    safetensors_file.write(path, TENSORS, {"made by": "a test"})
    tensors, metadata = safetensors_file.read(path)
    assert_equal(tensors, TENSORS)
    assert metadata == {"made by": "a test"}


def test_the_reference_implementation_reads_what_is_written(tmp_path):
    path = tmp_path / "file.safetensors"
    safetensors_file.write(path, TENSORS)
    assert_equal(safetensors.numpy.load_file(path), TENSORS)


def test_what_the_reference_implementation_wrote_is_read(tmp_path):
    contiguous = {name: np.array(array, order="C") for name, array in TENSORS.items()}
    path = tmp_path / "file.safetensors"
    safetensors.numpy.save_file(contiguous, path)
    assert_equal(safetensors_file.read(path)[0], TENSORS)


def test_the_same_tensors_give_the_same_bytes(tmp_path):
    metadata = {"format": "keras"}  # One entry, as in presets: the library writes several in random order.
    first, second = tmp_path / "first", tmp_path / "second"
    safetensors_file.write(first, TENSORS, metadata)
    safetensors_file.write(second, dict(reversed(TENSORS.items())), metadata)
    assert first.read_bytes() == second.read_bytes()


def test_a_failed_write_leaves_the_old_file_alone(tmp_path):
    path = tmp_path / "file.safetensors"
    path.write_text("old")
    with pytest.raises(WeightsError, match="complex64"):
        safetensors_file.write(path, {"a": np.zeros(2, np.float32), "b": np.zeros(2, np.complex64)})
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.safetensors"]


def test_the_header_says_dtypes_and_shapes_without_reading_the_tensors(tmp_path):
    path = tmp_path / "file.safetensors"
    safetensors_file.write(path, TENSORS)
    header = safetensors_file.read_header(path)
    assert header.specs == {name: (array.dtype.name, array.shape) for name, array in TENSORS.items()}


def test_views_of_a_bytearray_are_writable_and_share_its_memory(tmp_path):
    path = tmp_path / "file.safetensors"
    safetensors_file.write(path, {"a": np.zeros(2, np.float32)})
    data = bytearray(path.read_bytes())
    header = safetensors_file.parse_header(data, "file")
    safetensors_file.arrays(data, header)["a"][:] = 1.0
    assert data[-4:] == np.float32(1.0).tobytes()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "0 bytes in a file of 0"),
        (b"\x04\0\0", "in a file of 3"),
        ((2**63).to_bytes(8, "little") + b"{}", "header of 9223372036854775808 bytes"),
        ((20_000_000).to_bytes(8, "little") + b" " * 20_000_000, "header of 20000000 bytes"),
        (content(b"not json", b""), "Expecting value"),
        (content(b"[]", b""), "no JSON object"),
        (content(b'{"a": 1, "a": 2}', b""), "'a' comes twice"),
        (content(b'{"a": NaN}', b""), "NaN"),
        (content(b"\xff\xff", b""), "utf-8"),
        (content({"a": 1}), "should have a dtype"),
        (content({"a": entry(offset=0)}), "should have a dtype"),
        (content({"a": entry(dtype="F8")}), "dtype 'F8'"),
        (content({"a": entry(dtype=["F32"])}), "dtype"),
        (content({"a": entry(shape=(-2,))}), "malformed shape"),
        (content({"a": entry(shape=(2.0,))}), "malformed shape"),
        (content({"a": entry(shape=(True, 2))}), "malformed shape"),
        (content({"a": entry(shape=[1] * 33)}), "malformed shape"),
        (content({"a": entry(shape=[2**60])}), "malformed shape"),
        (content({"a": entry(offsets=(0, 8, 16))}), "malformed shape or data_offsets"),
        (content({"a": entry(shape=(3,))}), "does not fill"),
        (content({"a": entry(offsets=(8, 0))}), "does not fill"),
        (content({"a": entry()}, b"\0" * 12), "8 bytes where 12 follow"),
        (content({"a": entry()}, b"\0" * 4), "8 bytes where 4 follow"),
        (content({"a": entry(), "b": entry()}), "starts at byte 0 where 8 was expected"),
        (content({"a": entry(offsets=(4, 12))}, b"\0" * 12), "starts at byte 4 where 0 was expected"),
        (content({"a\x1b[31m": entry()}), "control characters"),
        (content({"__metadata__": {"a": 1}}, b""), "no table of texts"),
    ],
)
def test_a_malformed_file_is_refused_with_its_name(data, message):
    with pytest.raises(WeightsError, match=message) as caught:
        safetensors_file.parse_header(data, "here/model.safetensors")
    assert str(caught.value).startswith("here/model.safetensors: ")


def test_read_header_refuses_what_read_refuses(tmp_path):
    path = tmp_path / "file.safetensors"
    path.write_bytes(content({"a": entry()}, b"\0" * 4))
    for read in (safetensors_file.read, safetensors_file.read_header):
        with pytest.raises(WeightsError, match="8 bytes where 4 follow"):
            read(path)


def test_a_missing_file_is_a_weights_error(tmp_path):
    for read in (safetensors_file.read, safetensors_file.read_header):
        with pytest.raises(WeightsError, match="cannot be read"):
            read(tmp_path / "absent")
