"""What the properties, or writing them, brought to light: one test for each, so that it stays mended."""

from __future__ import annotations

import json
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.properties import bases
from zoo_core import manifest as manifests
from zoo_core import memory, packages, probe, registry_file, toml_files
from zoo_core.cli import main
from zoo_core.config import parse_config, render_config
from zoo_core.data_readers import read_image_folder
from zoo_core.distributions import core_range
from zoo_core.errors import (
    DataError,
    InstallError,
    IntegrityError,
    ManifestError,
    PresetError,
    RegistryError,
    UsageError,
    WeightsError,
)
from zoo_core.files import parse_json, render_json
from zoo_core.installed import installed_plugins
from zoo_core.names import is_file_name, is_import_path, is_repository, parse_hub_reference
from zoo_core.presets import PresetFolder
from zoo_core.recipes import Recipe, make_recipe
from zoo_core.records import File, Plugin
from zoo_core.runs import read_record
from zoo_core.safetensors_file import parse_header
from zoo_core.text import clean


def config(arguments: str, schema: str = "1") -> bytes:
    return f'{{"schema": {schema}, "model": "toy/net", "arguments": {arguments}}}'.encode()


def manifest(**changes):
    """The valid manifest, its first preset changed."""
    table = json.loads(json.dumps(bases.MANIFEST))
    table["presets"][0].update(changes)
    return table


def test_a_number_that_json_writes_finite_and_python_reads_infinite_is_refused():
    with pytest.raises(ValueError, match="1e999 is too large"):
        parse_json(b'{"metric": 1e999}')


def test_half_a_character_is_refused_where_it_is_read_and_not_where_it_would_be_written():
    with pytest.raises(PresetError, match="surrogates not allowed"):
        parse_config(config('{"name": "\\ud800"}'), "here")
    whole = parse_config(config('{"name": "\\ud83d\\ude42"}'), "here")
    assert parse_config(render_config(whole).encode(), "again").arguments == {"name": "🙂"}


def test_a_whole_number_that_no_float_holds_is_out_of_range():
    with pytest.raises(PresetError, match="out of range"):
        parse_config(config(f'{{"units": {10**400}}}'), "here")


@pytest.mark.parametrize("schema", ["true", "1.0", '"1"', "[1]"])
def test_a_schema_is_the_whole_number_one(schema):
    with pytest.raises(PresetError, match="schema .*, and this zoo-core reads 1"):
        parse_config(config("{}", schema), "here")
    if schema in ("true", "1.0"):
        with pytest.raises(RegistryError, match="schema: "):
            registry_file.parse(f"schema = {schema}".encode(), "here")


def test_what_is_nested_as_deeply_as_it_can_be_read_but_not_written_is_refused():
    with pytest.raises(ValueError, match="nested more than 64 deep"):
        parse_json(b"[" * 200 + b"]" * 200)
    assert render_json(parse_json(b"[" * 60 + b"]" * 60))


def test_a_name_that_comes_twice_among_very_many_is_found_in_no_time():
    names = ",".join(f'"{number}":1' for number in range(60_000))
    text = f'{{{names},"59999":1}}'.encode()
    start = time.thread_time()
    with pytest.raises(WeightsError, match="comes twice"):
        parse_header(len(text).to_bytes(8, "little") + text, "here")
    assert time.thread_time() - start < 5  # it was a minute


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"settings": ["epochs"]}, "settings: should be a table"),
        ({"settings": {"steps": {"a": 1}}}, "settings: steps: should be a number"),
        ({"data": "mnist"}, "data: should be a table"),
        ({"data": {"name": ["mnist"], "sha256": ""}}, "data: name: should be text"),
        ({"evaluation": {"metrics": {}}}, "evaluation: lacks baselines, data, examples, seed, split"),
        ({"license": "MIT\x1b[2J"}, "license: has characters that are not to be shown"),
        ({"license": "mit\nmodel-index: []"}, "license: has characters that are not to be shown"),
        ({"schema": True}, "schema True, and this zoo-core reads 1"),
    ],
)
def test_a_run_record_with_anything_else_in_it_is_refused_before_it_is_used(tmp_path, changes, problem):
    (tmp_path / "run.json").write_bytes(bases.as_json({**bases.RUN, **changes}))
    with pytest.raises(PresetError, match=problem):
        read_record(tmp_path)
    (tmp_path / "run.json").write_bytes(bases.as_json(bases.RUN))
    assert read_record(tmp_path) == bases.RUN


