"""Installing and removing plugins with uv or pip, in the environment that runs.

A plugin comes from where the registry, the user or a folder of wheels says, and never by its bare name from an index
that isn't ours: whoever registers that name there would get to run code here.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from zoo_core import index, packages, paths
from zoo_core.distributions import normalised
from zoo_core.errors import IncompatibleError, InstallError, NotInstalledError
from zoo_core.installed import why_incompatible
from zoo_core.names import is_path
from zoo_core.packages import Package
from zoo_core.records import Plugin
from zoo_core.version import __version__

Run = Callable[[Sequence[str]], int]
Arguments = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: `action` is install or uninstall, `origin` where the distribution comes from or lies."""

    plugins: tuple[str, ...]
    distribution: str
    version: str
    origin: str
    commands: tuple[Arguments, ...]
    action: str = "install"

    def __str__(self) -> str:
        return "\n".join(shlex.join(command) for command in self.commands)


def plan_install(name: str) -> Plan:
    """How to install a plugin: one that the registry names, or a path (`./x.whl`, `./my-plugin`).

    Raises NameNotFoundError, IncompatibleError, and InstallError where there is nothing to install it from.
    """
    if is_path(name):
        return _plan_package(packages.read(Path(name).expanduser().resolve()))
    plugin = index.find_plugin(name)
    if plugin.installed:
        raise InstallError(f"plugin '{name}' is installed already", f"zoo uninstall {name}, or name a path")
    return plan_plugin(plugin)


def plan_plugin(plugin: Plugin) -> Plan:
    """How to install a plugin that the registry knows; raises IncompatibleError and InstallError."""
    package = _at_hand(plugin)
    if package is None:
        return _plan_address(plugin)
    if plugin.name not in package.plugins:
        raise InstallError(f"{package.path} does not hold the plugin '{plugin.name}'")
    return _plan_package(package)


def plan_uninstall(name: str) -> Plan:
    """How to remove an installed plugin's distribution; raises NameNotFoundError and NotInstalledError."""
    plugin = index.find_plugin(name)
    if not plugin.installed:
        raise NotInstalledError(f"plugin '{name}' is not installed")
    gone = [row.name for row in index.installed_plugins() if row.distribution == plugin.distribution]
    command = (*_tool("uninstall"), plugin.distribution)
    place = str(plugin.package or "")
    return Plan(tuple(gone), plugin.distribution, plugin.version, place, (command,), action="uninstall")


def execute(plan: Plan, run: Run | None = None) -> None:
    """Do what was planned, with zoo-core held at the version that runs; raises InstallError."""
    check_environment()
    with _constraints() as constraints:
        for command in plan.commands:
            held = _held(command, constraints) if plan.action == "install" else ()
            if status := (run or _run)([*command, *held]):
                raise InstallError(
                    f"this failed with status {status}: {shlex.join(command)}", "its own message is above"
                )
    _see_what_is_new()


def _plan_package(package: Package) -> Plan:
    if misfit := why_incompatible(package.requires_core):
        raise IncompatibleError(f"{package.distribution} {package.version} cannot be used: {misfit}")
    targets = [argument for needed in _with_needed(package, {}) for argument in _target(needed)]
    command = (*_tool("install"), *targets)
    return Plan(tuple(package.plugins), package.distribution, package.version, str(package.path), (command,))


def _plan_address(plugin: Plugin) -> Plan:
    """Installing from the web: a wheel that its hash pins, or an index of ours, which is asked for nothing else."""
    source = plugin.source
    if source is None or source.kind == "path":
        raise _nowhere(plugin)
    if misfit := why_incompatible(plugin.requires_core):
        raise IncompatibleError(f"plugin '{plugin.name}' cannot be used: {misfit}")
    install, pinned = _tool("install"), f"{plugin.distribution}=={plugin.version}"
    if source.kind == "wheel":
        commands: tuple[Arguments, ...] = ((*install, f"{source.value}#sha256={source.sha256}"),)
    else:
        # Once it is there, the second command finds it installed and fetches only what it needs.
        commands = ((*install, "--no-deps", "--index-url", source.value, pinned), (*install, pinned))
    return Plan((plugin.name,), plugin.distribution, plugin.version, source.value, commands)


