"""Installing and removing plugins with uv or pip, in the environment that runs.

A plugin comes from where the registry, the user or a folder of wheels says, and never by its bare name from an index
that isn't ours: whoever registers that name there would get to run code here.
"""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from zoo_core import index, install_tool, known_registries, lookalikes, packages
from zoo_core.distributions import normalised
from zoo_core.errors import IncompatibleError, InstallError, NotInstalledError
from zoo_core.install_tool import Arguments
from zoo_core.installed import why_incompatible
from zoo_core.names import is_path
from zoo_core.packages import Package
from zoo_core.records import OURS, Plugin
from zoo_core.version import __version__

Run = Callable[[Sequence[str]], int]

_ADVICE = "its own message is above; if it is about `<0`, install that plugin with zoo first"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: `action` is install or uninstall, `origin` where the distribution comes from or lies.

    `registry` is the name of the registry that says so, "" where the user named a path; `warnings` what to know before
    agreeing; `brings` the distributions that come from where the plan says, and may come from nowhere else.
    """

    plugins: tuple[str, ...]
    distribution: str
    version: str
    origin: str
    commands: tuple[Arguments, ...]
    action: str = "install"
    registry: str = ""
    warnings: tuple[str, ...] = ()
    brings: tuple[str, ...] = ()

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
    """How to install a plugin that a registry knows; raises IncompatibleError and InstallError."""
    return _plan(plugin, _at_hand(plugin))


def plan_version(plugin: Plugin) -> Plan:
    """How to install just this version of a plugin, also in another one's place; raises as `plan_plugin` does."""
    package = _at_hand(plugin)
    if package and package.version != plugin.version:
        package = packages.find_wheel(plugin.distribution, plugin.version) or package
    if package and package.version != plugin.version:
        wanted = f"{plugin.distribution} {plugin.version}"
        raise InstallError(f"{wanted} is wanted, but {package.path} is {package.version}", f"get a wheel of {wanted}")
    return _plan(plugin, package)


def plan_uninstall(name: str) -> Plan:
    """How to remove an installed plugin's distribution; raises NameNotFoundError and NotInstalledError."""
    plugin = index.find_plugin(name)
    if not plugin.installed:
        raise NotInstalledError(f"plugin '{name}' is not installed")
    gone = [row.name for row in index.installed_plugins() if row.distribution == plugin.distribution]
    command = (*install_tool.command("uninstall"), plugin.distribution)
    place = str(plugin.package or "")
    return Plan(tuple(gone), plugin.distribution, plugin.version, place, (command,), action="uninstall")


def execute(plan: Plan, run: Run | None = None) -> None:
    """Do what was planned, with zoo-core held at the version that runs; raises InstallError."""
    install_tool.check_environment()
    with _constraints(plan) as constraints:
        for command in plan.commands:
            held = install_tool.holding(command, constraints) if plan.action == "install" else ()
            if status := (run or install_tool.run)([*command, *held]):
                raise InstallError(f"this failed with status {status}: {shlex.join(command)}", _ADVICE)
    install_tool.see_what_is_new()


def _plan(plugin: Plugin, package: Package | None) -> Plan:
    if package:
        _check_holds(package, plugin)
    _check_replaces_nothing(plugin)
    plan = _plan_package(package, plugin.registry) if package else _plan_address(plugin)
    others = (known for known in index.plugins() if known.installed or not known.registry)
    return replace(plan, registry=plugin.registry or OURS, warnings=lookalikes.warnings(plugin, others))


def _plan_package(package: Package, registry: str = "") -> Plan:
    if misfit := why_incompatible(package.requires_core):
        raise IncompatibleError(f"{package.distribution} {package.version} cannot be used: {misfit}")
    every = _with_needed(package, _known(registry), {})
    command = (*install_tool.command("install"), *(argument for needed in every for argument in _target(needed)))
    return Plan(
        tuple(package.plugins),
        package.distribution,
        package.version,
        str(package.path),
        (command,),
        brings=tuple(needed.distribution for needed in every),
    )