def test_a_setting_that_is_no_list_is_an_error_of_the_recipe():
    from dataclasses import dataclass

    from zoo_core.errors import RecipeError

    @dataclass(frozen=True, kw_only=True)
    class Listed(Recipe):
        epochs: int = 1
        batch_size: int = 1
        steps: tuple[int, ...] = (1,)

    with pytest.raises(RecipeError, match="steps=5: expected a list"):
        make_recipe(Listed, "mnist", {"steps": 5})


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"files": []}, "has no files"),
        ({"files": [{"name": "nul.txt", "size": 0, "sha256": bases.SHA256}]}, "is not a name of a file"),
        ({"files": [{"name": "a.", "size": 0, "sha256": bases.SHA256}]}, "is not a name of a file"),
        ({"files": [{"name": name, "size": 0, "sha256": bases.SHA256} for name in ("a.txt", "A.TXT")]}, "there twice"),
        ({"folder": "presets/con"}, "is not a folder"),
        ({"repo": "a--b/c"}, "is not owner/name"),
        ({"repo": "a/b.git"}, "is not owner/name"),
    ],
)
def test_a_preset_is_of_files_that_every_disk_tells_apart(changes, problem):
    with pytest.raises(ManifestError, match=problem):
        manifests.from_table(manifest(**changes), "here")


def test_an_address_brings_no_hash_of_its_own():
    text = f"""\
schema = 1
[[plugins]]
distribution = "zoo-toy"
version = "1.0"
schema = 1
plugin = "toy"
source = {{wheel = "https://example.org/toy.whl#sha256={"0" * 64}", sha256 = "{bases.SHA256}"}}
"""
    with pytest.raises(RegistryError, match="is not an https:// address without a #"):
        registry_file.parse(text.encode(), "here")


def test_a_place_on_the_hub_with_an_at_and_nothing_after_it_is_refused():
    with pytest.raises(UsageError, match="names no revision"):
        parse_hub_reference("hf://some-one/glow@", unpinned=True)


def test_a_tensor_with_an_invisible_letter_in_its_name_is_refused():
    table = bases.as_json({"ker\u3164nel": {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}})
    with pytest.raises(WeightsError, match="tensor 'kernel' has control characters, invisible ones"):
        parse_header(len(table).to_bytes(8, "little") + table, "here")


@pytest.mark.parametrize("marker", ['os_name ~= "x"', 'extras == "x"'])
def test_a_marker_that_compares_what_cannot_be_compared_is_malformed(tmp_path, marker):
    package = packages.Package(tmp_path, "zoo-toy", "1", {}, (f"numpy ; {marker}",))
    with pytest.raises(InstallError, match="a malformed requirement"):
        package.needed  # noqa: B018


def test_an_empty_tensor_whose_other_sides_are_too_long_for_any_array_is_refused():
    table = bases.as_json({"a": {"dtype": "U8", "shape": [0, 10**9, 2**31], "data_offsets": [0, 0]}})
    with pytest.raises(WeightsError, match="too large"):
        parse_header(len(table).to_bytes(8, "little") + table, "here")


def test_a_malformed_requirement_is_not_repeated_at_length(tmp_path):
    package = packages.Package(tmp_path, "zoo-toy", "1", {}, ("numpy >= " + "x" * 50_000,))
    with pytest.raises(InstallError) as caught:
        package.needed  # noqa: B018
    assert len(str(caught.value)) < 1000


def test_names_that_only_look_alike_do_not_pass():
    assert not is_import_path("zoo_gl\u043ew.models:Glow")  # a Cyrillic o
    assert not is_file_name("com1.safetensors")
    assert is_file_name("company.txt")
    assert not is_repository("x" * 60 + "/" + "y" * 60)


@pytest.mark.parametrize("unseen", ["\u3164", "\u2800", "\u115f", "\ufe0f", "\U000e0101", "\u034f"])
def test_what_is_printable_and_yet_invisible_is_taken_out(unseen):
    assert clean(f"gl{unseen}ow") == "glow"


def test_a_requirement_of_blanks_is_read_in_no_time():
    start = time.thread_time()
    assert core_range("zoo-core" + " " * 60_000 + "x") is None
    assert time.thread_time() - start < 1  # it was days: a cube of the length
    assert core_range("zoo-core [jax] ( >=0.1 ) ; python_version > '3'") == ">=0.1"