def _at_hand(plugin: Plugin) -> Package | None:
    """The plugin's project in the registry's checkout, else its wheel in a folder that the environment names."""
    registry, source = paths.registry_path(), plugin.source
    if registry and source and source.kind == "path":
        folder = registry.parent / source.value
        if (folder / "pyproject.toml").is_file():
            return packages.read(folder.resolve())
    return packages.find_wheel(plugin.distribution, plugin.version, source.sha256 if source else "")


def _nowhere(plugin: Plugin) -> InstallError:
    folders = ", ".join(map(str, packages.wheel_folders()))
    elsewhere = f"{folders} has no wheel of it" if folders else "no folder of wheels is named"
    return InstallError(
        f"there is no {plugin.distribution} {plugin.version} to install: it is on no index yet, and {elsewhere}",
        "use a checkout of the zoo, or put the wheel in a folder and set ZOO_WHEELS to it",
    )


def _with_needed(package: Package, found: dict[str, Package]) -> list[Package]:
    """A package after the plugins that it needs and that are not installed, as far as the registry knows them."""
    installed = {normalised(plugin.distribution) for plugin in index.installed_plugins()}
    known = {normalised(plugin.distribution): plugin for plugin in index.available_plugins()}
    found[normalised(package.distribution)] = package
    for name in package.needed:
        if name in known and name not in installed and name not in found:
            needed = _at_hand(known[name])
            if needed is None:
                raise _nowhere(known[name])
            _with_needed(needed, found)
    return list(reversed(found.values()))


def _target(package: Package) -> Arguments:
    return ("--editable", str(package.path)) if package.path.is_dir() else (str(package.path),)


def _tool(action: str) -> Arguments:
    """The command that installs or uninstalls in the environment of this interpreter."""
    if uv := shutil.which("uv"):
        options = ("--compile-bytecode",) if action == "install" else ()
        return (uv, "pip", action, "--quiet", "--python", sys.executable, *options)
    if find_spec("pip") is None:
        raise InstallError("neither uv nor pip is here to install with", f"{sys.executable} -m ensurepip")
    options = ("--yes",) if action == "uninstall" else ("--no-input",)
    return (sys.executable, "-m", "pip", action, "--quiet", "--disable-pip-version-check", *options)


def check_environment() -> str:
    """The tool that installs here; raises InstallError, with what to do, where nothing can be installed."""
    advice = "make a virtual environment: python3 -m venv .venv, and install zoo-core there"
    if _installed_core() is None:
        raise InstallError("zoo-core itself is not installed, only on the path", "install it: pip install -e CHECKOUT")
    in_system = sys.prefix == sys.base_prefix and not os.environ.get("PIP_BREAK_SYSTEM_PACKAGES")
    if in_system and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists():
        raise InstallError("this Python is the operating system's, which alone may install there (PEP 668)", advice)
    packages_folder = sysconfig.get_path("purelib")
    if not os.access(packages_folder, os.W_OK):
        raise InstallError(f"{packages_folder} cannot be written to", advice)
    return f"{shlex.join(_tool('install')[:3])}, into {packages_folder}"


def _installed_core() -> str | None:
    """The version of the installed distribution zoo-core; None where only its folder is on the path."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("zoo-core")
    except PackageNotFoundError:
        return None


def _held(command: Sequence[str], constraints: Path) -> Arguments:
    """The options that hold versions: these, and for uv those in $PIP_CONSTRAINT, which pip reads by itself."""
    from urllib.request import url2pathname

    named = os.environ.get("PIP_CONSTRAINT", "").split() if Path(command[0]).stem == "uv" else []
    # pip takes several, divided by spaces; a path with spaces is written as an address.
    paths = [url2pathname(name.removeprefix("file://")) if name.startswith("file://") else name for name in named]
    return tuple(word for path in [*paths, str(constraints)] for word in ("--constraint", path))


@contextmanager
def _constraints() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        path = Path(folder, "constraints.txt")
        path.write_text(f"zoo-core=={__version__}\n", encoding="utf-8")
        yield path


def _run(command: Sequence[str]) -> int:
    # Whatever it says goes to stderr: stdout may hold a JSON document.
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=2, check=False).returncode


def _see_what_is_new() -> None:
    """Let this process find what was just installed, the folder of an editable project too."""
    import importlib
    import site

    importlib.invalidate_caches()
    site.addsitedir(sysconfig.get_path("purelib"))
