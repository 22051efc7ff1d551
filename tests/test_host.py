"""Plugins' code, run one plugin at a time; whatever goes wrong in it is an error about that plugin."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import pytest

from tests.conftest import BROKEN, PLUGIN, FakePlugins, by_name
from zoo_core import host, index, snapshot
from zoo_core.errors import IncompatibleError, NotInstalledError, PluginError
from zoo_core.records import Plugin


def installed(name: str = "tiny") -> Plugin:
    found: Plugin = by_name(index.installed_plugins())[name]
    return found


def hook(body: str, name: str = "register_layers", arguments: str = "register") -> str:
    """A plugin module with one hook."""
    return f"from zoo_core import hookimpl\n@hookimpl\ndef {name}({arguments}):\n    {body}\n"


def test_what_hooks_register_is_known_by_kind_and_name(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny")
    registered = host.load(installed())
    doubler = registered.components["layers"]["Doubler"]
    assert (doubler.kind, doubler.target) == ("layers", "zoo_tiny.parts:Doubler")
    assert registered.components["losses"] == {}
    model = registered.models["tiny"]
    assert (model.target, model.recipe, model.task) == ("zoo_tiny.parts:Tiny", "zoo_tiny.parts:Recipe", "testing")
    assert (model.summary, model.paper, model.default) == ("A tiny model", "arXiv:0000.00000", "first")
    assert registered.commands is not None
    assert "zoo_tiny.parts" not in sys.modules


def test_every_kind_of_component_has_its_hook(fake_plugins: FakePlugins) -> None:
    kinds = ("losses", "layers", "optimizers", "callbacks")
    hooks = [hook(f"register('Some{kind}', dict, summary='One of the {kind}')", f"register_{kind}") for kind in kinds]
    fake_plugins.add("tiny", plugin="".join(hooks), manifest=None)
    registered = host.load(installed())
    assert {kind: list(registered.components[kind]) for kind in kinds} == {kind: [f"Some{kind}"] for kind in kinds}
    assert registered.components["losses"]["Somelosses"].target is dict
    assert registered.commands is None


def test_a_plugin_s_code_runs_once(fake_plugins: FakePlugins) -> None:
    counting = "import os\nos.environ['RUNS'] = os.environ.get('RUNS', '') + 'x'\n"
    fake_plugins.add("tiny", plugin=counting + PLUGIN)
    assert host.load(installed()) is host.load(installed())


@pytest.mark.parametrize("kind", sorted(BROKEN.keys() - {"ends the process", "wrong core version"}))
def test_a_broken_plugin_is_an_error_with_its_reason_and_others_load(fake_plugins: FakePlugins, kind: str) -> None:
    fake_plugins.add_broken(kind, "broken")
    fake_plugins.add("tiny")
    with pytest.raises(PluginError) as caught:
        host.load(installed("broken"))
    assert str(caught.value).startswith("plugin 'broken' cannot be used: ")
    assert BROKEN[kind][1] in str(caught.value)
    assert str(caught.value).isprintable()
    assert host.load(installed("tiny")).models


def test_the_error_says_where_and_keeps_the_traceback(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny", plugin="\n\nraise ValueError('on\\x1b[31m purpose')")
    with pytest.raises(PluginError, match=r"ValueError: on purpose \(zoo_tiny/plugin.py, line 3\)") as caught:
        host.load(installed())
    assert isinstance(caught.value.__cause__, ValueError)


def test_a_missing_module_is_told_without_a_place(fake_plugins: FakePlugins) -> None:
    fake_plugins.add_broken("missing module", "broken")
    with pytest.raises(PluginError) as caught:
        host.load(installed("broken"))
    assert caught.value.message.endswith("No module named 'zoo_broken.elsewhere'")


def test_an_error_that_cannot_be_shown_is_told_by_its_type(fake_plugins: FakePlugins) -> None:
    code = "class Odd(Exception):\n    def __str__(self): raise SystemError\nraise Odd"
    fake_plugins.add("tiny", plugin=code)
    with pytest.raises(PluginError, match="Odd: its message cannot be shown"):
        host.load(installed())


def test_a_plugin_that_failed_fails_again_without_running(fake_plugins: FakePlugins) -> None:
    fake_plugins.add_broken("raises on import", "broken")
    messages = []
    for _ in range(2):
        with pytest.raises(PluginError) as caught:
            host.load(installed("broken"))
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


def test_a_plugin_for_another_core_or_not_installed_is_not_run(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny", requires="zoo-core>=99", plugin="raise SystemExit")
    with pytest.raises(IncompatibleError, match="needs zoo-core >=99"):
        host.load(installed())
    with pytest.raises(NotInstalledError, match="zoo install tiny"):
        host.load(replace(installed(), installed=False))
    assert "zoo_tiny" not in sys.modules


def test_an_interruption_is_not_swallowed(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny", plugin="raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        host.load(installed())


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        (hook("pass", "register_model"), "register_model is not a hook, did you mean 'register_models'?"),
        (hook("pass", "registr_layers"), "registr_layers is not a hook, did you mean 'register_layers'?"),
        (hook("pass") + "def register_losess(register): pass", "register_losess is not a hook, did you mean"),
        (hook("pass") + "def register_losses(register): pass", "register_losses lacks its decorator @hookimpl"),
        (hook("pass", arguments="registry"), "registry"),
        ("", "zoo_tiny.plugin has no function with @hookimpl"),
        (hook("register('Doubler', 'parts')"), "'parts', the target of 'Doubler', is not \"package.module:Class\""),
        (hook("register('A', '')"), "'', the target of 'A', is not"),
        (hook("register('A', 'a:B', summary=None)"), "'A' with a summary that is no text"),
        (hook("register('a', 'a:B', recipe='../r')", "register_models"), "'../r', the recipe of 'a', is not"),
        (hook("register('../Doubler', 'a:B')"), "'../Doubler', which cannot be a name"),
        (hook("register(3, 'a:B')"), "3, which cannot be a name"),
        (hook("register('A', 'a:B'); register('A', 'a:C')"), "it registers 'A' twice"),
        (hook("register('A', 'a:B', colour='red')"), "TypeError"),
        (hook("register('Glow!', 'a:B')", "register_models"), "'Glow!', which cannot be a name"),
        (hook("app.nothing()", "register_commands", "app"), "AttributeError"),
    ],
)
def test_what_pluggy_would_ignore_or_accept_is_an_error(fake_plugins: FakePlugins, code: str, complaint: str) -> None:
    fake_plugins.add("tiny", plugin=code)
    with pytest.raises(PluginError) as caught:
        host.load(installed())
    assert complaint in str(caught.value)


def test_functions_from_elsewhere_may_be_called_as_they_are(fake_plugins: FakePlugins) -> None:
    fake_plugins.write("helpers.py", "def register_keras_serializable(): pass\n")
    code = "from helpers import register_keras_serializable\ndef _register_more(): pass\n"
    fake_plugins.add("tiny", plugin=code + PLUGIN)
    assert host.load(installed()).models


def test_a_hook_may_have_another_name_where_it_says_which_it_is(fake_plugins: FakePlugins) -> None:
    code = "from zoo_core import hookimpl\n@hookimpl(specname='register_layers')\ndef more(register):\n"
    fake_plugins.add("tiny", plugin=code + "    register('A', 'a:B')\n")
    assert list(host.load(installed()).components["layers"]) == ["A"]


def test_what_a_plugin_prints_while_loading_keeps_off_stdout(
    fake_plugins: FakePlugins, capsys: pytest.CaptureFixture[str]
) -> None:
    fake_plugins.add("tiny", plugin=f"print('hello')\n{PLUGIN}")
    host.load(installed())
    assert capsys.readouterr() == ("", "hello\n")


def test_targets_are_resolved_on_demand(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny")
    assert host.resolve("zoo_tiny.parts:Doubler").__name__ == "Doubler"
    assert host.resolve("zoo_tiny.parts:Doubler.__init__").__name__ == "__init__"
    assert host.resolve(dict) is dict


@pytest.mark.parametrize("target", ["zoo_tiny.parts:Tripler", "zoo_tiny.nowhere:Doubler", "zoo_tiny.fatal:X"])
def test_a_target_that_cannot_be_imported_is_an_error(fake_plugins: FakePlugins, target: str) -> None:
    package = fake_plugins.add("tiny")
    (package / "fatal.py").write_text("raise SystemExit(1)")
    with pytest.raises(PluginError, match=target):
        host.resolve(target)


def test_what_only_the_manifest_has_is_an_error_that_names_the_command(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny")
    assert host.model(installed(), "tiny").task == "testing"
    for missing in (lambda: host.model(installed(), "huge"), lambda: host.component(installed(), "losses", "Doubler")):
        with pytest.raises(PluginError, match="zoo manifest update"):
            missing()


def test_the_outline_names_commands_with_their_help(fake_plugins: FakePlugins) -> None:
    fake_plugins.add("tiny")
    outline = snapshot.outline("tiny", host.load(installed()))
    assert [(command.name, command.summary) for command in outline.commands] == [
        ("hello", "Say hello."),
        ("goodbye", "Say goodbye."),
    ]


def test_objects_get_import_paths_in_the_outline(fake_plugins: FakePlugins) -> None:
    code = "class Local: pass\n" + hook(
        "register('A', Local); register('B', type('C', (), {'__qualname__': 'f.<locals>.C'}))"
    )
    fake_plugins.add("tiny", plugin=code)
    outline: Any = snapshot.outline("tiny", host.load(installed()))
    assert [component.target for component in outline.components] == ["zoo_tiny.plugin:Local", ""]