@pytest.fixture
def site(tmp_path, monkeypatch):
    """The one place to import from, with the metadata of a distribution."""
    info = tmp_path / "zoo_toy-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_text("[zoo.plugins]\ntoy = zoo_toy\n")
    (tmp_path / "zoo_toy").mkdir()
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return info


def test_why_a_plugin_does_not_fit_is_shown_without_what_its_metadata_would_do_to_a_terminal(site):
    (site / "METADATA").write_text("Name: zoo-toy\nVersion: 1\nRequires-Dist: zoo-core >=1\x1b]0;owned\x07!\n")
    (plugin,) = installed_plugins()
    assert "malformed" in plugin.broken
    assert plugin.broken.isprintable()


def test_a_summary_is_no_longer_than_a_thousand_characters(site):
    (site / "METADATA").write_text(f"Name: zoo-toy\nVersion: 1\nSummary: {'x' * 50_000}\n")
    (plugin,) = installed_plugins()
    assert plugin.summary == "x" * 1000


@pytest.mark.parametrize("content", ["[" * 100_000, '{"schema": 1, "entries": {"PATH": "x"}}', "\udcff", "null"])
def test_a_damaged_memory_is_as_good_as_none(tmp_path, monkeypatch, content):
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    path = tmp_path / "zoo-plugin.toml"
    path.write_text(manifests.render(manifests.from_table(bases.MANIFEST, "valid")))
    plugin = Plugin("toy", installed=True, module="os")
    for name in ("manifests.json", "probe.json"):
        text = content.replace("PATH", str(path) if name == "manifests.json" else f"toy None {sys.prefix}")
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert toml_files.Cache("manifests.json").read(path, manifests.from_table).plugin == "glow"
    assert probe.remembered([plugin]) == {}
    assert memory.load("manifests.json") == {} or content.startswith("{")


def _wheel(path: Path, metadata: str, entry_points: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zoo_toy-1.0.dist-info/METADATA", metadata)
        archive.writestr("zoo_toy-1.0.dist-info/entry_points.txt", entry_points)
    return path


def test_a_wheel_whose_metadata_unpacks_to_very_much_is_refused_before_it_is_read(tmp_path):
    path = _wheel(tmp_path / "a.whl", "Name: zoo-toy\nVersion: 1\n" + "\n" * 3_000_000, "[zoo.plugins]\nx = y\n")
    assert path.stat().st_size < 10_000
    with pytest.raises(InstallError, match="unpacks to 3000"):
        packages.read(path)


def test_a_wheel_with_names_that_hide_letters_is_refused(tmp_path):
    path = _wheel(
        tmp_path / "a.whl", "Metadata-Version: 2.1\nName: zoo-toy\nVersion: 1\n", "[zoo.plugins]\ngl\u200bow = y\n"
    )
    with pytest.raises(InstallError, match="'glow' is no name"):
        packages.read(path)


def test_a_wheel_that_wants_a_newer_unpacker_is_refused(tmp_path):
    path = _wheel(tmp_path / "a.whl", "Metadata-Version: 2.1\nName: zoo-toy\nVersion: 1\n", "[zoo.plugins]\nx = y\n")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 6] = 64  # the version needed to extract, in the directory: 6.4
    path.write_bytes(content)
    with pytest.raises(InstallError, match="no wheel that can be read"):
        packages.read(path)


def test_weights_that_no_memory_holds_are_refused(tmp_path):
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(2**43)  # a hole: it takes no room on the disk
    with pytest.raises(IntegrityError, match="fits into memory"):
        PresetFolder(tmp_path).contents([File("model.safetensors", 2**43, bases.SHA256)])


@pytest.mark.parametrize("size", [-1, 10**9])
def test_a_recipe_by_strangers_makes_no_picture_larger_than_memory(tmp_path, size):
    with pytest.raises(DataError, match="at most 16384"):
        read_image_folder(tmp_path, size)


def test_an_error_is_one_line_that_a_terminal_shows_as_it_is(monkeypatch, capsys):
    monkeypatch.setattr("zoo_core.cli.app.run", lambda _: (_ for _ in ()).throw(PresetError("a\x1b[2Jb\nc", "d\x07")))
    assert main([]) == 1
    assert capsys.readouterr().err == "zoo: ab c (d)\n"
