"""What the zoo remembers in its cache folder, damaged in any way: found out again, and never in anybody's way."""

from __future__ import annotations

import json

import pytest
from hypothesis import given

from tests.properties import bases, hostile
from tests.properties.profiles import examples
from tests.properties.watch import attempt
from zoo_core import manifest as manifests
from zoo_core import memory, probe, probe_memory, toml_files
from zoo_core.errors import ManifestError
from zoo_core.records import Plugin


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("remembered")
    (folder / "zoo-plugin.toml").write_text(manifests.render(manifests.from_table(bases.MANIFEST, "valid")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_HOME", str(folder))
        yield folder


MANIFESTS = {"schema": 1, "entries": {"PATH": {"stamp": "STAMP", "table": bases.MANIFEST}}}
ANSWER = {
    "plugin": "toy",
    "seconds": 0.5,
    "error": None,
    "heavy": ["numpy"],
    "stale": False,
    "registered": bases.MANIFEST,
}
PROBED = {"schema": 1, "entries": {"PLACE": {"answer": ANSWER, "state": "STATE", "surroundings": []}}}
CUTS = hostile.encoded((*hostile.TEXTS, "[" * 3000, "{", "}", "null", "1e999", '"'))


def _filled(content: bytes, **texts: object) -> bytes:
    for name, text in texts.items():
        content = content.replace(json.dumps(name).encode(), json.dumps(text).encode())
    return content


def _check_manifest(folder, content):
    path = folder / "zoo-plugin.toml"
    stamp = memory.stamp(path)
    (folder / "manifests.json").write_bytes(_filled(content, PATH=str(path), STAMP=stamp))
    cache = toml_files.Cache("manifests.json")
    manifest = attempt(ManifestError, cache.read, path, manifests.from_table, folder=folder)
    assert isinstance(manifest, manifests.Manifest)


@examples(deep=10_000)
@given(hostile.mutated((MANIFESTS,)))
def test_a_manifest_is_read_whatever_is_remembered_of_it(folder, table):
    _check_manifest(folder, bases.as_json(table))


@examples(deep=10_000)
@given(hostile.spliced((bases.as_json(MANIFESTS),), CUTS))
def test_a_manifest_is_read_whatever_became_of_what_was_remembered(folder, content):
    _check_manifest(folder, content)


@examples(deep=10_000)
@given(hostile.mutated((PROBED,)))
def test_a_plugin_is_listed_whatever_is_remembered_of_probing_it(folder, table):
    plugin = Plugin("toy", installed=True, module="os")
    state, place = probe_memory._state(plugin), probe_memory._place(plugin)
    (folder / "probe.json").write_bytes(_filled(bases.as_json(table), PLACE=place, STATE=state))
    found = attempt(ManifestError, probe.remembered, [plugin], folder=folder)
    for result in found.values():
        attempt(ManifestError, probe.filled_in, [plugin], {"toy": result})
        assert isinstance(result, probe.Result)
