"""What is installed and available, and what names mean; read without importing any plugin's code."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.conftest import BROKEN, MANIFEST, FakePlugins, by_name
from zoo_core import index
from zoo_core import manifest as manifests
from zoo_core.distributions import core_fits, core_range, plugin_distributions
from zoo_core.errors import (
    AmbiguousNameError,
    IncompatibleError,
    NameNotFoundError,
    PluginError,
    RegistryError,
    UsageError,
)
from zoo_core.records import Source
from zoo_core.version import __version__

HEAVY = ("keras", "tensorflow", "jax", "torch", "numpy", "pluggy", "importlib.metadata", "packaging")


def test_an_installed_plugin_is_known_from_its_metadata_and_manifest(only_fake_plugins: FakePlugins) -> None:
    package = only_fake_plugins.add("tiny", version="1.2", summary="A summary", requires="zoo-core[jax] >=0.1,<9")
    (plugin,) = index.installed_plugins()
    assert (plugin.name, plugin.distribution, plugin.version, plugin.summary) == (
        "tiny",
        "zoo-tiny",
        "1.2",
        "A summary",
    )
    assert (plugin.requires_core, plugin.compatible, plugin.broken) == (">=0.1,<9", True, None)
    assert (plugin.installed, plugin.package, plugin.module, plugin.slow) == (True, package, "zoo_tiny.plugin", False)
    assert plugin.manifest == manifests.read(package / manifests.FILE_NAME)
    assert "zoo_tiny" not in sys.modules


def test_without_plugins_there_is_nothing(only_fake_plugins: FakePlugins) -> None:
    assert index.installed_plugins() == index.available_plugins() == index.plugins() == ()


def test_plugins_are_sorted_by_name(only_fake_plugins: FakePlugins) -> None:
    for name in ("zebra", "apple", "mango"):
        only_fake_plugins.add(name)
    assert [plugin.name for plugin in index.plugins()] == ["apple", "mango", "zebra"]


STATICALLY_BROKEN = ["bad manifest", "wrong core version", "name clash", "missing package"]


@pytest.mark.parametrize("kind", STATICALLY_BROKEN)
def test_a_broken_plugin_is_a_row_with_its_reason_and_others_go_on(only_fake_plugins: FakePlugins, kind: str) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.add_broken(kind, "broken")
    rows = by_name(index.installed_plugins())
    assert rows["tiny"].broken is None
    assert BROKEN[kind][1] in rows["broken"].broken
    assert index.find_model("tiny")[0] == rows["tiny"]


def test_two_distributions_with_one_name_are_both_broken_and_named(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", rival="other")
    rows = index.plugins()
    assert [(row.name, row.distribution) for row in rows] == [("tiny", "other"), ("tiny", "zoo-tiny")]
    assert all(row.broken and "'other', 'zoo-tiny' claim the name 'tiny'" in row.broken for row in rows)


def test_a_plugin_for_another_core_keeps_its_manifest_but_is_not_compatible(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", requires="zoo-core>=99")
    (plugin,) = index.installed_plugins()
    assert not plugin.compatible
    assert plugin.broken == f"it needs zoo-core >=99, this is {__version__}"
    assert plugin.manifest is not None


def test_terminal_escapes_in_a_summary_are_taken_out(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", summary="\x1b[31mred\x1b[0m\x07 \u202esummary", version="1.0\x1b[2J")
    (plugin,) = index.installed_plugins()
    assert (plugin.summary, plugin.version) == ("red summary", "1.0")


@pytest.mark.parametrize("name", ["Glow", "gl ow", "\x1b[31mred"])
def test_a_name_that_is_none_is_a_broken_row_that_can_be_shown(only_fake_plugins: FakePlugins, name: str) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.write("bad-1.0.dist-info/entry_points.txt", f"[zoo.plugins]\n{name} = zoo_tiny.plugin\n")
    broken = [plugin for plugin in index.installed_plugins() if plugin.broken]
    assert len(broken) == 1
    assert broken[0].name.isprintable()
    assert broken[0].broken


def test_a_plugin_may_not_be_called_like_a_command(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("list")
    assert index.installed_plugins()[0].broken == "'list' is the name of a command of zoo itself"


@pytest.mark.parametrize("entry", ["zoo_tiny.plugin:Plugin", "zoo tiny", "", ".plugin"])
def test_an_entry_point_must_name_a_module(only_fake_plugins: FakePlugins, entry: str) -> None:
    only_fake_plugins.add("tiny", entry_point=entry)
    assert "is not the name of a module" in (index.installed_plugins()[0].broken or "")


def test_the_manifest_of_another_plugin_is_refused(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", manifest=MANIFEST.replace("{name}", "other"))
    assert "is the manifest of 'other', not of 'tiny'" in (index.installed_plugins()[0].broken or "")


def test_of_two_copies_of_a_distribution_the_first_on_the_path_is_meant(
    fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_plugins.add("tiny", version="2.0")
    older = FakePlugins(tmp_path / "older")
    older.add("tiny", version="1.0")
    monkeypatch.setattr(sys, "path", [*sys.path, str(older.folder)])
    assert [each.version for each in plugin_distributions() if each.name == "zoo-tiny"] == ["2.0"]


def test_metadata_that_is_missing_or_not_text_leaves_blanks(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    (only_fake_plugins.folder / "zoo_tiny-1.0.dist-info" / "METADATA").write_bytes(b"\xff\xfe\x00Summary")
    (plugin,) = index.installed_plugins()
    assert (plugin.distribution, plugin.summary, plugin.broken) == ("zoo-tiny", "", None)


def test_a_plugin_in_a_single_file_has_no_package_and_is_slow(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.write("single.py", "")
    only_fake_plugins.write("single-1.dist-info/entry_points.txt", "[zoo.plugins]\nsingle = single\n")
    (plugin,) = index.installed_plugins()
    assert (plugin.package, plugin.slow, plugin.broken, plugin.manifest) == (None, True, None, None)


def test_looking_at_plugins_imports_nothing_heavy_and_none_of_their_code(fake_plugins: FakePlugins) -> None:
    fake_plugins.add_many(100)
    fake_plugins.add_heavy("heavy")
    fake_plugins.add_broken("raises on import")
    code = (
        "import sys; from zoo_core import index; rows = index.plugins(); index.find_preset('plugin042:first');"
        f"print(len(rows), [name for name in sys.modules if name in {HEAVY} or name.startswith('zoo_plugin')])"
    )
    ran = fake_plugins.python("-c", code, ZOO_NO_PROBE="1")
    assert ran.stderr == ""
    count, _, imported = ran.stdout.partition(" ")
    assert int(count) >= 102
    assert imported == "[]\n"


@pytest.mark.parametrize(
    ("requires", "version", "fits"),
    [
        ("", "0.1.0", True),
        (">=0.1", "0.1.0", True),
        (">=0.1.0", "0.1", True),
        (">0.1", "0.1.0", False),
        (">=0.2", "0.10.0", True),
        (">=0.1,<0.2", "0.2", False),
        (">=0.1, <0.2", "0.1.9", True),
        ("==0.1", "0.1.0", True),
        ("<=1", "1.0.1", False),
        ("~=0.1.0", "0.1.5", True),
        ("==0.1.*", "0.1.5", True),
        ("!=0.1.5", "0.1.5", False),
        (">=0.1,!=0.1.5", "0.1.6", True),
        (">=0.2", "0.2.dev1", False),
        (">=0.2.dev0", "0.2.dev1", True),
    ],
)
def test_version_ranges_are_those_of_packaging(
    monkeypatch: pytest.MonkeyPatch, requires: str, version: str, fits: bool
) -> None:
    from packaging.specifiers import SpecifierSet

    monkeypatch.setattr("zoo_core.distributions.__version__", version)
    assert core_fits(requires) is fits
    assert SpecifierSet(requires).contains(version, prereleases=True) is fits


def test_a_range_that_is_none_makes_a_broken_row(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", requires="zoo-core>=banana")
    (plugin,) = index.installed_plugins()
    assert not plugin.compatible
    assert "malformed" in (plugin.broken or "")


@pytest.mark.parametrize(
    ("requirement", "found"),
    [
        ("zoo-core>=0.1", ">=0.1"),
        ("zoo-core", ""),
        ("Zoo_Core (>=0.1,<1)", ">=0.1,<1"),
        ("zoo.core[jax,torch] >=0.1 ; python_version > '3'", ">=0.1"),
        ("zoo-core>=2; extra == 'test'", None),
        ("zoo-core-extras>=1", None),
        ("keras>=3", None),
    ],
)
def test_the_core_s_range_is_found_among_requirements(requirement: str, found: str | None) -> None:
    assert core_range(requirement) == found


REGISTRY_ENTRY = """
[[plugins]]
distribution = "zoo-{name}"
version = "3.0"
summary = "From the registry"
requires-core = ">=0.1"
schema = 1
plugin = "{name}"
[plugins.source]
path = "plugins/{name}"
[[plugins.models]]
name = "{name}"
target = "zoo_{name}.models:Model"
task = "testing"
"""


def _register(plugins: FakePlugins, *names: str) -> None:
    entries = [REGISTRY_ENTRY.replace("{name}", name) for name in names]
    plugins.write("../registry.toml", "\n".join(["schema = 1", *entries]))


def test_what_is_installed_wins_and_gets_its_source_from_the_registry(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", version="1.0")
    _register(only_fake_plugins, "tiny", "absent")
    absent, tiny = index.plugins()
    assert (tiny.name, tiny.installed, tiny.version) == ("tiny", True, "1.0")
    assert tiny.source == Source("path", "plugins/tiny")
    assert (absent.name, absent.installed, absent.version) == ("absent", False, "3.0")
    assert index.find_model("absent")[0] == absent


def test_another_distribution_of_the_same_name_gets_no_source(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", distribution="somebody-elses-tiny")
    _register(only_fake_plugins, "tiny")
    (plugin,) = index.plugins()
    assert plugin.source is None


def test_an_unreadable_registry_stops_only_what_needs_it(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.write("../registry.toml", "not toml")
    assert [plugin.name for plugin in index.plugins()] == ["tiny"]
    assert index.find_model("tiny")[1].name == "tiny"
    with pytest.raises(RegistryError, match="not valid TOML"):
        index.find_model("absent")


def test_a_model_is_found_by_its_bare_and_by_its_full_name(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.add("other")
    assert index.find_model("tiny") == index.find_model("tiny/tiny")
    assert index.find_component("layers", "tiny/Doubler")[1].target == "zoo_tiny.parts:Doubler"


def test_a_bare_name_of_several_plugins_is_refused_with_the_candidates(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.add("other")
    with pytest.raises(AmbiguousNameError, match="'other/Doubler', 'tiny/Doubler'"):
        index.find_component("layers", "Doubler")


def test_unknown_names_suggest_the_nearest(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny")
    for name, complaint in {
        "tinny": "no model 'tinny', did you mean 'tiny'?",
        "tiny/tin": "no model 'tiny/tin', did you mean 'tiny/tiny'?",
        "tiyn/tiny": "no plugin 'tiyn', did you mean 'tiny'?",
    }.items():
        with pytest.raises(NameNotFoundError) as caught:
            index.find_model(name)
        assert str(caught.value) == f"{complaint} (zoo list)"
    with pytest.raises(NameNotFoundError, match="no layer 'doublr', did you mean 'Doubler'"):
        index.find_component("layers", "doublr")
    with pytest.raises(NameNotFoundError, match="no loss 'Doubler'"):
        index.find_component("losses", "Doubler")
    with pytest.raises(NameNotFoundError, match="no plugin 'tinny', did you mean 'tiny'"):
        index.find_plugin("tinny")
    with pytest.raises(UsageError, match="did you mean 'layers'"):
        index.find_component("layer", "Doubler")


def test_a_broken_plugin_s_name_is_met_with_its_reason(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add_broken("bad manifest", "bad")
    only_fake_plugins.add_broken("wrong core version", "later")
    for name in ("bad", "bad/anything"):
        with pytest.raises(PluginError, match=r"plugin 'bad' cannot be used: .*not valid TOML"):
            index.find_model(name)
    with pytest.raises(IncompatibleError, match="needs zoo-core >=99"):
        index.find_preset("later")
    assert index.find_plugin("bad").broken


TWO_MODELS = """
schema = 1
plugin = "{name}"
[[models]]
name = "first"
target = "a.b:C"
task = ""
[[models]]
name = "second"
target = "a.b:C"
task = ""
"""


def test_a_plugin_s_name_stands_for_its_only_model(only_fake_plugins: FakePlugins) -> None:
    one = TWO_MODELS[: TWO_MODELS.rindex("[[models]]")]
    only_fake_plugins.add("single", manifest=one)
    assert index.find_model("single")[1].name == "first"
    only_fake_plugins.add("pair", manifest=TWO_MODELS)
    with pytest.raises(AmbiguousNameError, match="plugin 'pair' has several models: 'first', 'second'"):
        index.find_model("pair")


SECOND_PRESET = """
[[presets]]
model = "{name}"
variant = "second"
license = ""
parameters = 1
repo = "owner/name"
revision = "1111111111111111111111111111111111111111"
[[presets.files]]
name = "config.json"
size = 60
sha256 = "{hash}"
"""


def test_presets_are_found_by_variant_else_the_default_else_the_only_one(only_fake_plugins: FakePlugins) -> None:
    both = MANIFEST + SECOND_PRESET
    only_fake_plugins.add("tiny", manifest=both)
    only_fake_plugins.add("other", manifest=both.replace('default = "first"', ""))
    only_fake_plugins.add("single", manifest=MANIFEST.replace('default = "first"', 'default = "untrained"'))
    only_fake_plugins.add("none", manifest=TWO_MODELS)
    variants = {
        name: preset.variant if (preset := index.find_preset(name)[2]) else None
        for name in ("tiny", "tiny:second", "other", "single", "none/first")
    }
    assert variants == {"tiny": "first", "tiny:second": "second", "other": None, "single": "first", "none/first": None}


def test_an_unknown_variant_lists_those_that_are_there(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", manifest=MANIFEST + SECOND_PRESET)
    with pytest.raises(NameNotFoundError) as caught:
        index.find_preset("tiny:secnd")
    assert str(caught.value) == "no preset 'tiny:secnd', did you mean 'second'? (there is 'first', 'second')"


def test_only_the_pinned_revision_is_found(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.add("tiny", manifest=MANIFEST + SECOND_PRESET)
    assert index.find_preset(f"tiny:second@{'1' * 40}")[2]
    with pytest.raises(NameNotFoundError, match=f"its files are those of {'1' * 40}"):
        index.find_preset(f"tiny:second@{'2' * 40}")
    with pytest.raises(NameNotFoundError, match="it has no revisions"):
        index.find_preset(f"tiny@{'1' * 40}")
