"""Being listed: the entry of a plugin that is kept elsewhere, out of its wheel; it stays when the registry is built."""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.conftest import MANIFEST
from tests.projects import write_project, write_wheel
from zoo_core import manifest as manifests
from zoo_core import registry_entries, registry_file
from zoo_core.cli import main
from zoo_core.errors import InstallError, ManifestError, RegistryError, UsageError, ZooError
from zoo_core.files import sha256_of_file
from zoo_core.records import Source

FOLDER = "https://example.org/wheels/"


def address(wheel: Path) -> str:
    return f"{FOLDER}{wheel.name}"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the plugin `tiny` and a current registry."""
    write_project(tmp_path)
    (tmp_path / "registry.toml").write_text(registry_entries.build(tmp_path))
    return tmp_path


def test_an_entry_is_what_its_wheel_says(tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, "guest", "2.1")
    plugin = registry_entries.entry(wheel, address(wheel))
    assert (plugin.name, plugin.distribution, plugin.version) == ("guest", "zoo-guest", "2.1")
    assert (plugin.summary, plugin.requires_core) == ("A tiny plugin", ">=0.1")
    assert plugin.source == Source("wheel", address(wheel), sha256_of_file(wheel))
    text = MANIFEST.replace("{name}", "guest").replace("{package}", "zoo_guest").replace("{hash}", "0" * 64)
    assert plugin.manifest == manifests.parse(text, "here")
    (read,) = registry_file.parse(f"schema = 1\n{registry_entries.render(plugin)}".encode(), "here")
    assert read == plugin


def test_an_entry_that_is_written_stays_when_the_registry_is_built(
    checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = write_wheel(checkout, "guest")
    assert main(["registry", "entry", str(wheel), "--url", address(wheel)]) == 0
    printed = capsys.readouterr().out
    assert main(["registry", "check", str(checkout)]) == 0
    assert main(["registry", "entry", str(wheel), "--url", address(wheel), "--write", "--root", str(checkout)]) == 0
    written = (checkout / "registry.toml").read_text()
    assert written.endswith(printed)
    assert [plugin.name for plugin in registry_file.read(checkout / "registry.toml")] == ["tiny", "guest"]
    assert registry_entries.build(checkout) == written
    assert main(["registry", "check", str(checkout)]) == 0


def test_a_new_version_takes_the_place_of_the_last_one(checkout: Path) -> None:
    for version in ("1.0", "1.1"):
        wheel = write_wheel(checkout, "guest", version)
        plugin = registry_entries.entry(wheel, address(wheel))
        (checkout / "registry.toml").write_text(registry_entries.with_entry(checkout, plugin))
    assert [plugin.version for plugin in registry_file.read(checkout / "registry.toml")] == ["1.0", "1.1"]


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("http://example.org/zoo_guest-1.0-py3-none-any.whl", "is no https:// address"),
        ("https://example.org/", "does not end with the wheel's name"),
        ("https://example.org/zoo_guest-1.1-py3-none-any.whl", "does not end with the wheel's name"),
    ],
)
def test_an_address_that_is_not_the_wheels_is_refused(tmp_path: Path, url: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        registry_entries.entry(write_wheel(tmp_path, "guest"), url)


def test_what_cannot_be_an_entry_says_why(tmp_path: Path) -> None:
    with pytest.raises(InstallError, match="does not exist"):
        registry_entries.entry(tmp_path / "nowhere.whl", "https://example.org/another.whl")
    wheel = write_wheel(tmp_path, "guest", manifest=None)
    with pytest.raises(InstallError, match=r"zoo_guest/zoo-plugin\.toml is not in it.*zoo manifest update"):
        registry_entries.entry(wheel, address(wheel))
    wheel = write_wheel(tmp_path, "guest", manifest=MANIFEST.replace('plugin = "{name}"', 'plugin = "another"'))
    with pytest.raises(RegistryError, match="its manifest is of 'another', its entry point 'guest'"):
        registry_entries.entry(wheel, address(wheel))
    wheel = write_wheel(tmp_path, "guest", manifest="schema = 99")
    with pytest.raises(ManifestError, match="schema 99 is not the 1"):
        registry_entries.entry(wheel, address(wheel))
    wheel = write_wheel(tmp_path, "guest", manifest="#" * 2_000_000)
    with pytest.raises(ManifestError, match="larger than 1000000 bytes"):
        registry_entries.entry(wheel, address(wheel))
    with ZipFile(wheel, "w") as empty:
        empty.writestr("nothing", "")
    with pytest.raises(InstallError, match="no wheel that can be read"):
        registry_entries.entry(wheel, address(wheel))


@pytest.mark.parametrize(
    ("name", "distribution", "complaint"),
    [
        ("tiny", "zoo-guest", "plugin tiny is there twice"),
        ("guest", "Zoo_Tiny", "two plugins are called 'zoo-tiny'"),
        ("t1ny", "zoo-t1ny", "'t1ny' looks like 'tiny'"),
        ("doctor", "zoo-doctor", "'doctor' is the name of a command"),
    ],
)
def test_no_entry_may_take_anothers_name(name: str, distribution: str, complaint: str, checkout: Path) -> None:
    wheel = write_wheel(checkout, "guest")
    entry = registry_entries.render(registry_entries.entry(wheel, address(wheel)))
    entry = entry.replace('plugin = "guest"', f'plugin = "{name}"').replace("zoo-guest", distribution)
    path = checkout / "registry.toml"
    path.write_text(f"{path.read_text()}\n{entry}")
    with pytest.raises(ZooError, match=complaint):
        registry_entries.check(checkout)


@pytest.mark.parametrize(
    ("old", "new"), [('sha256 = "', 'sha256 = "x'), ("https://", "http://"), ("[plugins.source]", "<<<<<<< HEAD")]
)
def test_a_malformed_entry_fails_the_check_and_is_not_dropped_by_building(
    old: str, new: str, checkout: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel = write_wheel(checkout, "guest")
    path = checkout / "registry.toml"
    entry = registry_entries.render(registry_entries.entry(wheel, address(wheel)))
    path.write_text(path.read_text() + "\n" + entry.replace(old, new))
    before = path.read_text()
    for command in ("check", "build"):
        assert main(["registry", command, str(checkout)]) == 1
        assert "registry.toml" in capsys.readouterr().err
    assert path.read_text() == before


def test_an_entry_that_was_edited_fails_the_check(checkout: Path) -> None:
    wheel = write_wheel(checkout, "guest")
    path = checkout / "registry.toml"
    text = registry_entries.with_entry(checkout, registry_entries.entry(wheel, address(wheel)))
    path.write_text(text.replace("[plugins.source]", "# looks good to me\n[plugins.source]"))
    with pytest.raises(RegistryError, match="is stale"):
        registry_entries.check(checkout)
