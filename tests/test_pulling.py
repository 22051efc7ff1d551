"""`pull`: the plugin is installed only where somebody agreed, and the weights are checked every time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zoo_core import installer, manifest
from zoo_core.config import Config
from zoo_core.errors import (
    IncompatibleError,
    InstallError,
    IntegrityError,
    NameNotFoundError,
    NotInstalledError,
    OfflineError,
    PluginError,
    UsageError,
)
from zoo_core.manifest import Manifest, Model, Preset
from zoo_core.presets import write_preset
from zoo_core.pulling import is_pulled, plan, pull

REVISION = "0123456789abcdef0123456789abcdef01234567"

REGISTRY = f"""
schema = 1

[[plugins]]
plugin = "tiny"
schema = 1
hookspec = 1
distribution = "zoo-tiny"
version = "1.0"
summary = "A tiny plugin"
requires-core = ">=0.1"
source = {{ path = "plugins/tiny" }}
[[plugins.models]]
name = "tiny"
target = "zoo_tiny.parts:Tiny"
task = "testing"
default = "first"
[[plugins.presets]]
model = "tiny"
variant = "first"
license = "MIT"
parameters = 3
files = [{{ name = "config.json", size = 3, sha256 = "{"0" * 64}" }}]
folder = "presets/tiny-first"
"""


@pytest.fixture
def site(only_fake_plugins, monkeypatch, tmp_path):
    """An environment of fake plugins, with an empty Hub cache and no network."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return only_fake_plugins


@pytest.fixture
def tiny(site):
    """The plugin `tiny`: a bundled preset, one on the Hub, and a model without any."""
    package = site.add("tiny")
    folder = package / "presets" / "tiny-first"
    files = write_preset(folder, Config("tiny/tiny"), {})
    models = (
        Model("tiny", "zoo_tiny.parts:Tiny", "testing", default="first"),
        Model("bare", "zoo_tiny.parts:Tiny", "x"),
    )
    bundled = Preset("tiny", "first", "MIT", 3, files=files, folder="presets/tiny-first")
    remote = Preset("tiny", "far", "MIT", 3, files=files, repo="toys/tiny", revision=REVISION)
    text = manifest.render(Manifest("tiny", models=models, presets=(bundled, remote)))
    site.write("zoo_tiny/zoo-plugin.toml", text)
    return folder


@pytest.fixture
def known(site, monkeypatch):
    """The plugin `tiny` is in the registry only; the installer makes it appear. Gives what the installer was asked."""
    site.write("../registry.toml", REGISTRY)
    asked = []

    def execute(planned):
        asked.append(planned)
        folder = site.add("tiny") / "presets" / "tiny-first"
        files = write_preset(folder, Config("tiny/tiny"), {})
        models = (Model("tiny", "zoo_tiny.parts:Tiny", "testing", default="first"),)
        preset = Preset("tiny", "first", "MIT", 3, files=files, folder="presets/tiny-first")
        site.write("zoo_tiny/zoo-plugin.toml", manifest.render(Manifest("tiny", models=models, presets=(preset,))))

    def plan_install(name):
        return installer.Plan((name,), f"zoo-{name}", "1.0", "plugins/tiny", (("pip", "install", name),))

    monkeypatch.setattr(installer, "plan_install", plan_install)
    monkeypatch.setattr(installer, "execute", execute)
    return asked


@pytest.mark.parametrize("reference", ["tiny", "tiny/tiny", "tiny:first", "tiny/tiny:first"])
def test_a_bundled_preset_is_checked_where_it_lies(tiny, reference):
    pulled = pull(reference)
    assert (pulled.name, pulled.plugin, pulled.variant, pulled.revision) == ("tiny", "tiny", "first", None)
    assert (pulled.source, pulled.path) == ("bundled", tiny)
    assert [file.name for file in pulled.files] == ["config.json", "model.safetensors"]


def test_pulling_twice_changes_nothing(tiny):
    assert pull("tiny") == pull("tiny")


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_damaged_bundled_file_is_refused_with_the_remedy(tiny, file):
    content = bytearray((tiny / file).read_bytes())
    content[0] ^= 1
    (tiny / file).write_bytes(content)
    with pytest.raises(
        IntegrityError, match=f"{file}: expected sha256 .* found .*zoo uninstall tiny, then zoo pull tiny"
    ):
        pull("tiny")


