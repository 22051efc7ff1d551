"""registry.toml: built out of a checkout's plugins, checked, and read back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import MANIFEST
from zoo_core import manifest as manifests
from zoo_core import paths, registry_entries, registry_file
from zoo_core.errors import RegistryError
from zoo_core.records import Source

PROJECT = """
[project]
name = "zoo-{name}"
version = "1.2"
description = "The {name} plugin"
dependencies = ["keras>=3", "zoo-core>=0.1,<9"]
[project.entry-points."zoo.plugins"]
{name} = "zoo_{name}.plugin"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with two plugins."""
    for name in ("tiny", "apple"):
        package = tmp_path / "plugins" / name / f"zoo_{name}"
        package.mkdir(parents=True)
        (package.parent / "pyproject.toml").write_text(PROJECT.replace("{name}", name))
        text = MANIFEST.replace("{name}", name).replace("{package}", package.name).replace("{hash}", "0" * 64)
        (package / manifests.FILE_NAME).write_text(text)
    return tmp_path


def written(checkout: Path, text: str | None = None) -> Path:
    path = checkout / registry_file.FILE_NAME
    path.write_text(registry_entries.build(checkout) if text is None else text)
    return path


def test_what_is_built_reads_back_as_the_plugins(checkout: Path) -> None:
    apple, tiny = registry_file.read(written(checkout))
    assert (tiny.name, tiny.distribution, tiny.version, tiny.summary) == ("tiny", "zoo-tiny", "1.2", "The tiny plugin")
    assert (tiny.requires_core, tiny.compatible, tiny.installed, tiny.broken) == (">=0.1,<9", True, False, None)
    assert tiny.source == Source("path", "plugins/tiny")
    assert tiny.manifest == manifests.read(checkout / "plugins" / "tiny" / "zoo_tiny" / manifests.FILE_NAME)
    assert apple.name == "apple"


def test_a_current_registry_passes_and_a_stale_one_is_refused(checkout: Path) -> None:
    with pytest.raises(RegistryError, match="zoo registry build"):
        registry_entries.check(checkout)
    written(checkout)
    registry_entries.check(checkout)
    project = checkout / "plugins" / "tiny" / "pyproject.toml"
    project.write_text(project.read_text().replace('version = "1.2"', 'version = "1.3"'))
    with pytest.raises(RegistryError, match=r"registry.toml is stale"):
        registry_entries.check(checkout)


def test_a_checkout_without_plugins_has_an_empty_registry(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    assert registry_file.read(written(tmp_path)) == ()


def test_a_plugin_for_a_later_core_is_listed_as_not_compatible(checkout: Path) -> None:
    project = checkout / "plugins" / "tiny" / "pyproject.toml"
    project.write_text(project.read_text().replace("zoo-core>=0.1,<9", "zoo-core>=99"))
    plugin = registry_file.read(written(checkout))[1]
    assert (plugin.compatible, plugin.broken) == (False, None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('version = "1.2"', ""),
        ("[project]", "[other]"),
        ("zoo.plugins", "other.plugins"),
        ('tiny = "zoo_tiny.plugin"', 'tiny = "zoo_tiny.plugin"\nmore = "zoo_tiny.more"'),
        ('name = "zoo-tiny"', "name = 3"),
        ('dependencies = ["keras>=3", "zoo-core>=0.1,<9"]', "dependencies = 3"),
        ('description = "The tiny plugin"', "description = 3"),
        ("[project]", "[project"),
    ],
)
def test_a_project_that_is_not_one_plugin_s_is_an_error(checkout: Path, old: str, new: str) -> None:
    project = checkout / "plugins" / "tiny" / "pyproject.toml"
    project.write_text(project.read_text().replace(old, new))
    with pytest.raises(RegistryError, match=r"tiny/pyproject.toml"):
        registry_entries.build(checkout)


def test_a_plugin_without_a_manifest_cannot_be_registered(checkout: Path) -> None:
    (checkout / "plugins" / "tiny" / "zoo_tiny" / manifests.FILE_NAME).unlink()
    with pytest.raises(RegistryError, match=r"tiny.*zoo-plugin.toml.*zoo manifest update"):
        registry_entries.build(checkout)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("schema = 1\n\n[[plugins]]", "schema = 2\n\n[[plugins]]", "schema: is not the 1"),
        ('path = "plugins/tiny"', 'path = "../elsewhere"', "path: '../elsewhere' is not a folder beside"),
        ('path = "plugins/tiny"', 'path = "/elsewhere"', "is not a folder beside"),
        ('path = "plugins/tiny"', "", 'should have a "path"'),
        ('path = "plugins/tiny"', 'path = "a"\nindex = "https://example.org"', 'should have a "path"'),
        ('path = "plugins/tiny"', 'wheel = "https://example.org/a.whl"', 'should have a "path"'),
        ('path = "plugins/tiny"', 'wheel = "http://example.org/a.whl"', "is not an https:// address"),
        ('path = "plugins/tiny"', f'path = "a"\nsha256 = "{"0" * 64}"', 'should have a "path"'),
        ('distribution = "zoo-tiny"', 'distribution = "--index-url=x"', "is not a distribution's name"),
        ('distribution = "zoo-tiny"', "", "lacks distribution"),
        ('version = "1.2"', 'version = "1.2; rm -rf"', "is not a version"),
        ('plugin = "tiny"', 'plugin = "apple"', "plugin apple is there twice"),
        ('task = "testing"', "task = 3", "task: should be text"),
        ("schema = 1\n\n[[plugins]]", "schema = 1\nextra = 1\n\n[[plugins]]", "unknown key 'extra'"),
    ],
)
def test_whatever_is_wrong_in_a_registry_is_named(checkout: Path, old: str, new: str, complaint: str) -> None:
    text = registry_entries.build(checkout)
    first, _, second = text.rpartition("[[plugins]]")
    changed = text.replace(old, new) if old not in second else f"{first}[[plugins]]{second.replace(old, new)}"
    assert changed != text
    with pytest.raises(RegistryError) as caught:
        registry_file.read(written(checkout, changed))
    assert complaint in str(caught.value)
    assert "registry.toml" in str(caught.value)


@pytest.mark.parametrize(
    ("written_as", "source"),
    [
        ('index = "https://example.org/simple"', Source("index", "https://example.org/simple")),
        (
            f'wheel = "https://example.org/a.whl"\nsha256 = "{"a" * 64}"',
            Source("wheel", "https://example.org/a.whl", "a" * 64),
        ),
    ],
)
def test_a_plugin_may_come_from_a_wheel_or_an_index(checkout: Path, written_as: str, source: Source) -> None:
    text = registry_entries.build(checkout).replace('path = "plugins/tiny"', written_as)
    assert registry_file.read(written(checkout, text))[1].source == source


def test_the_registry_is_the_one_that_is_named_else_the_package_s_own_else_the_checkout_s(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "zoo_core"
    package.mkdir()
    monkeypatch.setattr(paths, "__file__", str(package / "paths.py"))
    monkeypatch.delenv("ZOO_REGISTRY", raising=False)
    (tmp_path / "registry.toml").write_text("")
    assert paths.registry_path() is None
    (tmp_path / "pyproject.toml").write_text("")
    assert paths.registry_path() == tmp_path / "registry.toml"
    (package / "registry.toml").write_text("")
    assert paths.registry_path() == package / "registry.toml"
    monkeypatch.setenv("ZOO_REGISTRY", "~/mine.toml")
    assert paths.registry_path() == Path.home() / "mine.toml"


def test_the_cache_folder_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ZOO_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert paths.cache_dir() == Path.home() / ".cache" / "zoo"
    monkeypatch.setattr("sys.platform", "darwin")
    assert paths.cache_dir() == Path.home() / "Library" / "Caches" / "zoo"
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert paths.cache_dir() == Path("/caches/zoo")
    monkeypatch.setenv("ZOO_HOME", "~/zoo")
    assert paths.cache_dir() == Path.home() / "zoo"
