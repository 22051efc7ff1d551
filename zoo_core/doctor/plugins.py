"""Each installed plugin, loaded in a process of its own: how long that takes, what it registers, what fails."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from zoo_core import index, probe
from zoo_core.distributions import normalised
from zoo_core.doctor.finding import ERROR, OK, WARNING, Finding, pip
from zoo_core.errors import RegistryError
from zoo_core.records import Plugin

_SINGULAR = {"losses": "loss", **{f"{kind}s": kind for kind in ("layer", "optimizer", "callback", "model", "command")}}


def findings(refresh: bool) -> Iterator[Finding]:
    """What is found out about each plugin; with `refresh`, those that were loaded before are loaded again."""
    installed = index.installed_plugins()
    if not installed:
        yield Finding("plugins", WARNING, "no plugin is installed", "zoo list, then: zoo pull NAME")
    results = probe.results(installed, refresh=refresh)
    newest = _newest()
    for plugin in installed:
        yield _plugin(plugin, results.get(plugin.name), newest.get(plugin.name))


def project_of(plugin: Plugin) -> Path | None:
    """The folder of the plugin's project, where it is installed from one that can be edited."""
    folders = (plugin.package.parent, plugin.package.parent.parent) if plugin.package else ()
    return next((folder for folder in folders if (folder / "pyproject.toml").is_file()), None)


def updating(plugin: Plugin) -> str:
    """The command that writes a plugin's manifest anew, or who has to type it."""
    project = project_of(plugin)
    return f"zoo manifest update {shlex.quote(str(project))}" if project else "ask its author to: zoo manifest update"


def _plugin(plugin: Plugin, result: probe.Result | None, newest: Plugin | None) -> Finding:
    name, described = f"plugin {plugin.name}", f"{plugin.distribution} {plugin.version}"
    if reason := plugin.broken or (result.error if result else None):
        return Finding(name, ERROR, f"{described}: {reason}", _mending(plugin))
    if blemish := _blemish(plugin, result) or _outdated(plugin, newest):
        return Finding(name, WARNING, f"{described}: {blemish[0]}", blemish[1])
    facts = [described, f"loads in {result.seconds:.2f} s" if result else "", _contents(plugin, result)]
    return Finding(name, OK, ", ".join(filter(None, facts)))


def _mending(plugin: Plugin) -> str:
    if "claim the name" in (plugin.broken or ""):
        return pip("uninstall", plugin.distribution)
    leaving = f"zoo uninstall {plugin.name}"
    if not plugin.compatible:
        return f"{leaving}, or install a zoo-core that fits"
    return f"{leaving}, or mend it in {project}" if (project := project_of(plugin)) else leaving


def _blemish(plugin: Plugin, result: probe.Result | None) -> tuple[str, str] | None:
    """What is not as it should be in a plugin that works, and what mends it."""
    if result is None:
        return "its code was not tried", "unset ZOO_NO_PROBE"
    if result.heavy:
        where = project_of(plugin) or "its author's project"
        return f"loading it imports {', '.join(result.heavy)}", f"import that inside functions, in {where}"
    if plugin.manifest is None:
        return "it has no manifest, so its code is run to list it", updating(plugin)
    if result.stale:
        return f"its manifest is not what it registers ({_contents(plugin, result)})", updating(plugin)
    return None


def _newest() -> dict[str, Plugin]:
    try:
        return {plugin.name: plugin for plugin in index.available_plugins()}
    except RegistryError:
        return {}


def _outdated(plugin: Plugin, newest: Plugin | None) -> tuple[str, str] | None:
    """That the registry has a later version of this very distribution, which works with this core."""
    from packaging.version import InvalidVersion, Version

    if newest is None or not newest.compatible or normalised(newest.distribution) != normalised(plugin.distribution):
        return None
    try:
        if Version(newest.version) <= Version(plugin.version):
            return None
    except InvalidVersion:
        return None
    return f"the registry has {newest.version}", f"zoo uninstall {plugin.name} && zoo install {plugin.name}"


def _contents(plugin: Plugin, result: probe.Result | None) -> str:
    """What it registers, counted: "1 loss, 14 layers, 3 models"."""
    counts = result.counts if result else {}
    return ", ".join(f"{count} {_SINGULAR[kind] if count == 1 else kind}" for kind, count in counts.items())
