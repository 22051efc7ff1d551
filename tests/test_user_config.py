"""The user's settings: where they are, what may stand in them, and what happens where they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo_core import user_config
from zoo_core.errors import ConfigError
from zoo_core.user_config import Mirror, RegistryLocation, UserConfig

FULL = UserConfig(
    (RegistryLocation("acme", "https://zoo.example.org/registry.toml"), RegistryLocation("lab", "/srv/registry.toml")),
    (Mirror("hub", "https://mirror.example.org"), Mirror("modelscope"), Mirror("folder", "http://127.0.0.1:80/w")),
    ("https://hub.example.org", "http://localhost:8080"),
)


@pytest.fixture(autouse=True)
def config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings' file of this test; it isn't there yet."""
    monkeypatch.setenv("ZOO_CONFIG", str(tmp_path / "deeper" / "config.toml"))
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "deeper" / "config.toml"


def written(file: Path, text: str) -> None:
    file.parent.mkdir(exist_ok=True)
    file.write_text(text)


def test_without_a_file_nothing_is_set() -> None:
    assert user_config.read() == UserConfig()


@pytest.mark.parametrize("config", [UserConfig(), FULL])
def test_what_is_written_reads_back(config: UserConfig, config_file: Path) -> None:
    user_config.write(config)
    assert user_config.read() == config
    assert user_config.read() == config, "from what is remembered"
    assert [path.name for path in config_file.parent.iterdir()] == ["config.toml"]


def test_what_was_changed_by_hand_is_seen(config_file: Path) -> None:
    user_config.write(FULL)
    user_config.read()
    written(config_file, "schema = 1\n")
    assert user_config.read() == UserConfig()


def test_a_location_is_a_path_or_an_address() -> None:
    assert [registry.is_path for registry in FULL.registries] == [False, True]


REGISTRY = '[[registries]]\nname = "{}"\nlocation = "{}"\n'
MIRROR = '[[mirrors]]\nkind = "{}"\nurl = "{}"\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "lacks schema"),
        ("schema = 2", "schema: is not the 1"),
        ("schema = 1\nregistry = 1", "unknown key 'registry'"),
        ("schema = [", "not valid TOML"),
        ('schema = 1\nregistries = "x"', "registries: should be a list"),
        ("schema = 1\ntrusted-endpoints = 3", "trusted-endpoints: should be a list of addresses"),
        ('schema = 1\ntrusted-endpoints = ["ftp://a"]', "trusted-endpoints: number 1: 'ftp://a' is not"),
        ("schema = 1\n[[registries]]\nname = 'a'", "registries: number 1: lacks location"),
        ("schema = 1\n" + REGISTRY.format("A b", "/x"), "name: 'A b' is not a name"),
        ("schema = 1\n" + REGISTRY.format("zoo", "/x"), "name: 'zoo' is not a name"),
        ("schema = 1\n" + REGISTRY.format("../x", "/x"), "name: '../x' is not a name"),
        ("schema = 1\n" + REGISTRY.format("a", "relative/path"), "location: 'relative/path' is not"),
        ("schema = 1\n" + REGISTRY.format("a", "http://example.org"), "location: 'http://example.org' is not"),
        ("schema = 1\n" + REGISTRY.format("a", "https://me:secret@example.org"), "location: may not hold a user name"),
        ("schema = 1\n" + REGISTRY.format("a", "https://example.org:port"), "location"),
        ("schema = 1\n" + REGISTRY.format("a", "https://[1/x"), "location"),
        ("schema = 1\n" + REGISTRY.format("a", "https:///x"), "location"),
        ("schema = 1\n" + 2 * REGISTRY.format("a", "/x"), "registry a is there twice"),
        ("schema = 1\n" + MIRROR.format("ftp", "https://a"), "kind: 'ftp' is not one of hub, modelscope, folder"),
        ("schema = 1\n" + MIRROR.format("hub", "http://example.org"), "url: 'http://example.org' is not"),
        ('schema = 1\n[[mirrors]]\nkind = "hub"', "mirrors: number 1: lacks url"),
    ],
)
def test_whatever_is_wrong_is_named_with_the_file(config_file: Path, text: str, complaint: str) -> None:
    written(config_file, text)
    with pytest.raises(ConfigError) as caught:
        user_config.read()
    assert str(config_file) in caught.value.message
    assert complaint in caught.value.message
    assert "secret" not in caught.value.message
    assert user_config.read_or_empty() == UserConfig()


def test_a_link_to_nowhere_is_not_taken_for_no_settings(config_file: Path) -> None:
    config_file.parent.mkdir()
    config_file.symlink_to("nowhere")
    with pytest.raises(ConfigError, match="cannot be read"):
        user_config.read()


def test_a_place_that_cannot_be_written_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ZOO_CONFIG", str(tmp_path / "file" / "config.toml"))
    with pytest.raises(ConfigError, match=r"cannot be written.*set ZOO_CONFIG"):
        user_config.write(FULL)


def test_the_file_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_CONFIG", "~/mine.toml")
    assert user_config.path() == Path.home() / "mine.toml"
    monkeypatch.delenv("ZOO_CONFIG")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/settings")
    assert user_config.path() == Path("/settings/zoo/config.toml")
    monkeypatch.delenv("XDG_CONFIG_HOME")
    assert user_config.path() == Path.home() / ".config" / "zoo" / "config.toml"
