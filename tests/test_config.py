"""config.json: plain JSON within bounds, and nothing else."""

from __future__ import annotations

import json

import pytest

from zoo_core.config import Config, parse_config, render_config
from zoo_core.errors import PresetError


def config(**changes):
    return json.dumps({"schema": 1, "model": "toy/net", "arguments": {"units": 3}, **changes}).encode()


@pytest.mark.parametrize(
    "expected", [Config("toy/net"), Config("toy/net", {"units": [3, 4], "rate": 0.5, "name": None}, "float16")]
)
def test_a_config_comes_back_as_written(expected):
    assert parse_config(render_config(expected).encode(), "config.json") == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no valid JSON"),
        (b"[1]", "should be a JSON object"),
        (b'{"schema": 1, "schema": 1}', "'schema' comes twice"),
        (b" " * 1_000_001, "larger than 1000000 bytes"),
        (b'{"schema": 1, "model": "toy/net"}', "lacks 'arguments'"),
        (config(schema=2), "schema 2"),
        (config(schema="1"), "schema '1'"),
        (config(module="os"), "unknown key 'module'"),
        (config(storage="int8"), "storage should be one of float32, float16"),
        (config(model="net"), "plugin/name"),
        (config(model="../net"), "plugin/name"),
        (config(model="toy/net:mnist"), "plugin/name"),
        (config(model=3), "plugin/name"),
        (config(arguments=[1]), "should be an object"),
        (config(arguments={"units": 10**10}), "units: 10000000000 is out of range"),
        (config(arguments={"units": [1, -(10**10)]}), "units: 1: -10000000000 is out of range"),
        (b'{"schema": 1, "model": "toy/net", "arguments": {"rate": 1e999}}', "1e999 is too large a number"),
        (config(arguments={"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}), "nested more than 8 deep"),
        (config(arguments={"units": [0] * 10_001}), "more than 10000 values"),
        (config(arguments={"name": "x" * 10_001}), "longer than 10000 characters"),
    ],
)
def test_anything_malformed_is_refused_with_the_name_of_the_file(content, message):
    with pytest.raises(PresetError, match=message) as caught:
        parse_config(content, "here/config.json")
    assert str(caught.value).startswith("here/config.json: ")
