"""Looking around is light: with a hundred plugins, nothing heavy is imported and no plugin's code is run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.startup import install
from tests.conftest import FakePlugins
from tests.projects import entry, write_project
from zoo_core import user_config
from zoo_core.user_config import RegistryLocation, UserConfig

HEAVY = ("keras", "tensorflow", "jax", "torch", "numpy")
HELP = [
    ["--help"],
    *([command, "--help"] for command in ("list", "info", "pull", "remove", "install", "uninstall", "components")),
    *([command, "--help"] for command in ("train", "evaluate", "publish", "freeze", "check", "doctor", "cache", "new")),
    *([command, "--help"] for command in ("manifest", "registry")),
    *(["cache", command, "--help"] for command in ("list", "verify", "prune")),
    *([group, "check", "--help"] for group in ("manifest", "registry")),
    *(["manifest", "update", "--help"], ["registry", "build", "--help"]),
    *(["registry", command, "--help"] for command in ("list", "add", "remove", "update", "entry")),
    *(["plugin042", "--help"], ["plugin042", "hello", "--help"], ["heavy", "--help"], ["raising", "--help"]),
]
LOOKING = [
    ["list"],
    ["list", "--json"],
    ["list", "model", "--installed", "--task", "testing"],
    ["info", "plugin007"],
    ["info", "plugin007/Doubler", "--json"],
    ["info", "raising", "--json"],
    ["pull", "plugin007", "--dry-run"],
    ["pull", "distant", "--dry-run"],
    ["info", "guest"],
    ["install", "guest", "--dry-run"],
    ["registry", "list"],
    ["components"],
    ["components", "layers", "--json"],
]
COMPLETIONS = ["zoo ", "zoo inf", "zoo info ", "zoo info plugin00", "zoo components ", "zoo plugin042 ", "zoo heavy "]
SCRIPT = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
from zoo_core.cli import main
report = {}
for arguments in json.loads(sys.argv[1]):
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        status = main(arguments)
    report[" ".join(arguments)] = [status, out.getvalue() or err.getvalue()]
os.environ["_ZOO_COMPLETE"] = "complete_bash"
for line in json.loads(sys.argv[2]):
    words = line.split(" ")
    os.environ.update(COMP_WORDS=line, COMP_CWORD=str(len(words) - 1))
    with redirect_stdout(io.StringIO()) as out:
        status = main([])
    report[line] = [status, out.getvalue()]
heavy = sorted({name.partition(".")[0] for name in sys.modules} & set(sys.argv[3].split()))
plugins = sorted(name for name in sys.modules if name.startswith("zoo_") and not name.startswith("zoo_core"))
print(json.dumps({"heavy": heavy, "plugins": plugins, "report": report}))
"""


@pytest.fixture
def many(fake_plugins: FakePlugins, tmp_path: Path) -> Iterator[FakePlugins]:
    """A hundred plugins, one that imports tensorflow at its top, one that raises, and one that is not installed."""
    fake_plugins.add_many(100)
    fake_plugins.add_heavy()
    fake_plugins.add_broken("raises on import", "raising")
    write_project(tmp_path, "distant")
    source = 'path = "plugins/distant"'
    fake_plugins.write("../registry.toml", f"schema = 1\n{entry('distant', source)}")
    # Read from its copy: nobody is at this address.
    index = 'index = "https://example.invalid/simple"'
    fake_plugins.write("../zoo-home/registries/theirs.toml", f"schema = 1\n{entry('guest', index)}")
    location = RegistryLocation("theirs", "https://example.invalid/registry.toml")
    user_config.write(UserConfig(registries=(location,)))
    return fake_plugins


def test_looking_around_imports_nothing_heavy_and_no_plugin(many: FakePlugins) -> None:
    commands = [*LOOKING, *(each for each in HELP if "hello" not in each)]
    done = many.python("-c", SCRIPT, json.dumps(commands), json.dumps(COMPLETIONS), " ".join(HEAVY))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["heavy"], found["plugins"]) == ([], [])
    failed = {command: text for command, (status, text) in found["report"].items() if status}
    assert list(failed) == ["raising --help"]
    assert "RuntimeError: on purpose" in failed["raising --help"]


def test_a_plugins_own_help_imports_that_plugin_alone(many: FakePlugins) -> None:
    done = many.python("-c", SCRIPT, json.dumps([["plugin042", "hello", "--help"]]), "[]", " ".join(HEAVY))
    found = json.loads(done.stdout)
    assert (found["heavy"], found["plugins"]) == ([], ["zoo_plugin042", "zoo_plugin042.plugin"])
    assert "Say hello." in found["report"]["plugin042 hello --help"][1]


def test_the_benchmarks_plugins_are_listed_as_good_ones(tmp_path: Path, fake_plugins: FakePlugins) -> None:
    for number in range(3):
        install(fake_plugins.folder, f"plugin{number:03}")
    done = fake_plugins.python("-m", "zoo_core", "list", "plugin", "--json")
    rows = [row for row in json.loads(done.stdout) if row["plugin"].startswith("plugin")]
    assert [(row["name"], row["broken"]) for row in rows] == [(f"plugin{number:03}", None) for number in range(3)]
