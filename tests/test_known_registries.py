"""Registries that others keep: their plugins are found, and nothing that they say or do disturbs what there was."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.conftest import FakePlugins, by_name
from tests.projects import entry, write_project, write_wheel
from tests.web_server import Answer, WebServer, running
from zoo_core import index, install_tool, installer, known_registries, lookalikes, toml_files, user_config, web
from zoo_core.cli import main
from zoo_core.errors import (
    AmbiguousNameError,
    ConfigError,
    DownloadError,
    IncompatibleError,
    InstallError,
    RegistryError,
    UsageError,
    ZooError,
)
from zoo_core.records import Plugin
from zoo_core.version import __version__

WHEEL = f'wheel = "https://example.org/zoo_{{name}}-1.0-py3-none-any.whl"\nsha256 = "{"a" * 64}"'


def registry_of(*names: str, source: str = WHEEL) -> str:
    return "\n".join(["schema = 1", *(entry(name, source.replace("{name}", name)) for name in names)])


@pytest.fixture
def server() -> Iterator[WebServer]:
    with running() as started:
        yield started


@pytest.fixture(autouse=True)
def plugins(only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> FakePlugins:
    """One plugin of ours, `tiny`, that is not installed."""
    for variable in ("ZOO_WHEELS", "PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)
    only_fake_plugins.write("../registry.toml", registry_of("tiny"))
    return only_fake_plugins


def added(location: str | Path, name: str = "") -> known_registries.Found:
    found = known_registries.look(str(location), name)
    known_registries.add(found)
    return found


def names() -> list[str]:
    return [plugin.name for plugin in index.plugins()]


# Adding, removing, updating


def test_a_registry_on_the_web_is_known_by_its_host_and_its_plugins_are_there(server: WebServer) -> None:
    found = added(server.page("/registry.toml", registry_of("guest")))
    assert found.registry.name == "127-0-0-1"
    guest = index.find_plugin("guest")
    assert (guest.registry, guest.installed, guest.distribution) == ("127-0-0-1", False, "zoo-guest")
    assert names() == ["guest", "tiny"]
    assert index.find_plugin("tiny").registry == ""


def test_a_registry_on_the_disk_is_known_by_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "Their Zoo"
    write_project(folder, "guest")
    (folder / "registry.toml").write_text(registry_of("guest", source='path = "plugins/guest"'))
    assert added(folder).registry == user_config.RegistryLocation("their-zoo", str(folder / "registry.toml"))
    plan = installer.plan_install("guest")
    assert (plan.registry, plan.origin) == ("their-zoo", str(folder / "plugins" / "guest"))


def test_after_adding_only_an_update_asks_the_server(server: WebServer) -> None:
    added(server.page("/registry.toml", registry_of("guest")), "theirs")
    asked = len(server.requests)
    assert main(["list"]) == main(["info", "guest"]) == main(["pull", "guest", "--dry-run"]) == 0
    assert main(["registry", "list"]) == main(["install", "guest", "--dry-run"]) == 0
    assert len(server.requests) == asked == 1
    server.page("/registry.toml", registry_of("guest", "second"))
    assert names() == ["guest", "tiny"]
    ((registry, found),) = known_registries.update()
    assert (registry.name, len(found.plugins)) == ("theirs", 2)  # type: ignore[union-attr]  # it is no error
    assert names() == ["guest", "second", "tiny"]


BAD = {
    "away": Answer(status=404),
    "failing": Answer(status=500),
    "malformed": Answer(b"[[plugins"),
    "not text": Answer(b"\xff\xfe"),
    "a page": Answer(b"<html></html>"),
    "of another schema": Answer(b"schema = 99"),
    "with a name twice": Answer(registry_of("guest", "guest").encode()),
    "with a path": Answer(registry_of("guest", source='path = "plugins/guest"').encode()),
    "with a command for a name": Answer(registry_of("guest").replace("zoo-guest", "--index-url=x").encode()),
    "cut off": Answer(registry_of("guest").encode()[:-70], length=len(registry_of("guest"))),
    "redirected elsewhere": Answer(status=302, headers={"Location": "http://example.org/registry.toml"}),
    "huge": Answer(b"#" * (toml_files.LARGEST_FILE + 1)),
    "endless": Answer(b"#" * 100_000, endless=True),
    "deep": Answer(b"a = " + b"[" * 100_000),
    "slow": Answer(b"schema = 1\n" * 100, pause=0.01),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_registry_gone_bad_is_as_good_as_its_last_copy(
    kind: str, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "SECONDS", 0.3)
    added(server.page("/registry.toml", registry_of("guest")), "theirs")
    server.page("/registry.toml", BAD[kind])
    ((_, problem),) = known_registries.update()
    assert isinstance(problem, (DownloadError, RegistryError))
    assert server.address in problem.message
    assert "\n" not in problem.message
    assert names() == ["guest", "tiny"]
    assert [state.problem for state in known_registries.states()] == [""]


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_registry_is_not_added(kind: str, server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "SECONDS", 0.3)
    with pytest.raises(ZooError):
        added(server.page("/registry.toml", BAD[kind]), "theirs")
    assert user_config.read() == user_config.UserConfig()
    assert not known_registries.copy_path("theirs").exists()


def test_one_bad_registry_does_not_keep_another_from_being_updated(server: WebServer) -> None:
    added(server.page("/a", registry_of("guest")), "first")
    added(server.page("/b", registry_of("other")), "second")
    server.page("/a", Answer(status=500))
    server.page("/b", registry_of("newer"))
    assert main(["registry", "update"]) == 1
    assert names() == ["guest", "newer", "tiny"]
    assert [registry.name for registry, _ in known_registries.update(["second"])] == ["second"]


@pytest.mark.parametrize("content", [None, "[[plugins", "#" * (toml_files.LARGEST_FILE + 1)])
def test_a_copy_that_is_lost_or_damaged_breaks_nothing(
    content: str | None, server: WebServer, capsys: pytest.CaptureFixture[str]
) -> None:
    added(server.page("/registry.toml", registry_of("guest")), "theirs")
    copy = known_registries.copy_path("theirs")
    copy.unlink()
    if content is not None:
        copy.write_text(content)
    assert names() == ["tiny"]
    assert main(["registry", "list"]) == 0
    assert "zoo registry update theirs" in capsys.readouterr().err
    known_registries.update()
    assert names() == ["guest", "tiny"]


def test_a_malformed_config_breaks_no_listing(plugins: FakePlugins) -> None:
    plugins.write("../config.toml", "schema = [")
    assert names() == ["tiny"]
    with pytest.raises(ConfigError, match=r"config\.toml"):
        known_registries.states()
    with pytest.raises(ConfigError):
        known_registries.add(known_registries.Found(user_config.RegistryLocation("a", "/a"), b"", ()))


def test_removing_forgets_the_registry_and_its_copy(server: WebServer) -> None:
    added(server.page("/registry.toml", registry_of("guest")), "theirs")
    known_registries.remove("theirs")
    assert names() == ["tiny"]
    assert not known_registries.copy_path("theirs").exists()
    with pytest.raises(UsageError, match="no registry 'theirs'"):
        known_registries.remove("theirs")
    with pytest.raises(UsageError, match="brings along"):
        known_registries.remove("zoo")


def test_neither_a_name_nor_a_place_is_added_twice(server: WebServer) -> None:
    address = server.page("/a", registry_of("guest"))
    added(address, "theirs")
    with pytest.raises(UsageError, match=r"is there already, as 'theirs'.*zoo registry update theirs"):
        added(address, "other")
    with pytest.raises(UsageError, match="'theirs' is the registry http.*--name"):
        added(server.page("/b", registry_of("guest")), "theirs")


@pytest.mark.parametrize(
    ("location", "complaint"),
    [
        ("http://example.org/registry.toml", "https:// address"),
        ("https://me:secret@example.org/registry.toml", "https:// address"),
        ("file:///etc/passwd", "https:// address"),
        ("./nowhere.toml", "cannot be read: No such file or directory$"),
        ("example.org/registry.toml", r"does not exist \(an address on the web begins with https://\)"),
        ("/dev/zero", "not a regular file"),
        ("/dev/null/registry.toml", "cannot be read"),
    ],
)
def test_what_is_no_registrys_place_is_refused(location: str, complaint: str) -> None:
    with pytest.raises(ZooError, match=complaint) as caught:
        known_registries.look(location, "theirs")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["zoo", "../evil", "A", "a b", "x" * 65])
def test_what_is_no_registrys_name_is_refused(name: str, server: WebServer) -> None:
    with pytest.raises(UsageError, match="cannot be a registry's name"):
        known_registries.look(server.page("/a", registry_of("guest")), name)
    assert server.requests == []


# Whose name it is


def test_our_names_and_what_is_installed_win(server: WebServer, plugins: FakePlugins) -> None:
    plugins.add("mine")
    added(server.page("/a", registry_of("tiny", "guest", "mine").replace("example.org", "evil.example")), "evil")
    rows = by_name(index.plugins())
    assert rows["tiny"].registry == ""
    assert "evil" not in rows["tiny"].source.value
    assert (rows["mine"].installed, rows["mine"].broken) == (True, None)
    assert rows["guest"].registry == "evil"
    assert rows["guest"].source.value.startswith("https://evil.example/")


def test_a_distribution_of_ours_cannot_be_claimed_under_another_name(server: WebServer) -> None:
    added(server.page("/a", registry_of("guest").replace("zoo-guest", "Zoo_Tiny")), "evil")
    assert names() == ["tiny"]


def test_of_two_registries_the_first_has_the_name(server: WebServer) -> None:
    added(server.page("/a", registry_of("guest")), "first")
    added(server.page("/b", registry_of("guest", "other")), "second")
    rows = by_name(index.plugins())
    assert (rows["guest"].registry, rows["other"].registry) == ("first", "second")
    (double,) = known_registries.doubles(index.registered_plugins())
    assert [plugin.registry for plugin in double] == ["second", "first"]


def test_who_gives_way_takes_no_name_from_a_third(server: WebServer) -> None:
    added(server.page("/a", registry_of("guest").replace("zoo-guest", "zoo-tiny")), "hidden")
    added(server.page("/b", registry_of("guest")), "honest")
    assert index.find_plugin("guest").registry == "honest"


def test_no_registry_makes_our_models_name_ambiguous(server: WebServer) -> None:
    model = registry_of("guest").replace('name = "guest"', 'name = "tiny"')
    added(server.page("/a", model), "theirs")
    assert index.find_model("tiny")[0].name == "tiny"
    assert index.find_model("guest/tiny")[0].name == "guest"
    added(server.page("/b", registry_of("a", "b").replace('name = "a"', 'name = "b"')), "both")
    with pytest.raises(AmbiguousNameError, match="'a/b', 'b/b'"):
        index.find_model("b")


def test_no_registry_takes_a_bare_name_that_means_something_here(server: WebServer, plugins: FakePlugins) -> None:
    page = registry_of("guest", "other").replace('name = "guest"', 'name = "flows"')
    added(server.page("/a", page.replace('name = "other"', 'name = "worn"')), "theirs")
    assert index.find_model("flows")[0].name == "guest"
    flows = registry_of("flows").replace('name = "flows"', 'name = "realnvp"')
    plugins.write("../registry.toml", flows)
    # A plugin's name stands for its only model, and that of a broken one for nothing else.
    assert index.find_model("flows")[1].name == "realnvp"
    assert index.find_model("guest/flows")[0].name == "guest"
    plugins.add("worn", requires="zoo-core>=99")
    with pytest.raises(IncompatibleError, match="plugin 'worn' cannot be used"):
        index.find_model("worn")


@pytest.mark.parametrize(
    ("name", "ours"),
    [("g1ow", "glow"), ("gl0w", "glow"), ("glovv", "glow"), ("mom", "morn"), ("my_zoo", "my-zoo1"), ("nlce", "nice")],
)
def test_names_that_look_alike_have_one_skeleton(name: str, ours: str) -> None:
    assert (lookalikes.skeleton(name) == lookalikes.skeleton(ours)) is (ours != "my-zoo1")


def test_a_look_alike_is_pointed_out_before_anybody_agrees(
    server: WebServer, capsys: pytest.CaptureFixture[str]
) -> None:
    address = server.page("/a", registry_of("t1ny"))
    assert main(["registry", "add", address, "--name", "theirs"]) == 2
    shown = capsys.readouterr().err
    assert "careful: 't1ny' looks like 'tiny' of the plugin 'tiny'" in shown
    assert "add --yes" in shown
    assert names() == ["tiny"]
    added(address, "theirs")
    assert installer.plan_install("t1ny").warnings == (
        "'t1ny' looks like 'tiny' of the plugin 'tiny'",
        "'zoo-t1ny' looks like 'zoo-tiny' of the plugin 'tiny'",
    )
    assert main(["pull", "t1ny"]) == 2
    assert "careful: 't1ny'" in capsys.readouterr().err
    assert installer.plan_install("tiny").warnings == ()


def test_a_name_is_no_look_alike_of_itself() -> None:
    assert lookalikes.warnings(Plugin("tiny", "Zoo_Tiny"), [Plugin("tiny", "zoo-tiny")]) == ()


# Installing from one


def test_installing_says_whose_it_is_and_asks(server: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    address = server.page("/a", registry_of("guest"))
    added(address, "theirs")
    for command in ("install", "pull"):
        assert main([command, "guest"]) == 2
        shown = capsys.readouterr().err
        assert "install zoo-guest 1.0 (plugin guest)\n" in shown
        assert f"registry: theirs, {address}: not ours" in shown
        assert "from https://example.org/zoo_guest-1.0-py3-none-any.whl\n" in shown
        assert "add --yes" in shown
    assert main(["install", "tiny", "--dry-run"]) == 0
    assert "registry: zoo\n" in capsys.readouterr().err


def test_the_plan_as_json_tells_the_registry(server: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    added(server.page("/a", registry_of("guest")), "theirs")
    assert main(["install", "guest", "--dry-run", "--json"]) == 0
    ((plan),) = json.loads(capsys.readouterr().out)
    assert (plan["registry"], plan["distribution"], plan["version"]) == ("theirs", "zoo-guest", "1.0")
    assert main(["info", "guest", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["registry"] == "theirs"


@pytest.mark.parametrize("distribution", ["keras", "zoo-core", "Zoo.Mine"])
def test_nothing_that_is_installed_is_replaced(distribution: str, server: WebServer, plugins: FakePlugins) -> None:
    plugins.add("mine")
    added(server.page("/a", registry_of("guest").replace("zoo-guest", distribution)), "evil")
    with pytest.raises(InstallError, match=r"would replace \d"):
        installer.plan_install("guest")


def test_a_registry_on_the_web_cannot_send_to_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    text = registry_of("guest", source='index = "http://127.0.0.1:8000/simple"')
    monkeypatch.setattr(web, "fetch", lambda address: text.encode())
    with pytest.raises(RegistryError, match="a machine that a registry on the web cannot know"):
        known_registries.look("https://example.org/registry.toml")


def test_a_plugin_that_is_needed_comes_from_ours_or_the_same_registry_only(
    server: WebServer, plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_WHEELS", str(tmp_path))
    write_wheel(tmp_path, requires=["zoo-core>=0.1", "zoo-helper"])
    added(server.page("/a", registry_of("helper")), "evil")
    plugins.write("../registry.toml", registry_of("tiny", source='path = "plugins/{name}"'))
    assert installer.plan_install("tiny").brings == ("zoo-tiny",)
    write_wheel(tmp_path, "guest", requires=["zoo-core>=0.1", "zoo-helper"])
    on_index = 'index = "https://example.org/simple"'
    added(server.page("/b", registry_of("guest", source=on_index)), "theirs")
    assert installer.plan_install("guest").brings == ("zoo-guest",)
    known_registries.remove("evil")
    server.page("/b", registry_of("guest", "helper", source=on_index))
    known_registries.update()
    with pytest.raises(InstallError, match=r"zoo-guest needs the plugin 'helper'.*zoo install helper"):
        installer.plan_install("guest")


def test_a_project_of_another_distribution_than_its_registry_says_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    pyproject = write_project(folder, "guest") / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('"zoo-guest"', '"keras"'))
    (folder / "registry.toml").write_text(registry_of("guest", source='path = "plugins/guest"'))
    added(folder)
    with pytest.raises(InstallError, match="is the distribution keras, not zoo-guest"):
        installer.plan_install("guest")


def test_what_a_registry_knows_is_on_no_index_even_if_an_earlier_one_has_the_name(
    server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    added(server.page("/a", registry_of("helper", "unrelated")), "first")
    added(server.page("/b", registry_of("guest", "helper")), "second")
    held: list[str] = []

    def run(command: Sequence[str]) -> int:
        held.append(Path(command[-1]).read_text())
        return 0

    monkeypatch.setattr(install_tool, "check_environment", lambda: "")
    installer.execute(installer.plan_install("guest"), run)
    assert held == [f"zoo-core=={__version__}\nzoo-helper<0\nzoo-tiny<0\n"]


# The command line


def test_the_list_shows_ours_first_and_when_the_others_were_copied(
    server: WebServer, capsys: pytest.CaptureFixture[str]
) -> None:
    address = server.page("/a", registry_of("guest"))
    assert main(["registry", "add", address, "--name", "theirs", "--yes"]) == 0
    capsys.readouterr()
    assert main(["registry", "list", "--json"]) == 0
    ours, theirs = json.loads(capsys.readouterr().out)
    assert (ours["name"], ours["plugins"]) == ("zoo", 1)
    assert (theirs["name"], theirs["plugins"], theirs["location"], theirs["problem"]) == ("theirs", 1, address, "")
    assert theirs["updated"].endswith("+00:00")
    assert main(["registry", "remove", "theirs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"name": "theirs", "location": address}


def test_a_dry_run_adds_nothing(server: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    address = server.page("/a", registry_of("guest", "tiny"))
    assert main(["registry", "add", address, "--name", "theirs", "--dry-run", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(row["plugin"], row["hidden_by"]) for row in shown["plugins"]] == [("guest", None), ("tiny", "zoo")]
    assert shown["done"] is False
    assert user_config.read() == user_config.UserConfig()


def test_of_very_many_plugins_not_all_are_shown(server: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    address = server.page("/a", registry_of(*(f"guest{number}" for number in range(60))))
    assert main(["registry", "add", address, "--name", "theirs", "--yes"]) == 0
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) < 60
    assert "and 10 more" in shown


def test_escapes_in_a_registry_do_not_reach_the_terminal(server: WebServer, capsys: pytest.CaptureFixture[str]) -> None:
    text = registry_of("guest").replace("A tiny model", "\\u001b]0;owned\\u0007\\u202eA model")
    added(server.page("/a", text), "theirs")
    assert main(["info", "guest"]) == 0
    shown = capsys.readouterr().out
    assert "A model" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown
