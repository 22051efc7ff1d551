"""The manifest: read with every value checked, written, and generated from a plugin."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MANIFEST, PLUGIN, FakePlugins
from zoo_core import manifest as manifests
from zoo_core import memory, published, toml_files
from zoo_core.errors import ManifestError, PluginError, PresetError
from zoo_core.manifest import Command, Component, File, Manifest, Model, Preset
from zoo_core.published import Published

FULL = Manifest(
    "glow",
    components=(
        Component("layers", "ActNorm", "zoo_glow.layers:ActNorm", 'Quotes ", \\ and 中文'),
        Component("losses", "ActNorm", ""),
    ),
    models=(Model("glow", "zoo_glow.models:Glow", "image-generation", default="mnist"), Model("nice", "a.b:C", "")),
    commands=(Command("sample", "Draw images."), Command("score")),
    presets=(
        Preset(
            "glow",
            "mnist",
            "Apache-2.0",
            1234,
            data="mnist",
            files=(File("config.json", 0, "a" * 64), File("model.safetensors", 2**40, "0" * 64)),
            metrics={"bits_per_dim": 1.25, "top.5": -1e-7, "whole": 3.0},
            folder="presets/glow-mnist",
        ),
        Preset("nice", "v1.0", "", 0, files=(File("a", 1, "b" * 64),), repo="owner/name", revision="c" * 40),
    ),
)
VALID = MANIFEST.replace("{name}", "glow").replace("{package}", "zoo_glow").replace("{hash}", "0" * 64)


def test_what_is_written_reads_back_equal() -> None:
    assert manifests.parse(manifests.render(FULL), "here") == FULL
    assert manifests.parse(manifests.render(Manifest("empty")), "here") == Manifest("empty")


def test_writing_is_deterministic_and_ends_with_one_newline() -> None:
    text = manifests.render(FULL)
    assert text == manifests.render(manifests.parse(text, "here"))
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_size_of_a_preset_is_that_of_its_files() -> None:
    assert FULL.presets[0].size == 2**40
    assert FULL.presets[0].name == "glow:mnist"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("schema = 1", "schema = 2", "schema 2 is not the 1"),
        ("schema = 1", 'schema = "1"', "schema: should be a whole number"),
        ("schema = 1", "schema = true", "schema: should be a whole number"),
        ("schema = 1", "schema = 1\nhookspec = 9", "hookspec 9 is not the 1"),
        ("schema = 1", "schema = 1\nextra = 1", "unknown key 'extra'"),
        ("schema = 1", "models = 1\nschema = 1", "not valid TOML"),
        ('plugin = "glow"', "", "lacks plugin"),
        ('plugin = "glow"', 'plugin = "Glow!"', "plugin: 'Glow!' is not a name"),
        ('plugin = "glow"', "plugin = 1979-05-27", "plugin: should be text"),
        ('kind = "layers"', 'kind = "models"', "components: number 1: kind: 'models' is not one of losses"),
        ('name = "Doubler"', 'name = "../x"', "name: '../x' is not a name"),
        ('name = "Doubler"', 'name = "a\\u001bb"', "is not a name"),
        ('"zoo_glow.parts:Doubler"', '"os.system()"', "is not an import path"),
        ('task = "testing"', "task = []", "models: number 1: task: should be text"),
        ('task = "testing"', f'task = "{"x" * 1001}"', "longer than 1000"),
        ('name = "goodbye"', 'name = "hello"', "command hello is there twice"),
        ("parameters = 1234", "parameters = -1", "parameters: should be between"),
        ("parameters = 1234", f"parameters = 0x{'f' * 5000}", "parameters: should be between"),
        ("parameters = 1234", f"parameters = {'9' * 5000}", "not valid TOML"),
        ("parameters = 1234", "parameters = 1.5", "should be a whole number"),
        ("bits_per_dim = 1.25", "bits_per_dim = nan", "metrics: bits_per_dim: should be between"),
        ("bits_per_dim = 1.25", "bits_per_dim = -inf", "metrics: bits_per_dim: should be between"),
        ("bits_per_dim = 1.25", 'bits_per_dim = "1.25"', "bits_per_dim: should be a number"),
        ("bits_per_dim = 1.25", f"bits_per_dim = 0x{'f' * 5000}", "bits_per_dim: should be between"),
        ("size = 60", "size = -60", "presets: number 1: files: number 1: size: should be between"),
        ("0" * 64, "0" * 63, "is not 64 hexadecimal digits"),
        ('"config.json"', '"../config.json"', "'../config.json' is not a name"),
        ('"config.json"', '"/etc/passwd"', "is not a name"),
        ('"config.json"', '".hidden"', "is not a name"),
        ('"config.json"', '"model.safetensors"', "file model.safetensors of preset glow:first is there twice"),
        ('"presets/glow-first"', '"presets/../../glow"', "is not a folder within the package"),
        ('"presets/glow-first"', '"/presets"', "is not a folder within the package"),
        ('folder = "presets/glow-first"', "", "neither a folder nor a repo"),
        ('folder = "presets/glow-first"', 'repo = "owner/name"', "neither a folder nor a repo"),
        ('folder = "presets/glow-first"', 'repo = "owner/../name"', "repo: 'owner/../name' is not owner/name"),
        ('folder = "presets/glow-first"', 'revision = "main"', "revision: 'main' is not 40"),
        ('model = "glow"', 'model = "nice"', "preset nice:first is of an unknown model"),
        ("[[commands]]", "[commands]", "not valid TOML"),
    ],
)
def test_whatever_is_wrong_is_named_with_its_place(old: str, new: str, complaint: str) -> None:
    assert old in VALID
    with pytest.raises(ManifestError, match=f"^where: .*{re.escape(complaint)}"):
        manifests.parse(VALID.replace(old, new, 1), "where")


@pytest.mark.parametrize("key", ["components", "models", "commands", "presets"])
def test_a_value_where_tables_belong_is_refused(key: str) -> None:
    with pytest.raises(ManifestError, match=f"{key}: should be a list"):
        manifests.parse(f'schema = 1\nplugin = "x"\n{key} = "x"', "where")
    with pytest.raises(ManifestError, match=f"{key}: number 1: should be a table"):
        manifests.parse(f'schema = 1\nplugin = "x"\n{key} = [1]', "where")


def test_control_characters_are_taken_out_of_text() -> None:
    text = VALID.replace('"A tiny model"', '"\\u001b[31mred\\u001b[0m\\nline \\u202e"')
    assert manifests.parse(text, "where").models[0].summary == "red line"


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 300_000,
        "x = " + "{a=" * 300_000,
        "a" + ".a" * 300_000 + " = 1",
        "[a" + " . 'a'" * 100_000 + "]",
        "x = {" + '"a".' * 200_000 + "a = 1}",
    ],
)
def test_deep_nesting_is_refused_in_no_time(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ManifestError):
        manifests.parse(text, "where")
    assert time.perf_counter() - start < 5


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "zoo-plugin.toml"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(ManifestError, match="larger than 1000000"):
        manifests.read(path)


def test_what_is_no_readable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="cannot be read"):
        manifests.read(tmp_path / "absent.toml")
    with pytest.raises(ManifestError, match="not a regular file"):
        manifests.read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ManifestError, match="not a regular file"):
        manifests.read(tmp_path / "pipe")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="cannot be read"):
        manifests.read(tmp_path / "binary")


def test_a_manifest_is_built_from_hooks_and_docstrings(fake_plugins: FakePlugins) -> None:
    package = fake_plugins.add("tiny")
    built = manifests.build("tiny", package)
    assert built == replace(manifests.read(package / manifests.FILE_NAME), presets=())


def test_only_the_class_own_docstring_is_a_summary(fake_plugins: FakePlugins) -> None:
    package = fake_plugins.add("tiny", plugin=PLUGIN.replace("parts:Doubler", "more:Heir"))
    (package / "more.py").write_text("class Parent:\n    '''A parent.'''\nclass Heir(Parent):\n    pass\n")
    assert manifests.build("tiny", package).components[0].summary == ""


def test_a_manifest_is_built_where_the_old_one_is_unreadable(fake_plugins: FakePlugins) -> None:
    package = fake_plugins.add("tiny", manifest="[[components")
    assert manifests.build("tiny", package).models[0].name == "tiny"


def test_a_plugin_that_is_not_installed_but_importable_is_built(fake_plugins: FakePlugins) -> None:
    package = fake_plugins.add("tiny")
    for metadata in fake_plugins.folder.glob("*.dist-info/*"):
        metadata.unlink()
    assert manifests.build("tiny", package).plugin == "tiny"


def test_the_manifest_of_another_folder_than_the_installed_one_is_not_built(
    fake_plugins: FakePlugins, tmp_path: Path
) -> None:
    fake_plugins.add("tiny")
    with pytest.raises(PluginError, match="is installed in"):
        manifests.build("tiny", tmp_path / "elsewhere" / "zoo_tiny")


def test_a_class_that_is_not_there_is_an_error(fake_plugins: FakePlugins) -> None:
    package = fake_plugins.add("tiny", plugin=PLUGIN.replace("parts:Doubler", "parts:Tripler"))
    with pytest.raises(PluginError, match=r"zoo_tiny.parts:Tripler"):
        manifests.build("tiny", package)


def _preset(package: Path, folder: str, **run: Any) -> Path:
    preset = package / "presets" / folder
    preset.mkdir(parents=True)
    (preset / "config.json").write_text(json.dumps({"schema": 1, "model": "tiny/tiny", "arguments": {}}))
    (preset / "run.json").write_text(json.dumps({"license": "Apache-2.0", "parameters": 3, **run}))
    (preset / "model.safetensors").write_bytes(b"abc")
    return preset


def test_presets_are_found_in_their_folders(fake_plugins: FakePlugins) -> None:
    package = fake_plugins.add("tiny")
    folder = _preset(
        package, "tiny-mnist", variant="mnist", data={"name": "mnist"}, evaluation={"metrics": {"bits_per_dim": 1.5}}
    )
    (folder / ".DS_Store").write_text("not a file of the preset")
    (folder / "samples").mkdir()
    (preset,) = manifests.build("tiny", package).presets
    assert (preset.name, preset.license, preset.parameters, preset.data) == ("tiny:mnist", "Apache-2.0", 3, "mnist")
    assert (preset.folder, preset.metrics) == ("presets/tiny-mnist", {"bits_per_dim": 1.5})
    assert [file.name for file in preset.files] == ["config.json", "model.safetensors", "run.json"]
    # The digest of "abc" in FIPS 180-2, appendix B.1.
    assert preset.files[1] == File(
        "model.safetensors", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_without_a_run_s_variant_the_folder_tells_it(fake_plugins: FakePlugins) -> None:
    package = fake_plugins.add("tiny")
    _preset(package, "tiny-fashion-mnist", evaluation=None)
    (preset,) = manifests.build("tiny", package).presets
    assert (preset.variant, preset.metrics) == ("fashion-mnist", {})


@pytest.mark.parametrize(
    "run",
    [{"parameters": "many"}, {"evaluation": 3}, {"evaluation": {"metrics": {"loss": None}}}, {"variant": "../x"}],
)
def test_a_malformed_run_record_is_an_error(fake_plugins: FakePlugins, run: dict[str, Any]) -> None:
    package = fake_plugins.add("tiny")
    _preset(package, "tiny-mnist", **run)
    with pytest.raises((PresetError, ManifestError), match=r"run.json|tiny"):
        manifests.build("tiny", package)


def test_a_preset_of_another_plugin_s_model_is_an_error(fake_plugins: FakePlugins) -> None:
    package = fake_plugins.add("tiny")
    folder = _preset(package, "tiny-mnist")
    (folder / "config.json").write_text('{"model": "other/tiny"}')
    with pytest.raises(PresetError, match="not of plugin 'tiny'"):
        manifests.build("tiny", package)


def test_the_place_on_the_hub_is_kept_until_a_file_changes(fake_plugins: FakePlugins) -> None:
    package = fake_plugins.add("tiny")
    folder = _preset(package, "tiny-mnist")
    built = manifests.build("tiny", package)
    published.write(folder, Published("owner/name", "1" * 40, built.presets[0].files))
    there = replace(built, presets=(replace(built.presets[0], repo="owner/name", revision="1" * 40),))
    assert manifests.build("tiny", package) == there
    (folder / "model.safetensors").write_bytes(b"abd")
    assert manifests.build("tiny", package).presets[0].revision == ""


def test_a_cached_file_is_parsed_again_only_when_it_changes(
    fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = fake_plugins.add("tiny")
    path = package / manifests.FILE_NAME
    parsed: list[Path] = []
    parse = toml_files.read
    monkeypatch.setattr(toml_files, "read", lambda path: parsed.append(path) or parse(path))

    def cached() -> Manifest:
        cache = toml_files.Cache("test.json")
        manifest = cache.read(path, manifests.from_table)
        cache.save()
        return manifest

    assert cached() == cached() == manifests.from_table(parse(path), "here")
    assert len(parsed) == 1
    path.write_text(path.read_text().replace("A tiny model", "A changed one"))
    assert cached().models[0].summary == "A changed one"
    assert len(parsed) == 2


def test_what_is_wrong_is_not_cached(fake_plugins: FakePlugins) -> None:
    package = fake_plugins.add("tiny", manifest="schema = 1\nplugin = 1979-05-27")
    for _ in range(2):
        cache = toml_files.Cache("test.json")
        with pytest.raises(ManifestError, match="plugin: should be text"):
            cache.read(package / manifests.FILE_NAME, manifests.from_table)
        cache.save()
    assert memory.load("test.json") == {}


def test_of_a_very_long_memory_the_last_entries_are_kept(fake_plugins: FakePlugins) -> None:
    memory.save("test.json", {str(number): number for number in range(1200)})
    kept = memory.load("test.json")
    assert len(kept) == 1000
    assert list(kept)[-1] == "1199"