def _plan_address(plugin: Plugin) -> Plan:
    """Installing from the web: a wheel that its hash pins, or an index of ours, which is asked for nothing else."""
    source = plugin.source
    if source is None or source.kind == "path":
        raise _nowhere(plugin)
    if misfit := why_incompatible(plugin.requires_core):
        raise IncompatibleError(f"plugin '{plugin.name}' cannot be used: {misfit}")
    install, pinned = install_tool.command("install"), f"{plugin.distribution}=={plugin.version}"
    if source.kind == "wheel":
        packages.check_wheel_name(source.value, plugin.distribution, plugin.version)
        # With the name before it, a wheel that turns out to be of another distribution is refused.
        wheel = f"{plugin.distribution} @ {source.value}#sha256={source.sha256}"
        commands: tuple[Arguments, ...] = ((*install, wheel),)
    else:
        # Once it is there, the second command finds it installed and fetches only what it needs.
        commands = ((*install, "--no-deps", "--index-url", source.value, pinned), (*install, pinned))
    brings = (plugin.distribution,)
    return Plan((plugin.name,), plugin.distribution, plugin.version, source.value, commands, brings=brings)


def _check_holds(package: Package, plugin: Plugin) -> None:
    if plugin.name not in package.plugins:
        raise InstallError(f"{package.path} does not hold the plugin '{plugin.name}'")
    if normalised(package.distribution) != normalised(plugin.distribution):
        raise InstallError(f"{package.path} is the distribution {package.distribution}, not {plugin.distribution}")


def _check_replaces_nothing(plugin: Plugin) -> None:
    """Raise InstallError where a registry that isn't ours would put a plugin in the place of something else."""
    version = install_tool.distribution_version(plugin.distribution)
    its_own = {normalised(row.distribution) for row in index.installed_plugins() if row.name == plugin.name}
    if plugin.registry and version and normalised(plugin.distribution) not in its_own:
        claimed = f"plugin '{plugin.name}' is in the distribution {plugin.distribution} by {plugin.registry}"
        raise InstallError(f"{claimed}: it would replace {version}, which is installed and has no such plugin")


def _at_hand(plugin: Plugin) -> Package | None:
    """The plugin's project beside its registry's file, else its wheel in a folder that the environment names."""
    source = plugin.source
    beside = known_registries.folder(plugin.registry) if source and source.kind == "path" else None
    if source and beside and (beside / source.value / "pyproject.toml").is_file():
        return packages.read((beside / source.value).resolve())
    return packages.find_wheel(plugin.distribution, plugin.version, source.sha256 if source else "")


def _nowhere(plugin: Plugin) -> InstallError:
    folders = ", ".join(map(str, packages.wheel_folders()))
    elsewhere = f"{folders} has no wheel of it" if folders else "no folder of wheels is named"
    return InstallError(
        f"there is no {plugin.distribution} {plugin.version} to install: it is on no index yet, and {elsewhere}",
        "use a checkout of the zoo, or put the wheel in a folder and set ZOO_WHEELS to it",
    )


def _with_needed(package: Package, known: Mapping[str, Plugin], found: dict[str, Package]) -> list[Package]:
    """A package after the plugins that it needs and that are not installed, as far as they are known."""
    installed = {normalised(plugin.distribution) for plugin in index.installed_plugins()}
    found[normalised(package.distribution)] = package
    for name in package.needed:
        if name in known and name not in installed and name not in found:
            _with_needed(_needed(package, known[name]), known, found)
    return list(reversed(found.values()))


def _needed(package: Package, plugin: Plugin) -> Package:
    if needed := _at_hand(plugin):
        return needed
    if plugin.source is None or plugin.source.kind == "path":
        raise _nowhere(plugin)
    raise InstallError(
        f"{package.distribution} needs the plugin '{plugin.name}', which is not installed", f"zoo install {plugin.name}"
    )


def _known(registry: str) -> dict[str, Plugin]:
    """Plugins by distribution, of our registry and of the one that is installed from: no third one has a say in it."""
    known = (plugin for plugin in index.available_plugins() if plugin.registry in ("", registry))
    return {normalised(plugin.distribution): plugin for plugin in known}


def _target(package: Package) -> Arguments:
    return ("--editable", str(package.path)) if package.path.is_dir() else (str(package.path),)


@contextmanager
def _constraints(plan: Plan) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        path = Path(folder, "constraints.txt")
        missing = _never_from_an_index(plan) if plan.action == "install" else ()
        lines = [f"zoo-core=={__version__}", *(f"{name}<0" for name in missing)]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        yield path


def _never_from_an_index(plan: Plan) -> list[str]:
    """Plugins that the plan does not bring: if it needs one, the installer may not look for that name elsewhere.

    Those too that its registry knows and that an earlier registry has the name of.
    """
    registries = ("", plan.registry)
    known = {normalised(each.distribution) for each in index.registered_plugins() if each.registry in registries}
    missing = known - set(map(normalised, plan.brings))
    return sorted(name for name in missing if install_tool.distribution_version(name) is None)
