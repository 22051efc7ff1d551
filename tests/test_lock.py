"""A lock file: it says what there is here, all of it true, and brings another machine to just that or says why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import FakePlugins
from tests.projects import entry, write_project, write_wheel
from tests.test_cli import add_with_weights
from zoo_core import installer, known_registries, lock
from zoo_core.cli import main
from zoo_core.errors import InstallError, IntegrityError, LockError, NotInstalledError, OfflineError, ZooError
from zoo_core.lock_file import Lock, LockedPlugin, LockedPreset
from zoo_core.records import File, Source
from zoo_core.version import __version__

HASH = "0" * 64
WEB = Source("wheel", "https://example.org/zoo_tiny-2.0-py3-none-any.whl", "a" * 64)


@pytest.fixture(autouse=True)
def plugins(only_fake_plugins: FakePlugins, monkeypatch: pytest.MonkeyPatch) -> FakePlugins:
    """Nothing is installed, and there is no folder of wheels."""
    for variable in ("ZOO_WHEELS", "PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)
    return only_fake_plugins


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch, plugins: FakePlugins) -> list[installer.Plan]:
    """The plans that were executed; each leaves the plugin `tiny` there, in the version of the plan."""
    done: list[installer.Plan] = []

    def execute(plan: installer.Plan) -> None:
        done.append(plan)
        plugins.add("tiny", version=plan.version)

    monkeypatch.setattr(installer, "execute", execute)
    return done


def written(folder: Path, content: Lock) -> Path:
    path = folder / "zoo.lock"
    path.write_text(lock.render(content))
    return path


def locked(version: str = "1.0", source: Source | None = None, name: str = "tiny") -> LockedPlugin:
    return LockedPlugin(name, f"zoo-{name}", version, source)


# Freezing


def test_what_is_here_is_written_down_with_versions_and_hashes(
    plugins: FakePlugins, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = add_with_weights(plugins)
    plugins.add("other", version="3.1", manifest=None)
    assert main(["freeze", "--output", str(tmp_path / "zoo.lock")]) == 0
    assert "lists 2 plugins and 1 preset" in capsys.readouterr().out
    frozen = lock.read(tmp_path / "zoo.lock")
    assert frozen == lock.freeze()
    assert frozen.core == __version__
    assert [(plugin.name, plugin.distribution, plugin.version) for plugin in frozen.plugins] == [
        ("other", "zoo-other", "3.1"),
        ("tiny", "zoo-tiny", "1.0"),
    ]
    (preset,) = frozen.presets
    assert (preset.name, preset.plugin, preset.repo, preset.revision) == ("tiny/tiny:first", "tiny", "", "")
    assert {file.name: file.size for file in preset.files} == {
        name: (folder / name).stat().st_size for name in ("config.json", "model.safetensors")
    }


def test_it_is_shown_or_written_or_a_document(
    plugins: FakePlugins, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    add_with_weights(plugins)
    assert main(["freeze"]) == 0
    shown = capsys.readouterr().out
    assert main(["freeze", "--output", str(tmp_path / "a.lock"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (tmp_path / "a.lock").read_text() == shown
    assert document["plugins"] == [{"name": "tiny", "distribution": "zoo-tiny", "version": "1.0", "source": None}]


def test_nothing_of_this_machine_and_no_secret_is_in_it(
    plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    write_project(tmp_path)
    plugins.write("../registry.toml", f"schema = 1\n{entry()}")
    add_with_weights(plugins)
    text = lock.render(lock.freeze())
    assert not [word for word in (str(tmp_path), str(Path.home()), "hf_secret", "plugins/tiny") if word in text]


def test_where_a_registry_has_the_version_on_the_web_that_is_written_down(plugins: FakePlugins) -> None:
    plugins.add("tiny", version="2.0")
    source = f'wheel = "{WEB.value}"\nsha256 = "{WEB.sha256}"'
    for version, expected in (("2.0", WEB), ("1.0", None)):
        text = entry(source=source).replace('version = "1.0"', f'version = "{version}"')
        plugins.write("../registry.toml", f"schema = 1\n{text}")
        assert lock.freeze().plugins == (locked("2.0", expected),)


@pytest.mark.parametrize(
    ("noted", "written_down"),
    [
        ({"url": WEB.value, "archive_info": {}}, True),
        ({"url": "file:///wheels/x.whl", "archive_info": {"hashes": {"sha256": WEB.sha256}}}, True),
        ({"url": "file:///wheels/x.whl", "archive_info": {"hashes": {"sha256": "b" * 64}}}, False),
        ({"url": "file:///src/zoo-tiny", "dir_info": {"editable": True}}, False),
        ([], False),
        (None, False),
    ],
    ids=["its address", "its content", "another wheel", "a project", "damaged", "an index"],
)
def test_another_registrys_wheel_is_written_down_only_if_it_is_what_is_here(
    noted: object, written_down: bool, plugins: FakePlugins
) -> None:
    plugins.add("tiny", version="2.0")
    if noted is not None:
        plugins.write("zoo_tiny-2.0.dist-info/direct_url.json", json.dumps(noted))
    text = entry(source=f'wheel = "{WEB.value}"\nsha256 = "{WEB.sha256}"').replace('version = "1.0"', 'version = "2.0"')
    path = plugins.write("../theirs/registry.toml", f"schema = 1\n{text}")
    known_registries.add(known_registries.look(str(path)))
    assert lock.freeze().plugins == (locked("2.0", WEB if written_down else None),)


def test_weights_that_are_damaged_are_not_written_down(
    plugins: FakePlugins, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = add_with_weights(plugins) / "model.safetensors"
    weights.write_bytes(b"WEIGHTS")
    assert main(["freeze"]) == 1
    assert "model.safetensors: expected sha256" in capsys.readouterr().err
    weights.unlink()
    assert lock.freeze().presets == ()


def test_a_broken_plugin_is_left_out_and_named(plugins: FakePlugins, capsys: pytest.CaptureFixture[str]) -> None:
    plugins.add_broken("wrong core version", "mishap")
    assert main(["freeze"]) == 0
    captured = capsys.readouterr()
    assert "left out: plugin mishap, it needs zoo-core >=99" in captured.err
    assert "mishap" not in captured.out


def test_an_empty_lock_reads_back(tmp_path: Path) -> None:
    assert lock.freeze() == lock.read(written(tmp_path, Lock(__version__))) == Lock(__version__)


# Restoring


def test_what_is_here_already_is_only_checked(
    plugins: FakePlugins, tmp_path: Path, executed: list[installer.Plan], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = add_with_weights(plugins)
    path = written(tmp_path, lock.freeze())
    (pulled,) = lock.restore(path)
    assert (pulled.name, pulled.variant, pulled.path) == ("tiny", "first", folder)
    assert main(["pull", "--from", str(path)]) == 0
    assert "tiny:first is ready: 2 files" in capsys.readouterr().out
    assert executed == []
    (folder / "model.safetensors").write_bytes(b"WEIGHTS")
    with pytest.raises(IntegrityError, match=r"model\.safetensors: expected sha256"):
        lock.restore(path)


def test_a_missing_plugin_is_installed_in_just_its_version(
    plugins: FakePlugins, tmp_path: Path, executed: list[installer.Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_WHEELS", str(tmp_path))
    for version in ("1.0", "2.0", "3.0"):
        write_wheel(tmp_path, version=version)
    plugins.write("../registry.toml", f"schema = 1\n{entry()}")
    path = written(tmp_path, Lock(__version__, (locked("2.0"),)))
    with pytest.raises(NotInstalledError, match=r"nobody agreed to install: zoo-tiny 2\.0"):
        lock.restore(path)
    with pytest.raises(NotInstalledError):
        lock.restore(path, confirm=lambda plans: False)
    assert executed == []
    assert lock.restore(path, confirm=lambda plans: [plan.version for plan in plans] == ["2.0"]) == ()
    assert [plan.origin for plan in executed] == [str(tmp_path / "zoo_tiny-2.0-py3-none-any.whl")]


def test_another_version_is_replaced(
    plugins: FakePlugins, tmp_path: Path, executed: list[installer.Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    plugins.write("../registry.toml", f"schema = 1\n{entry()}")
    plugins.add("tiny", version="9.0")
    checkout = write_project(tmp_path)
    path = written(tmp_path, Lock(__version__, (locked("1.0"),)))
    assert [plan.origin for plan in lock.plan(path).installs] == [str(checkout)]
    path = written(tmp_path, Lock(__version__, (locked("0.5"),)))
    with pytest.raises(InstallError, match=r"zoo-tiny 0\.5 is wanted, but .*plugins/tiny is 1\.0"):
        lock.plan(path)


def test_an_installation_that_brings_something_else_is_noticed(
    plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installer, "execute", lambda plan: plugins.add("tiny", version="2.5"))
    path = written(tmp_path, Lock(__version__, (locked("2.0", WEB),)))
    with pytest.raises(InstallError, match=r"the lock file has zoo-tiny 2\.0, installed is zoo-tiny 2\.5"):
        lock.restore(path, yes=True)


def test_from_the_web_it_says_that_only_the_file_says_so(
    tmp_path: Path, executed: list[installer.Plan], capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, Lock("0.0.1", (locked("2.0", WEB),)))
    (plan,) = lock.plan(path).installs
    assert (plan.registry, plan.origin) == ("the lock file", WEB.value)
    assert main(["pull", "--from", str(path)]) == 2
    shown = capsys.readouterr().err
    assert "registry: the lock file: not ours" in shown
    assert f"from {WEB.value}\n" in shown
    assert f"written with zoo-core 0.0.1, this is {__version__}" in shown
    assert "add --yes" in shown
    assert executed == []
    with pytest.raises(OfflineError, match=r"zoo-tiny 2\.0 is not installed, and the network is off"):
        lock.restore(path, yes=True, offline=True)
    assert main(["pull", "--from", str(path), "--yes"]) == 0
    assert f"from {WEB.value}\n" in capsys.readouterr().err
    assert [plan.version for plan in executed] == ["2.0"]


def test_a_name_that_looks_like_another_is_pointed_out(plugins: FakePlugins, tmp_path: Path) -> None:
    plugins.add("tiny")
    source = Source("wheel", "https://example.org/zoo_t1ny-2.0-py3-none-any.whl", "a" * 64)
    path = written(tmp_path, Lock(__version__, (locked("2.0", source, "t1ny"),)))
    assert "'t1ny' looks like 'tiny'" in lock.plan(path).installs[0].warnings[0]


def test_nothing_is_installed_if_not_all_of_it_can_be(tmp_path: Path, executed: list[installer.Plan]) -> None:
    path = written(tmp_path, Lock(__version__, (locked("2.0", WEB), locked("1.0", name="lost"))))
    with pytest.raises(InstallError, match=r"there is no zoo-lost 1\.0 to install"):
        lock.restore(path, yes=True)
    assert executed == []


def test_a_dry_run_shows_it_all_and_changes_nothing(
    tmp_path: Path, executed: list[installer.Plan], capsys: pytest.CaptureFixture[str]
) -> None:
    preset = LockedPreset("tiny/tiny:first", "tiny", (File("config.json", 60, HASH),))
    path = written(tmp_path, Lock(__version__, (locked("2.0", WEB),), (preset,)))
    assert main(["pull", "--from", str(path), "--dry-run"]) == 0
    captured = capsys.readouterr()
    assert "install zoo-tiny 2.0" in captured.err
    assert "get tiny/tiny:first and check size and sha256 of config.json" in captured.out
    assert main(["pull", "--from", str(path), "--dry-run", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [preset["name"] for preset in document["presets"]] == ["tiny/tiny:first"]
    assert executed == []


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ((File("config.json", 61, HASH),), r"config\.json: the lock file has 61 bytes .* installed has 60 bytes"),
        ((File("config.json", 60, "1" * 64),), r"config\.json: .* sha256 1111.* has 60 bytes with sha256 0000"),
        ((File("vocab.txt", 1, HASH),), r"vocab\.txt: .* installed has no such file"),
    ],
)
def test_other_weights_than_the_files_are_refused_by_name(
    files: tuple[File, ...], complaint: str, plugins: FakePlugins, tmp_path: Path
) -> None:
    plugins.add("tiny")
    preset = LockedPreset("tiny/tiny:first", "tiny", files)
    path = written(tmp_path, Lock(__version__, (locked(),), (preset,)))
    with pytest.raises(IntegrityError, match=rf"tiny/tiny:first: {complaint}"):
        lock.restore(path)


GOOD = f"""schema = 1
core = "1.0"
[[plugins]]
name = "tiny"
distribution = "zoo-tiny"
version = "1.0"
[plugins.source]
wheel = "https://example.org/a.whl"
sha256 = "{HASH}"
[[presets]]
name = "tiny/tiny:first"
plugin = "tiny"
[[presets.files]]
name = "config.json"
size = 1
sha256 = "{HASH}"
"""


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("schema = 1", "schema = 2", "schema: is not the 1"),
        ('core = "1.0"', "", "lacks core"),
        ("[[plugins]]", "[[plugins", "not valid TOML"),
        ('name = "tiny"', 'name = "../tiny"', "is not a plugin's name"),
        ('"zoo-tiny"', '"--index-url=x"', "is not a distribution's name"),
        ('version = "1.0"\n[plugins.source]', 'version = "1.0 --pre"\n[plugins.source]', "is not a version"),
        ('wheel = "https://example.org/a.whl"', 'wheel = "http://example.org/a.whl"', "is not an https:// address"),
        ('wheel = "https://example.org/a.whl"', 'wheel = "https://example.org/${HF_TOKEN}.whl"', "is not an https://"),
        (f'wheel = "https://example.org/a.whl"\nsha256 = "{HASH}"', 'path = "a"', "a path means nothing"),
        ("tiny/tiny:first", "tiny:first", "is not plugin/model:variant"),
        ("tiny/tiny:first", "hf://owner/name@main", "is not plugin/model:variant"),
        ("tiny/tiny:first", "./a", "is not plugin/model:variant"),
        ('name = "config.json"', 'name = "../config.json"', "is not a"),
        ("size = 1", "size = -1", "should be between"),
        ('plugin = "tiny"', 'plugin = "other"', "is of the plugin 'other', which is not in it"),
        ("[[presets]]", "[[plugins]]", "plugins: number 2: lacks distribution"),
        ("schema = 1", "schema = 1\nmore = 1", "unknown key 'more'"),
    ],
)
def test_whatever_is_wrong_in_a_lock_file_is_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    path = tmp_path / "zoo.lock"
    path.write_text(GOOD)
    lock.read(path)
    changed = GOOD.replace(old, new)
    assert changed != GOOD
    path.write_text(changed)
    with pytest.raises(LockError) as caught:
        lock.read(path)
    assert complaint in caught.value.message
    assert str(path) in caught.value.message


def test_a_lock_file_that_is_none_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (tmp_path / "missing.lock", tmp_path, Path("/dev/zero")):
        with pytest.raises(ZooError, match="cannot be read|not a regular file"):
            lock.read(path)
    assert main(["pull", "--from", str(tmp_path / "missing.lock")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert main(["pull", "glow", "--from", "zoo.lock"]) == 2
