"""What `zoo` prints of a registry by strangers: lines that a terminal shows as they are, and JSON that is JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import hostile
from tests.properties.profiles import examples
from tests.properties.shown import assert_shown_safely
from tests.properties.test_registries import MORE_PIECES, PIECES, REGISTRY
from zoo_core import memory
from zoo_core.cli import main

COMMANDS = (
    ("list",),
    ("list", "--json"),
    ("components",),
    ("info", "glow"),
    ("info", "glow", "--json"),
    ("info", "glow/ActNorm"),
    ("doctor", "--help"),
    ("pull", "tiny", "--dry-run"),
)


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shown")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZOO_REGISTRY", str(folder / "registry.toml"))
        patch.setenv("ZOO_CONFIG", str(folder / "config.toml"))
        patch.setenv("ZOO_HOME", str(folder / "home"))
        patch.setenv("HF_HOME", str(folder / "huggingface"))
        patch.setattr("zoo_core.installed.plugin_distributions", lambda: iter(()))
        patch.setattr(memory, "save", lambda *_: None)
        yield folder / "registry.toml"


def assert_printed_safely(capsys, arguments):
    capsys.readouterr()
    status = main(arguments)
    out, err = capsys.readouterr()
    assert status in (0, 1, 2)
    assert_shown_safely((out + err).split("\n"))
    assert "Traceback" not in err
    if "--json" in arguments and status == 0:
        json.loads(out)


@examples(deep=4_000, few=40)
@given(hostile.spliced((REGISTRY.encode(),), (*PIECES, *MORE_PIECES), most=1), st.sampled_from(COMMANDS))
def test_what_is_printed_of_a_registry_is_safe(registry, capsys, content, arguments):
    registry.write_bytes(content)
    assert_printed_safely(capsys, arguments)


@examples(deep=6_000, few=60)
@given(
    st.lists(hostile.texts, max_size=2),
    st.sampled_from(("", "info", "pull", "list", "remove", "install", "components")),
)
def test_what_is_printed_of_a_malformed_command_is_safe(registry, capsys, words, command):
    registry.write_text(REGISTRY, encoding="utf-8")
    arguments = [word for word in words if not word.startswith(("-", "/", ".", "~"))]
    assert_printed_safely(capsys, [command, *arguments] if command else arguments)