def test_presence_is_told_by_size_alone(tiny):
    planned = plan("tiny")
    assert planned.present
    (tiny / "config.json").write_bytes(b"x" * (tiny / "config.json").stat().st_size)
    assert is_pulled(planned.plugin, planned.preset)
    (tiny / "config.json").write_bytes(b"x")
    assert not is_pulled(planned.plugin, planned.preset)


def test_a_preset_on_the_hub_is_planned_with_its_size_and_needs_the_network(tiny):
    planned = plan(f"tiny:far@{REVISION}")
    assert (planned.source, planned.present, planned.install) == ("hub", False, None)
    assert planned.download == planned.preset.size > 0
    with pytest.raises(OfflineError, match="toys/tiny at 0123456789ab"):
        pull("tiny:far")


def test_offline_nothing_is_installed_from_the_web(known, monkeypatch):
    plan_install = installer.plan_install
    monkeypatch.setattr(
        installer, "plan_install", lambda name: replace(plan_install(name), origin="https://example.org/tiny.whl")
    )
    with pytest.raises(OfflineError, match="plugin 'tiny' is not installed, and the network is off"):
        pull("tiny", yes=True, offline=True)
    assert known == []


def test_another_revision_than_the_recorded_one_is_refused(tiny):
    with pytest.raises(NameNotFoundError, match="no preset"):
        pull(f"tiny:far@{'f' * 40}")


def test_a_model_without_weights_is_ready_without_a_folder(tiny):
    pulled = pull("bare")
    assert (pulled.name, pulled.variant, pulled.source, pulled.path, pulled.files) == ("bare", None, "", None, ())


def test_a_folder_is_checked_by_its_own_record(tiny):
    pulled = pull(tiny)
    assert (pulled.plugin, pulled.name, pulled.source, pulled.path) == ("tiny", "tiny", "path", tiny)
    (tiny / "model.safetensors").write_bytes(b"")
    with pytest.raises(IntegrityError, match=r"model\.safetensors: expected \d+ bytes, found 0"):
        pull(str(tiny))


@pytest.mark.parametrize("agree", [{"yes": True}, {"confirm": lambda planned: planned.install is not None}])
def test_a_plugin_is_installed_where_somebody_agrees(known, agree):
    pulled = pull("tiny", **agree)
    assert (pulled.source, pulled.variant) == ("bundled", "first")
    assert [planned.distribution for planned in known] == ["zoo-tiny"]
    pull("tiny", **agree)
    assert len(known) == 1


@pytest.mark.parametrize("refuse", [{}, {"confirm": lambda planned: False}])
def test_a_plugin_is_never_installed_silently(known, refuse):
    with pytest.raises(NotInstalledError, match="zoo pull tiny --yes"):
        pull("tiny", **refuse)
    assert known == []


def test_planning_installs_nothing(known):
    planned = plan("tiny")
    assert planned.install.commands == (("pip", "install", "tiny"),)
    assert not planned.present
    assert known == []


def test_an_installation_after_which_the_plugin_is_missing_is_an_error(known, monkeypatch):
    monkeypatch.setattr(installer, "execute", lambda planned: None)
    with pytest.raises(InstallError, match="was installed but is not found"):
        pull("tiny", yes=True)


def test_what_cannot_be_pulled_says_why(site, tiny):
    site.add_broken("raises on import")
    site.add_broken("wrong core version", "newer")
    with pytest.raises(NameNotFoundError, match="did you mean 'tiny'"):
        pull("tinny")
    with pytest.raises(IncompatibleError, match="it needs zoo-core"):
        pull("newer")
    with pytest.raises(UsageError):
        pull("Not A Name")
    with pytest.raises((PluginError, IntegrityError)):
        pull("broken")


def test_the_package_offers_the_function_whichever_module_was_imported_first(tiny):
    import zoo_core
    import zoo_core.cache

    assert zoo_core.pull is pull


def test_nothing_heavy_is_imported(site, tiny):
    code = (
        "import sys; from zoo_core.pulling import plan, pull; print(pull('tiny').path, plan('tiny:far').download);"
        "heavy = {'keras', 'numpy', 'tensorflow', 'jax', 'torch', 'huggingface_hub'} & set(sys.modules);"
        "assert not heavy, heavy"
    )
    done = site.python("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(str(tiny))
