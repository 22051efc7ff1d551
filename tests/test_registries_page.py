"""docs/registries.md is true: its commands are typed, its files are read, and what it shows is what is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import FakePlugins
from tests.pages import blocks, words_of
from tests.projects import write_wheel
from tests.web_server import WebServer, running
from zoo_core import known_registries, registry_file, user_config
from zoo_core.cli import main
from zoo_core.user_config import Mirror, RegistryLocation, UserConfig

PAGE = Path(__file__).resolve().parents[1] / "docs" / "registries.md"
PUBLIC = "https://example.org"
MANIFEST = """\
schema = 1
plugin = "guest"
[[models]]
name = "guest"
target = "zoo_guest.models:Guest"
task = "testing"
summary = "A tiny model"
"""


def page_of(language: str) -> list[str]:
    return [block.text for block in blocks(PAGE.read_text(encoding="utf-8"), language)]


@pytest.fixture
def server(only_fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebServer]:
    """A server with the page's registry, in place of example.org; the wheel of its plugin is in this folder."""
    monkeypatch.chdir(tmp_path)
    write_wheel(tmp_path, "guest", manifest=MANIFEST)
    with running() as started:
        started.page("/registry.toml", page_of("toml")[0].replace(PUBLIC, started.address))
        yield started


def test_its_commands_do_what_it_says(server: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    shown: dict[str, str] = {}
    lines = [line for text in page_of("console") for line in text.splitlines()]
    for line in lines:
        local = line.replace(PUBLIC, server.address) if "registry add" in line else line
        assert main(words_of(local)[1:]) == 0, line
        captured = capsys.readouterr()
        shown[line] = captured.out + captured.err
    assert "available (example)" in shown["zoo list"]
    assert "source    wheel http" in shown["zoo info guest"]
    assert "lists 0 plugins and 0 presets" in shown["zoo freeze --output zoo.lock"]
    assert user_config.read() == UserConfig()
    entry = next(text for line, text in shown.items() if line.startswith("zoo registry entry"))
    typed, _, _ = entry.partition("sha256 = ")
    assert typed in page_of("toml")[0]
    assert typed.count("\n") > 10


def test_installing_shows_what_it_shows(server: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    known_registries.add(known_registries.look(f"{server.address}/registry.toml", "example"))
    assert main(["install", "guest"]) == 2
    shown = capsys.readouterr().err.replace(server.address, PUBLIC).splitlines()
    expected = page_of("text")[0].splitlines()
    assert shown[:3] == expected[:3]
    beginning, _, _ = expected[3].partition("sha256=")
    assert beginning.removeprefix("python -m pip install ") in shown[3]


def test_the_settings_it_shows_are_read(only_fake_plugins: FakePlugins) -> None:
    only_fake_plugins.write("../config.toml", page_of("toml")[1])
    assert user_config.read() == UserConfig(
        (
            RegistryLocation("example", "https://example.org/registry.toml"),
            RegistryLocation("lab", "/srv/zoo/registry.toml"),
        ),
        (
            Mirror("hub", "https://mirror.example.org"),
            Mirror("folder", "https://files.example.org/weights"),
            Mirror("modelscope"),
        ),
        ("https://hub.example.org",),
    )


def test_the_registry_it_shows_is_one() -> None:
    (plugin,) = registry_file.parse(page_of("toml")[0].encode(), "the page")
    assert (plugin.name, plugin.distribution, plugin.version) == ("guest", "zoo-guest", "1.0")
