"""Writing down what there is here (`zoo freeze`), and bringing a machine to exactly that (`zoo pull --from FILE`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core import index
from zoo_core.addresses import is_web_address
from zoo_core.distributions import normalised, noted_origin
from zoo_core.errors import InstallError, IntegrityError, NameNotFoundError, NotInstalledError, OfflineError
from zoo_core.lock_file import Lock, LockedPlugin, LockedPreset, read, render
from zoo_core.records import File, Plugin, Source
from zoo_core.version import __version__

if TYPE_CHECKING:
    from zoo_core import installer
    from zoo_core.cache import Entry
    from zoo_core.hub import Report
    from zoo_core.pulling import Pulled

__all__ = ["Lock", "LockedPlugin", "LockedPreset", "Plan", "freeze", "plan", "read", "render", "restore"]

# What stands for the registry where only the lock file says what to install. No registry can have this name.
_THE_FILE = "the lock file"


@dataclass(frozen=True, slots=True)
class Plan:
    """What restoring a lock would do: install these plugins, then pull and check all of its presets."""

    lock: Lock
    installs: tuple[installer.Plan, ...]

    @property
    def note(self) -> str:
        """What is not brought to what it was, but does no harm; "" for nothing."""
        core = self.lock.core
        return "" if core == __version__ else f"it was written with zoo-core {core}, this is {__version__}"


def freeze() -> Lock:
    """The plugins here that work, and the presets on this disk, each of whose files is read and checked.

    Raises IntegrityError for a preset that is damaged; one that is there in part is left out.
    """
    from zoo_core import cache

    plugins = tuple(_locked(plugin) for plugin in index.plugins() if plugin.installed and not plugin.broken)
    names = {plugin.name for plugin in plugins}
    entries: dict[str, Entry] = {}
    for entry in cache.entries():
        if entry.complete and not entry.superseded and entry.plugin in names:
            entries.setdefault(_name(entry), entry)
    for entry in entries.values():
        cache.verify(entry)
    presets = tuple(_locked_preset(name, entry) for name, entry in sorted(entries.items()))
    return Lock(__version__, plugins, presets)


def plan(path: Path) -> Plan:
    """What restoring a lock file would do; nothing is done.

    Raises LockError, InstallError where a version is nowhere to be had, IncompatibleError, NameNotFoundError.
    """
    lock = read(path)
    here = {plugin.name: plugin for plugin in index.installed_plugins()}
    known = {plugin.name: plugin for plugin in index.available_plugins()}
    missing = [locked for locked in lock.plugins if not _is_here(locked, here.get(locked.name))]
    return Plan(lock, tuple(_installation(locked, known.get(locked.name)) for locked in missing))


def restore(
    path: Path,
    *,
    yes: bool = False,
    confirm: Callable[[Sequence[installer.Plan]], bool] | None = None,
    offline: bool = False,
    progress: Report | None = None,
) -> tuple[Pulled, ...]:
    """Install just the versions in a lock file, if `yes` or if `confirm(plans)` agrees, and pull just its presets.

    Nothing is installed if any of it is nowhere to be had. `offline` and `progress` are as in `pull`. Raises what
    `plan` and `pulling.pull` raise; NotInstalledError where nobody agreed; IntegrityError and InstallError, naming what
    differs, where what is here in the end is not what the file lists.
    """
    planned = plan(path)
    _install(planned.installs, yes, confirm, offline)
    for locked in planned.lock.plugins:
        _check_version(locked)
    return tuple(_pulled(preset, offline, progress) for preset in planned.lock.presets)


def _locked(plugin: Plugin) -> LockedPlugin:
    """The plugin, with its source on the web if that is where ours has this version, or where it came from."""
    known = next((each for each in index.available_plugins() if _is_same(each, plugin)), None)
    source = known.source if known and known.version == plugin.version else None
    if source and (source.kind == "path" or (known and known.registry and not _came_from(plugin, source))):
        source = None
    return LockedPlugin(plugin.name, plugin.distribution, plugin.version, source)


def _came_from(plugin: Plugin, source: Source) -> bool:
    """Whether this wheel is what is here: whoever keeps another registry may claim the name of anything installed."""
    noted = noted_origin(plugin.metadata) if plugin.metadata else {}
    try:
        return bool(noted["url"] == source.value or noted["archive_info"]["hashes"]["sha256"] == source.sha256)
    except (KeyError, TypeError):
        return False


def _locked_preset(name: str, entry: Entry) -> LockedPreset:
    preset = entry.preset
    if entry.source == "bundled":
        return LockedPreset(name, entry.plugin, preset.files)
    return LockedPreset(name, entry.plugin, preset.files, preset.repo, preset.revision)


def _name(entry: Entry) -> str:
    return f"{entry.plugin}/{entry.preset.name}" if entry.preset.variant else entry.name


def _is_same(one: Plugin | LockedPlugin, other: Plugin | LockedPlugin) -> bool:
    return one.name == other.name and normalised(one.distribution) == normalised(other.distribution)


def _is_here(locked: LockedPlugin, plugin: Plugin | None) -> bool:
    return bool(plugin and plugin.installed and _is_same(locked, plugin) and plugin.version == locked.version)


def _installation(locked: LockedPlugin, known: Plugin | None) -> installer.Plan:
    """How to get that version: from where a registry has it, else from where the lock file says."""
    from zoo_core import installer

    if known is None or not _is_same(locked, known) or (known.version != locked.version and locked.source):
        known = Plugin(locked.name, locked.distribution, locked.version, source=locked.source, registry=_THE_FILE)
    elif known.version != locked.version and known.source and known.source.kind == "wheel":
        known = replace(known, source=None)
    return installer.plan_version(replace(known, version=locked.version))


def _install(
    plans: Sequence[installer.Plan],
    yes: bool,
    confirm: Callable[[Sequence[installer.Plan]], bool] | None,
    offline: bool,
) -> None:
    from zoo_core import installer

    for each in plans:
        if offline and is_web_address(each.origin):
            raise OfflineError(f"{each.distribution} {each.version} is not installed, and the network is off")
    if plans and not yes and not (confirm and confirm(plans)):
        wanted = ", ".join(f"{each.distribution} {each.version}" for each in plans)
        raise NotInstalledError(f"not installed, and nobody agreed to install: {wanted}", "add --yes")
    for each in plans:
        installer.execute(each)


def _check_version(locked: LockedPlugin) -> None:
    plugin = next((each for each in index.installed_plugins() if each.name == locked.name), None)
    if not _is_here(locked, plugin):
        found = f"{plugin.distribution} {plugin.version}" if plugin else "nothing"
        wanted = f"{locked.distribution} {locked.version}"
        raise InstallError(f"plugin '{locked.name}': the lock file has {wanted}, installed is {found}", "zoo doctor")


def _pulled(locked: LockedPreset, offline: bool, progress: Report | None) -> Pulled:
    from zoo_core.names import is_hub_reference
    from zoo_core.pulling import pull

    if not is_hub_reference(locked.name):
        _, _, preset = index.find_preset(locked.name)
        if preset is None:
            raise NameNotFoundError(f"no preset '{locked.name}'", "zoo list")
        _check_files(locked, preset.files)
    pulled = pull(locked.name, offline=offline, progress=progress)
    _check_files(locked, pulled.files)
    return pulled


def _check_files(locked: LockedPreset, files: Sequence[File]) -> None:
    """Raise IntegrityError, naming what differs, unless these are the lock's files."""
    found = {file.name: file for file in files}
    for file in locked.files:
        other = found.get(file.name)
        if other != file:
            described = f"{other.size} bytes with sha256 {other.sha256}" if other else "no such file"
            raise IntegrityError(
                f"{locked.name}: {file.name}: the lock file has {file.size} bytes with sha256 {file.sha256}, "
                f"the plugin '{locked.plugin}' that is installed has {described}"
            )
