"""Large files by strangers, made of one piece over and over: the time and the memory that they take stay bounded."""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from tests.properties import hostile
from tests.properties.profiles import examples
from tests.properties.watch import attempt
from zoo_core import toml_files
from zoo_core.config import parse_config
from zoo_core.distributions import core_range
from zoo_core.errors import ManifestError, PresetError, WeightsError
from zoo_core.safetensors_file import parse_header
from zoo_core.text import clean

SIZE = 30_000
MOST_BYTES_FOR_ONE = 250
"""Of memory, for each byte read: what Python needs for a list in a list, with room to spare."""

TOML_STARTS = hostile.encoded(
    ("", "a = ", "a = [", "a = {", "[", "[[", 'a = "', "a = '", 'a = """', "# ", "a = 1\n", "a.")
)
TOML_UNITS = st.text(alphabet="a1.=[]{},\"'\\#\n _-+:TeExu0", min_size=1, max_size=5)
JSON_STARTS = hostile.encoded(("", "[", "{", '"', "1", '{"a": ', '{"a": [', "0.", "-", '[{"a": 1}, '))
JSON_UNITS = st.text(alphabet='a1.[]{},:"\\ ueE-nt0d8\n', min_size=1, max_size=6)


def _measured(refusal, function, content, *arguments):
    """Hold one call to time and memory in proportion to its content."""
    tracemalloc.start()
    try:
        attempt(refusal, function, content, *arguments)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000 + MOST_BYTES_FOR_ONE * len(content)
    finally:
        tracemalloc.stop()


@examples(deep=1_500, few=20)
@given(hostile.one_of(TOML_STARTS), TOML_UNITS)
def test_toml_of_one_piece_over_and_over(start, unit):
    _measured(ManifestError, toml_files.decode, start + unit.encode() * (SIZE // len(unit)), "here/zoo-plugin.toml")


@examples(deep=1_500, few=20)
@given(hostile.one_of(JSON_STARTS), JSON_UNITS)
def test_json_of_one_piece_over_and_over(start, unit):
    content = start + unit.encode() * (SIZE // len(unit))
    _measured(PresetError, parse_config, content, "here/config.json")
    _measured(WeightsError, parse_header, len(content).to_bytes(8, "little") + content, "here/model.safetensors")


@examples(deep=2_000, few=20)
@given(st.text(alphabet="\x1b\x9b[]()P^_0;?m \x07\\a>=<,core", min_size=1, max_size=6), st.text(max_size=2))
def test_text_of_one_piece_over_and_over(unit, end):
    text = "zoo-core" + unit * (SIZE // len(unit)) + end
    _measured(ManifestError, clean, text)
    _measured(ManifestError, core_range, text)
