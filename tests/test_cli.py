"""The command line: what each command prints, the shapes of its JSON, and what it says when it is used wrongly."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import BROKEN, MANIFEST, FakePlugins
from tests.projects import entry, write_project
from zoo_core.cli import main
from zoo_core.cli.app import COMMANDS
from zoo_core.names import RESERVED


def add_with_weights(plugins: FakePlugins) -> Path:
    """Install the plugin `tiny` with the files of its preset; their folder."""
    contents = {"config.json": b'{"schema": 1, "model": "tiny/tiny", "arguments": {}}', "model.safetensors": b"weights"}
    manifest = MANIFEST.partition("[[presets.files]]")[0]
    for name, content in contents.items():
        digest = hashlib.sha256(content).hexdigest()
        manifest += f'[[presets.files]]\nname = "{name}"\nsize = {len(content)}\nsha256 = "{digest}"\n'
    folder = plugins.add("tiny", manifest=manifest) / "presets" / "tiny-first"
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return folder


HEX = re.compile(r"[0-9a-f]{64}")
Captured = pytest.CaptureFixture[str]
LEAVES = [
    *(name for name in COMMANDS if name not in ("cache", "manifest", "registry")),
    *("cache list", "cache verify", "cache prune", "manifest update", "manifest check"),
    *("registry list", "registry add", "registry remove", "registry update"),
    *("registry entry", "registry build", "registry check"),
]


def zoo(capsys: Captured, *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def document(capsys: Captured, *arguments: str) -> Any:
    status, out, err = zoo(capsys, *arguments)
    assert status == 0, err
    return json.loads(out)


def test_all_our_commands_are_names_that_no_plugin_may_have() -> None:
    assert set(COMMANDS) <= RESERVED


@pytest.mark.parametrize("command", LEAVES)
def test_every_commands_help_has_an_example_that_names_it(command: str, capsys: Captured) -> None:
    status, out, _ = zoo(capsys, *command.split(), "--help")
    assert status == 0
    assert re.search(rf"Examples?:\n +zoo {command}", out)


@pytest.mark.parametrize("group", ["", "cache", "manifest", "registry", "tiny"])
def test_every_groups_help_has_an_example(group: str, only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    only_fake_plugins.add("tiny")
    status, out, _ = zoo(capsys, *group.split(), "--help")
    assert status == 0
    assert re.search(rf"Examples?:\n +zoo {group}", out)


@pytest.mark.parametrize("arguments", [(), ("cache",), ("tiny",)])
def test_a_group_without_a_command_shows_its_help(
    arguments: tuple[str, ...], only_fake_plugins: FakePlugins, capsys: Captured
) -> None:
    only_fake_plugins.add("tiny")
    status, out, _ = zoo(capsys, *arguments)
    assert status == 0
    assert out.startswith(f"Usage: {' '.join(('zoo', *arguments))} [OPTIONS] COMMAND")


def test_the_version_is_shown(capsys: Captured) -> None:
    from zoo_core.version import __version__

    assert zoo(capsys, "--version") == (0, f"zoo-core {__version__}\n", "")


def test_list_as_json_has_a_row_per_model(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    only_fake_plugins.add("tiny")
    preset = {
        "variant": "first",
        "size": 4996,
        "license": "Apache-2.0",
        "pulled": False,
        "metrics": {"bits_per_dim": 1.25},
    }
    assert document(capsys, "list", "--json") == [
        {
            "name": "tiny",
            "plugin": "tiny",
            "task": "testing",
            "summary": "A tiny model",
            "installed": True,
            "compatible": True,
            "broken": None,
            "registry": None,
            "presets": [preset],
        }
    ]


def test_list_keeps_what_has_all_words_and_the_task(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.add("large", manifest=MANIFEST.replace("A tiny model", "A big model"))
    assert [row["name"] for row in document(capsys, "list", "MODEL", "big", "--json")] == ["large"]
    assert [row["name"] for row in document(capsys, "list", "--task", "testing", "--json")] == ["large", "tiny"]
    assert document(capsys, "list", "--task", "elsewhere", "--json") == []
    assert zoo(capsys, "list", "nothing like it") == (0, "", "No model matches.\n")


def test_list_says_where_to_get_what_is_not_installed(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    only_fake_plugins.write("../registry.toml", f"schema = 1\n{entry('distant')}")
    assert [row["installed"] for row in document(capsys, "list", "--json")] == [False]
    assert document(capsys, "list", "--installed", "--json") == []
    assert "available" in zoo(capsys, "list")[1]
    status, _, err = zoo(capsys, "distant", "hello")
    assert (status, err) == (1, "zoo: plugin 'distant' is not installed (zoo install distant)\n")


def test_piped_tables_are_aligned_plain_text(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.add("a-much-longer-name")
    _, out, _ = zoo(capsys, "list")
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == ["MODEL", "a-much-longer-name", "tiny"]
    assert len({line.index("testing") for line in lines[1:]} | {lines[0].index("TASK")}) == 1
    assert "\x1b" not in out


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_is_a_row_with_its_reason_and_the_others_work(
    kind: str, only_fake_plugins: FakePlugins, capsys: Captured
) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.add_broken(kind, "mishap")
    rows = document(capsys, "list", "--json")
    reasons = {row["broken"] for row in rows if row["plugin"] == "mishap"}
    assert all(reason and BROKEN[kind][1] in reason for reason in reasons)
    assert reasons
    assert [row["broken"] for row in rows if row["plugin"] == "tiny"] == [None]
    assert zoo(capsys, "tiny", "hello") == (0, "hello from tiny\n", "")
    status, out, err = zoo(capsys, "mishap", "hello")
    assert (status, out, err.count("\n")) == (1, "", 1)


def test_escapes_in_a_plugins_texts_do_not_reach_the_terminal(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    text = MANIFEST.replace("Say hello.", "\\u001b[31mSay\\u202e hello.")
    only_fake_plugins.add("tiny", summary="\x1b]0;owned\x07A \x1b[2Jplugin", manifest=text)
    for arguments in (("list",), ("info", "tiny"), ("--help",), ("tiny", "--help"), ("doctor",)):
        _, out, err = zoo(capsys, *arguments)
        assert not re.search("[\x1b\x07\u202e]", out + err)


def test_info_as_json_adds_all_that_is_known(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    only_fake_plugins.add("tiny")
    found = document(capsys, "info", "tiny", "--json")
    assert found["class"] == "zoo_tiny.parts:Tiny"
    assert found["recipe"] == "zoo_tiny.parts:Recipe"
    assert (found["paper"], found["variant"], found["parameters"]) == ("arXiv:0000.00000", "first", 1234)
    assert [file["name"] for file in found["files"]] == ["config.json", "model.safetensors"]
    assert all(HEX.fullmatch(file["sha256"]) and file["size"] > 0 for file in found["files"])
    component = {"kind": "layers", "name": "Doubler", "plugin": "tiny", "summary": "Doubles its input."}
    assert found["components"] == [component]
    assert found["presets"][0]["files"] == found["files"]
    (listed,) = document(capsys, "list", "--json")
    del listed["presets"]
    assert listed.items() <= found.items()


def test_info_shows_measurements_with_their_errors(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    measured = "bits_per_dim = 1.25\nbits_per_dim_standard_error = 0.00863\nblurred = 3"
    only_fake_plugins.add("tiny", manifest=MANIFEST.replace("bits_per_dim = 1.25", measured))
    assert "bits_per_dim 1.25 ± 0.009, blurred 3\n" in zoo(capsys, "info", "tiny")[1]


def test_info_of_a_component_and_of_a_broken_plugin(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.add_broken("bad manifest", "mishap")
    assert document(capsys, "info", "tiny/Doubler", "--json")["class"] == "zoo_tiny.parts:Doubler"
    assert "not valid TOML" in document(capsys, "info", "mishap", "--json")["broken"]
    assert "broken" in zoo(capsys, "info", "mishap")[1]


def test_info_of_a_plugins_name_is_about_its_model_only_where_there_is_one(
    only_fake_plugins: FakePlugins, capsys: Captured
) -> None:
    second = '[[models]]\nname = "second"\ntarget = "{package}.parts:Tiny"\ntask = "testing"\n\n[[commands]]'
    two = MANIFEST.replace("[[commands]]", second, 1).replace('name = "{name}"\ntarget', 'name = "first"\ntarget')
    only_fake_plugins.add("both", manifest=two.replace('model = "{name}"', 'model = "first"'))
    found = document(capsys, "info", "both", "--json")
    assert [model["name"] for model in found["models"]] == ["first", "second"]
    only_fake_plugins.add("second")
    status, _, err = zoo(capsys, "info", "second")
    assert (status, "'both/second', 'second/second'" in err) == (1, True)


def test_info_of_an_unknown_name_suggests_the_nearest(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    only_fake_plugins.add("tiny")
    status, out, err = zoo(capsys, "info", "tyny")
    assert (status, out, err) == (1, "", "zoo: no model 'tyny', did you mean 'tiny'? (zoo list)\n")


def test_components_as_json(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    only_fake_plugins.add("tiny")
    row = {"kind": "layers", "name": "Doubler", "plugin": "tiny", "summary": "Doubles its input."}
    assert document(capsys, "components", "--json") == [row]
    assert document(capsys, "components", "layers", "--json") == [row]
    assert document(capsys, "components", "losses", "--json") == []
    status, _, err = zoo(capsys, "components", "layer")
    assert status == 2
    assert "did you mean 'layers'?" in err


def test_an_unknown_command_or_option_is_one_line_and_status_two(
    only_fake_plugins: FakePlugins, capsys: Captured
) -> None:
    only_fake_plugins.add("tiny")
    wrong = {
        ("lst",): "zoo: 'lst' is neither a command nor a plugin, did you mean 'list'? (zoo --help)",
        ("list", "--instaled"): "zoo: No such option: --instaled (Possible options: --installed) (zoo list --help)",
        ("info",): "zoo: Missing argument 'NAME' (zoo info --help)",
        ("tiny", "helo"): "zoo: No such command 'helo'. Did you mean 'hello'? (zoo tiny --help)",
        ("info", "a b c"): "zoo: 'a b c' is not a name",
        ("info", "./a"): "zoo: './a' is not a name but a path (names look like",
        ("info", "https://hf.co/a/b"): "zoo: 'https://hf.co/a/b' is not a name (what is on the Hub is hf://",
        ("train", "tiny", "--set", "epochs"): "zoo: --set epochs: a setting is written NAME=VALUE",
        ("evaluate", "tiny", "--verify", "--limit", "3"): "zoo: --verify measures as recorded",
    }
    for arguments, message in wrong.items():
        status, out, err = zoo(capsys, *arguments)
        assert (status, out) == (2, "")
        assert err.startswith(message)
        assert err.count("\n") == 1


def test_a_split_that_is_none_is_refused_first(capsys: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    status, out, err = zoo(capsys, "evaluate", "nothing", "--split", "tset")
    message = "zoo: no split 'tset', did you mean 'test'? (one of train, validation, test)\n"
    assert (status, out, err) == (2, "", message)
    assert "train, validation or test" in zoo(capsys, "evaluate", "--help")[1]


def test_a_path_in_a_message_is_the_one_that_was_typed(
    only_fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    for path in ("./nowhere", "../nowhere", str(tmp_path / "nowhere")):
        message = f"zoo: {path} does not exist\n"
        assert zoo(capsys, "pull", path) == (1, "", message)


def test_a_name_that_is_a_folder_here_is_told_how_paths_begin(
    only_fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    message = "zoo: no plugin 'here' (zoo list; a path starts with ./)\n"
    assert zoo(capsys, "install", "here") == (1, "", message)


def test_debugging_lets_the_traceback_through(
    only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    from zoo_core.errors import NameNotFoundError

    monkeypatch.setenv("ZOO_DEBUG", "1")
    with pytest.raises(NameNotFoundError):
        main(["info", "nothing"])


def test_an_operating_systems_error_is_one_line(
    only_fake_plugins: FakePlugins, tmp_path: Path, capsys: Captured
) -> None:
    (tmp_path / "full" / "file").mkdir(parents=True)
    status, _, err = zoo(capsys, "freeze", "--output", str(tmp_path / "full"))
    assert status == 1
    assert re.fullmatch(r"zoo: /\S*/full cannot be written: Is a directory\n", err)


def test_a_plugins_help_is_its_manifests_and_runs_nothing_of_it(
    only_fake_plugins: FakePlugins, capsys: Captured
) -> None:
    only_fake_plugins.add("tiny", plugin="raise RuntimeError('loaded')")
    status, out, _ = zoo(capsys, "tiny", "--help")
    assert status == 0
    assert re.search("hello +Say hello.", out)
    status, _, err = zoo(capsys, "tiny", "hello")
    assert status == 1
    assert err.startswith("zoo: plugin 'tiny' cannot be used: RuntimeError: loaded")


def test_pull_needs_consent_to_install_and_says_what_it_would_do(
    only_fake_plugins: FakePlugins, tmp_path: Path, capsys: Captured
) -> None:
    write_project(tmp_path)
    only_fake_plugins.write("../registry.toml", f"schema = 1\n{entry()}")
    status, out, err = zoo(capsys, "pull", "tiny")
    assert (status, out) == (2, "")
    assert f"--editable {tmp_path}/plugins/tiny" in err
    assert err.endswith("there is no terminal to ask on (add --yes)\n")
    plan = document(capsys, "pull", "tiny", "--dry-run", "--json")
    assert plan["install"][0][-2:] == ["--editable", f"{tmp_path}/plugins/tiny"]
    assert (plan["name"], plan["variant"], plan["source"], plan["download"]) == ("tiny", None, "", 0)


def test_pull_as_json_tells_which_files_were_checked(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    folder = add_with_weights(only_fake_plugins)
    pulled = document(capsys, "pull", "tiny", "--json")
    assert list(pulled) == ["name", "variant", "revision", "source", "reference", "path", "files"]
    assert (pulled["name"], pulled["variant"], pulled["revision"], pulled["source"]) == (
        "tiny",
        "first",
        None,
        "bundled",
    )
    assert pulled["path"] == str(folder)
    assert [list(file) for file in pulled["files"]] == [["name", "size", "sha256"]] * 2
    assert document(capsys, "list", "--json")[0]["presets"][0]["pulled"]


def test_pull_refuses_a_damaged_file(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    folder = add_with_weights(only_fake_plugins)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    status, out, err = zoo(capsys, "pull", "tiny")
    assert (status, out) == (1, "")
    assert re.fullmatch(r"zoo: .*model\.safetensors: expected sha256 [0-9a-f]{64}, found [0-9a-f]{64}.*\n", err)
    status, out, _ = zoo(capsys, "cache", "verify")
    assert status == 1
    assert "expected sha256" in out


def test_weights_that_come_with_a_plugin_are_removed_with_it(only_fake_plugins: FakePlugins, capsys: Captured) -> None:
    add_with_weights(only_fake_plugins)
    status, _, err = zoo(capsys, "remove", "tiny", "--yes")
    assert status == 2
    assert "zoo uninstall tiny" in err
    (entry_,) = document(capsys, "cache", "list", "--json")
    assert (entry_["name"], entry_["source"], entry_["complete"]) == ("tiny:first", "bundled", True)
