"""What is installed comes from where the registry, the user or a folder of wheels says: never by its bare name."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.conftest import FakePlugins
from tests.projects import PYPROJECT, entry, write_project, write_wheel
from tests.web_server import running
from zoo_core import install_tool, installer, packages
from zoo_core.errors import IncompatibleError, InstallError, NameNotFoundError, NotInstalledError
from zoo_core.version import __version__


@pytest.fixture(autouse=True)
def no_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    """No folder of wheels but the test's own, and no uv: each test says what it wants."""
    for variable in ("ZOO_WHEELS", "PIP_FIND_LINKS", "UV_FIND_LINKS"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)


@pytest.fixture
def registry(only_fake_plugins: FakePlugins) -> Path:
    """A registry that knows the plugin `tiny`, in `plugins/tiny` beside it, where nothing is yet."""
    return only_fake_plugins.write("../registry.toml", f"schema = 1\n{entry()}").resolve()


class Recorder:
    """Stands in for the process that installs: keeps the commands and the constraints that they are given."""

    def __init__(self, status: int = 0) -> None:
        self.status = status
        self.commands: list[list[str]] = []
        self.constraints: list[str] = []

    def __call__(self, command: Sequence[str]) -> int:
        self.commands.append(list(command))
        if "--constraint" in command:
            self.constraints.append(Path(command[-1]).read_text())
        return self.status


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in which zoo-core is installed and that can be written to: its folder of packages."""
    monkeypatch.setattr(install_tool, "distribution_version", lambda name: __version__ if name == "zoo-core" else None)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    return tmp_path


def test_a_checkouts_plugin_is_installed_from_its_folder(registry: Path) -> None:
    folder = write_project(registry.parent)
    plan = installer.plan_install("tiny")
    assert (plan.plugins, plan.distribution, plan.version) == (("tiny",), "zoo-tiny", "1.0")
    assert plan.origin == str(folder)
    assert plan.commands[0][:4] == (sys.executable, "-m", "pip", "install")
    assert plan.commands[0][-2:] == ("--editable", str(folder))


@pytest.mark.parametrize("variable", ["ZOO_WHEELS", "PIP_FIND_LINKS", "UV_FIND_LINKS"])
def test_without_the_checkout_the_wheel_file_itself_is_installed(
    variable: str, registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(tmp_path / "wheels")
    monkeypatch.setenv(variable, str(wheel.parent))
    (command,) = installer.plan_install("tiny").commands
    assert command[-1] == str(wheel)
    assert "zoo-tiny" not in command


def test_there_is_nothing_to_install_rather_than_a_name_on_an_index(registry: Path, tmp_path: Path) -> None:
    with pytest.raises(InstallError, match=r"no zoo-tiny 1\.0 to install.*ZOO_WHEELS"):
        installer.plan_install("tiny")
    with pytest.raises(NameNotFoundError):
        installer.plan_install("tinny")


def test_the_registrys_version_goes_before_the_newest_that_fits(
    registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_WHEELS", str(tmp_path))
    versions = {version: write_wheel(tmp_path, version=version) for version in ("1.0", "1.9", "1.10")}
    write_wheel(tmp_path, version="2.0", requires=["zoo-core>=99"])
    write_wheel(tmp_path, version="3.0", tag="cp27")
    assert installer.plan_install("tiny").origin == str(versions["1.0"])
    versions["1.0"].unlink()
    assert installer.plan_install("tiny").origin == str(versions["1.10"])


def test_a_wheel_with_another_hash_than_the_registrys_is_refused(
    only_fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(tmp_path / "wheels")
    monkeypatch.setenv("ZOO_WHEELS", str(wheel.parent))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    address = "https://example.invalid/zoo_tiny-1.0-py3-none-any.whl"
    for recorded in (digest, "0" * 64):
        source = f'wheel = "{address}"\nsha256 = "{recorded}"'
        only_fake_plugins.write("../registry.toml", f"schema = 1\n{entry(source=source)}")
        if recorded == digest:
            assert installer.plan_install("tiny").origin == str(wheel)
        else:
            with pytest.raises(InstallError, match=f"sha256 is {digest}, the registry says 0000"):
                installer.plan_install("tiny")
    monkeypatch.delenv("ZOO_WHEELS")
    assert installer.plan_install("tiny").commands[0][-1] == f"zoo-tiny @ {address}#sha256={'0' * 64}"


def test_from_an_index_of_ours_only_the_plugin_itself_is_taken(only_fake_plugins: FakePlugins) -> None:
    source = 'index = "https://example.invalid/simple/"'
    only_fake_plugins.write("../registry.toml", f"schema = 1\n{entry(source=source)}")
    first, second = installer.plan_install("tiny").commands
    assert first[-4:] == ("--no-deps", "--index-url", "https://example.invalid/simple/", "zoo-tiny==1.0")
    assert second[-1] == "zoo-tiny==1.0"


def test_no_other_index_is_asked_for_a_plugin_that_is_on_a_named_one(
    only_fake_plugins: FakePlugins, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running() as server:
        settings = tmp_path / "pip.conf"
        settings.write_text(f"[global]\nextra-index-url = {server.address}/configured\n")
        monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{server.address}/extra")
        source = f'index = "{server.address}/simple"'
        only_fake_plugins.write("../registry.toml", f"schema = 1\n{entry(source=source)}")
        with pytest.raises(InstallError, match="failed with status 1"):
            installer.execute(installer.plan_install("tiny"))
    assert [path for path, _ in server.requests] == ["/simple/zoo-tiny/"]


def test_a_plugin_that_another_needs_is_taken_from_the_same_place(
    only_fake_plugins: FakePlugins, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_WHEELS", str(tmp_path))
    base = write_wheel(tmp_path, "base")
    wheel = write_wheel(tmp_path, requires=["zoo-core>=0.1", "Zoo_Base>=1", "numpy", "zoo-never; extra == 'x'"])
    entries = [entry(name, f'path = "plugins/{name}"') for name in ("tiny", "base", "never")]
    only_fake_plugins.write("../registry.toml", "\n".join(["schema = 1", *entries]))
    assert installer.plan_install("tiny").commands[0][-2:] == (str(base), str(wheel))
    base.unlink()
    with pytest.raises(InstallError, match="no zoo-base"):
        installer.plan_install("tiny")
    only_fake_plugins.add("base")
    assert installer.plan_install("tiny").commands[0][-1] == str(wheel)


def test_a_path_is_installed_as_it_is_named(only_fake_plugins: FakePlugins, tmp_path: Path) -> None:
    wheel, folder = write_wheel(tmp_path), write_project(tmp_path)
    assert installer.plan_install(str(wheel)).commands[0][-1] == str(wheel)
    assert installer.plan_install(str(folder)).commands[0][-2:] == ("--editable", str(folder))


def test_what_is_no_plugin_is_refused(only_fake_plugins: FakePlugins, tmp_path: Path) -> None:
    broken = tmp_path / "zoo_tiny-1.0-py3-none-any.whl"
    broken.write_bytes(b"no wheel")
    library = write_project(tmp_path, "library", PYPROJECT.partition("[project.entry-points")[0])
    for path, reason in (
        (broken, "no wheel that can be read"),
        (tmp_path / "missing.whl", "does not exist"),
        (tmp_path, "no Python project"),
        (library, "no entry point in the group zoo.plugins"),
    ):
        with pytest.raises(InstallError, match=reason):
            installer.plan_install(str(path))


def test_a_wheel_with_malformed_metadata_is_an_error(
    registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_WHEELS", str(tmp_path))
    wheel = write_wheel(tmp_path, requires=["zoo-core>=0.1", "numpy =="])
    with pytest.raises(InstallError, match="malformed requirement"):
        installer.plan_install("tiny")
    write_wheel(tmp_path / "other", "other").rename(wheel)
    with pytest.raises(InstallError, match="does not hold the plugin 'tiny'"):
        installer.plan_install("tiny")


def test_a_plugin_for_another_core_is_refused(only_fake_plugins: FakePlugins, tmp_path: Path) -> None:
    wheel = write_wheel(tmp_path, requires=["zoo-core>=99"])
    with pytest.raises(IncompatibleError, match="needs zoo-core >=99"):
        installer.plan_install(str(wheel))


def test_the_core_is_held_at_the_version_that_runs(registry: Path, here: Path) -> None:
    write_project(registry.parent)
    recorder = Recorder()
    installer.execute(installer.plan_install("tiny"), recorder)
    assert recorder.constraints == [f"zoo-core=={__version__}\n"]
    assert recorder.commands[0][-2] == "--constraint"


def test_a_plugin_that_is_not_brought_along_is_not_looked_for_on_an_index(
    only_fake_plugins: FakePlugins, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZOO_WHEELS", str(tmp_path))
    base = write_wheel(tmp_path, "base")
    write_wheel(tmp_path, requires=["zoo-core>=0.1", "zoo-base"])
    entries = [entry(name, f'path = "plugins/{name}"') for name in ("tiny", "base", "never")]
    only_fake_plugins.write("../registry.toml", "\n".join(["schema = 1", *entries]))
    recorder = Recorder()
    installer.execute(installer.plan_install("tiny"), recorder)
    installer.execute(installer.plan_install(str(base)), recorder)
    core = f"zoo-core=={__version__}\n"
    assert recorder.constraints == [f"{core}zoo-never<0\n", f"{core}zoo-never<0\nzoo-tiny<0\n"]


@pytest.mark.parametrize(
    ("digest", "content", "complaint"),
    [("", "tiny", ""), ("0" * 64, "tiny", "DO NOT MATCH THE HASHES"), ("", "other", "invalid wheel")],
    ids=["right", "another content", "another distribution inside"],
)
def test_pip_takes_just_the_wheel_that_the_registry_describes(
    digest: str, content: str, complaint: str, only_fake_plugins: FakePlugins, tmp_path: Path
) -> None:
    wheel = write_wheel(tmp_path, content, requires=[]).read_bytes()
    digest = digest or hashlib.sha256(wheel).hexdigest()
    with running() as server:
        address = server.page("/zoo_tiny-1.0-py3-none-any.whl", wheel)
        source = f'wheel = "{address}"\nsha256 = "{digest}"'
        only_fake_plugins.write("../registry.toml", f"schema = 1\n{entry(source=source)}")
        (command,) = installer.plan_install("tiny").commands
        done = subprocess.run([*command, "--dry-run"], capture_output=True, text=True, timeout=60)
    assert complaint in done.stderr
    assert (done.returncode == 0) is (complaint == ""), done.stderr


@pytest.mark.parametrize("file", ["zoo_other-1.0-py3-none-any.whl", "zoo_tiny-1.1-py3-none-any.whl", "tiny.tar.gz", ""])
def test_an_address_of_another_file_than_the_plugins_wheel_is_refused(
    file: str, only_fake_plugins: FakePlugins
) -> None:
    source = f'wheel = "https://example.org/{file}"\nsha256 = "{"0" * 64}"'
    only_fake_plugins.write("../registry.toml", f"schema = 1\n{entry(source=source)}")
    with pytest.raises(InstallError, match=r"is no wheel of zoo-tiny 1\.0"):
        installer.plan_install("tiny")


def test_a_failed_installation_is_an_error(registry: Path, here: Path) -> None:
    write_project(registry.parent)
    with pytest.raises(InstallError, match="status 3: .*pip install"):
        installer.execute(installer.plan_install("tiny"), Recorder(status=3))


def test_uv_is_used_where_it_is(registry: Path, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name == "uv" else None)
    write_project(registry.parent)
    (command,) = installer.plan_install("tiny").commands
    assert command[:3] == ("/bin/uv", "pip", "install")
    assert {"--compile-bytecode", sys.executable} < set(command)


def test_uv_gets_the_constraints_that_pip_reads_by_itself(
    registry: Path, here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(registry.parent)
    monkeypatch.setenv("PIP_CONSTRAINT", "file:///a%20b/pins.txt more.txt")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with_pip, with_uv = Recorder(), Recorder()
    installer.execute(installer.plan_install("tiny"), with_pip)
    assert with_pip.commands[0].count("--constraint") == 1
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name == "uv" else None)
    installer.execute(installer.plan_install("tiny"), with_uv)
    named = ["--constraint", "/a b/pins.txt", "--constraint", "more.txt"]
    assert list(with_uv.commands[0][-6:-1]) == [*named, "--constraint"]


def test_where_nothing_can_be_installed_it_says_what_to_do(
    registry: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_project(registry.parent)
    plan = installer.plan_install("tiny")
    monkeypatch.delenv("PIP_BREAK_SYSTEM_PACKAGES", raising=False)
    (here / "EXTERNALLY-MANAGED").touch()
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    with pytest.raises(InstallError, match="PEP 668.*python3 -m venv"):
        installer.execute(plan, Recorder())
    (here / "EXTERNALLY-MANAGED").unlink()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    with pytest.raises(InstallError, match="cannot be written to.*python3 -m venv"):
        installer.execute(plan, Recorder())
    monkeypatch.setattr(install_tool, "distribution_version", lambda name: None)
    with pytest.raises(InstallError, match="only on the path"):
        installer.execute(plan, Recorder())


def test_uninstalling_names_the_distribution_that_is_there(only_fake_plugins: FakePlugins, here: Path) -> None:
    only_fake_plugins.add("tiny", distribution="some-distribution")
    plan = installer.plan_uninstall("tiny")
    assert plan.commands[0][-1] == "some-distribution"
    recorder = Recorder()
    installer.execute(plan, recorder)
    assert "--constraint" not in recorder.commands[0]


def test_uninstalling_needs_no_registry(only_fake_plugins: FakePlugins, here: Path) -> None:
    only_fake_plugins.add("tiny")
    only_fake_plugins.write("../registry.toml", "[[plugins")
    recorder = Recorder()
    installer.execute(installer.plan_uninstall("tiny"), recorder)
    assert recorder.commands[0][-1] == "zoo-tiny"


def test_only_what_is_installed_can_be_uninstalled(registry: Path) -> None:
    with pytest.raises(NotInstalledError, match="plugin 'tiny' is not installed"):
        installer.plan_uninstall("tiny")


def test_the_folder_of_a_projects_package_is_found(tmp_path: Path) -> None:
    folder = write_project(tmp_path)
    package = packages.read(folder)
    assert packages.import_folder(package, "tiny") == folder / "zoo_tiny"
    (folder / "src").mkdir()
    (folder / "zoo_tiny").rename(folder / "src" / "zoo_tiny")
    assert packages.import_folder(package, "tiny") == folder / "src" / "zoo_tiny"
    shutil.rmtree(folder / "src")
    with pytest.raises(InstallError, match="neither here nor in src/"):
        packages.import_folder(package, "tiny")
