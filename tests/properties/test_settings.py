"""The user's settings, damaged in any way: one error, or settings that come back as they were."""

from __future__ import annotations

import pytest
from hypothesis import given

from tests.properties import hostile
from tests.properties.profiles import examples
from tests.properties.shown import assert_shown_safely
from tests.properties.watch import attempt
from zoo_core import memory, user_config
from zoo_core.errors import ConfigError

VALID = """\
schema = 1
trusted-endpoints = ["https://example.org", "http://localhost:8000/x"]
[[registries]]
name = "lab"
location = "https://example.org/registry.toml"
[[registries]]
name = "mine"
location = "/home/me/registry.toml"
[[mirrors]]
kind = "hub"
url = "https://mirror.example.org"
[[mirrors]]
kind = "modelscope"
[[mirrors]]
kind = "folder"
url = "https://example.org/weights"
"""
PIECES = hostile.encoded(
    (
        *hostile.TEXTS,
        *('"https://me:secret@example.org"', '"https://[::1]/x"', '"https://[::1/x"', '"https://example.org:99999"'),
        *(
            '"http://example.org"',
            '"http://127.0.0.1"',
            '"ftp://example.org"',
            '"https://\\u0430pple.com"',
            "[[mirrors]]\n",
        ),
        *('"/etc/passwd"', '"../x"', '"~/x"', '"zoo"', 'url = ""\n', 'kind = "hub"\n', "a." * 300, "[" * 300),
    )
)


@pytest.fixture(scope="module")
def settings_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("settings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_CONFIG", str(folder / "config.toml"))
        patch.setenv("ZOO_HOME", str(folder / "home"))
        patch.setattr(memory, "save", lambda *_: None)  # what is remembered has a test of its own
        yield folder / "config.toml"


@examples(deep=50_000)
@given(hostile.spliced((VALID.encode(), b"schema = 1\n"), PIECES))
def test_settings_cut_and_pasted(settings_file, content):
    settings_file.write_bytes(content)
    config = attempt(ConfigError, user_config.read, folder=settings_file.parent)
    if config is not None:
        assert_shown_safely(config)
        settings_file.write_text(user_config.render(config), encoding="utf-8")
        assert user_config.read() == config
        for address in (*config.trusted_endpoints, *(mirror.url for mirror in config.mirrors if mirror.url)):
            assert address.startswith(("https://", "http://localhost", "http://127.0.0.1", "http://[::1]"))
            assert "@" not in address.partition("://")[2].partition("/")[0]
