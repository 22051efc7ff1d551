"""Getting a model: its plugin installed if need be, its weights on the disk, every file checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core import index
from zoo_core.addresses import is_web_address
from zoo_core.errors import InstallError, NotInstalledError, OfflineError, PresetError, UsageError
from zoo_core.names import (
    HubReference,
    Reference,
    is_hub_reference,
    is_path,
    is_revision,
    parse_hub_reference,
    parse_reference,
    shown_path,
)
from zoo_core.presets import CONFIG_FILE, PresetFolder
from zoo_core.records import File, Model, Plugin, Preset

if TYPE_CHECKING:
    from zoo_core import installer
    from zoo_core.hub import Report


@dataclass(frozen=True, slots=True)
class Plan:
    """What `pull` would do: install the plugin (`install` says how; None: it is installed), and get these files.

    `source` is "bundled", "hub", or "" for a model without weights; `present` says that the files are there already;
    `recorded` that its own record says which files those are, not the plugin's manifest; `branch` is the one that its
    revision was looked up for, "" where it was given.
    """

    plugin: Plugin
    model: Model
    preset: Preset | None
    source: str
    present: bool
    install: installer.Plan | None
    recorded: bool = False
    branch: str = ""

    @property
    def download(self) -> int:
        """The bytes that have to be downloaded: those of the files that are not here yet."""
        if self.preset is None or self.source != "hub":
            return 0
        folder = preset_folder(self.plugin, self.preset)
        missing = (file for file in self.preset.files if not folder or not PresetFolder(folder).is_complete([file]))
        return sum(file.size for file in missing)


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is ready: its name and plugin, and the checked files of its preset under `path`.

    `source` is "bundled", "hub" or "path", or "" (and `path` None) for a model without weights; `reference` is the name
    under which `zoo_core.load` gives just these weights.
    """

    name: str
    plugin: str
    variant: str | None
    revision: str | None
    source: str
    path: Path | None
    files: tuple[File, ...]
    reference: str


def plan(reference: str, *, unpinned: bool = False, offline: bool = False) -> Plan:
    """What pulling this name would do; nothing is done.

    For what no manifest pins (`hf://...`, a branch) the record of its files is downloaded. Raises NameNotFoundError,
    InstallError, IncompatibleError, and for those what a download can raise.
    """
    if is_hub_reference(reference):
        return _plan_published(parse_hub_reference(reference, unpinned), offline)
    wanted = parse_reference(reference, unpinned)
    if wanted.revision and not is_revision(wanted.revision):
        return _plan_branch(replace(wanted, revision=None), wanted.revision, offline)
    plugin, model, preset = index.find_preset(wanted)
    present = preset is not None and is_pulled(plugin, preset)
    return Plan(plugin, model, preset, _source(preset), present, _installation(plugin))


def pull(
    reference: str | os.PathLike[str],
    *,
    yes: bool = False,
    offline: bool | None = None,
    confirm: Callable[[Plan], bool] | None = None,
    unpinned: bool = False,
    progress: Report | None = None,
) -> Pulled:
    """Make a model ready: install its plugin, if `yes` or if `confirm(plan)` agrees, and get and check its weights.

    `reference` is a name such as `glow`, `glow/realnvp` or `glow:mnist@<revision>`; a place on the Hub,
    `hf://owner/name@<revision>`, whose files are checked by what its run.json records; or the path of a preset's
    folder, likewise. With `unpinned` the revision may be a branch. `offline` keeps off the network, and so does
    $HF_HUB_OFFLINE, but for installing. `progress` is told how far a download is, in place of what is shown on stderr.
    Repeatable: what is there is only checked again. Raises NotInstalledError where the plugin is missing and nobody
    agreed to install it; IntegrityError, DownloadError, DiskError, OfflineError, InstallError, and what a name can be
    wrong in.
    """
    if is_path(reference):
        return _checked_path(Path(reference).expanduser())
    name = str(reference)
    planned = plan(name, unpinned=unpinned, offline=bool(offline))
    if planned.install is not None:
        _install(planned, yes, confirm, bool(offline))
        planned = plan(name, unpinned=unpinned, offline=bool(offline))
    with _shown(progress) as report:
        return _pulled(planned, bool(offline), report)


def is_pulled(plugin: Plugin, preset: Preset) -> bool:
    """Whether the preset's files are on the disk with the sizes recorded; their content is left unread."""
    folder = preset_folder(plugin, preset)
    return folder is not None and PresetFolder(folder).is_complete(preset.files)


def preset_folder(plugin: Plugin, preset: Preset) -> Path | None:
    """Where the preset's files are, or will be once pulled; None for a bundled one whose plugin is not installed."""
    if preset.folder:
        return plugin.package / preset.folder if plugin.package else None
    from zoo_core import hub

    return hub.snapshot_folder(preset)


def present(plugin: Plugin, preset: Preset) -> PresetFolder:
    """The preset of an installed plugin, downloaded if need be; its files' content is left unread.

    Raises DownloadError, OfflineError.
    """
    if preset.folder and plugin.package:
        return PresetFolder(plugin.package / preset.folder, mending(plugin, preset))
    return PresetFolder(_fetched(preset), mending(plugin, preset))


def present_published(reference: str) -> tuple[PresetFolder, tuple[File, ...], str]:
    """The folder of `hf://owner/name@<revision>`, downloaded if need be, its files, and its model's `plugin/name`.

    Raises UsageError, PresetError, DownloadError, OfflineError.
    """
    from zoo_core import hub

    place = parse_hub_reference(reference)
    found = hub.published(place.repo, place.revision)
    return PresetFolder(_fetched(found.preset), f"zoo pull {place}"), found.preset.files, found.model


def not_installed(plugin: Plugin) -> NotInstalledError:
    """The error that says how to get a plugin."""
    return NotInstalledError(f"plugin '{plugin.name}' is not installed", f"zoo pull {plugin.name}")


def mending(plugin: Plugin, preset: Preset) -> str:
    """The command that mends a preset whose files are damaged."""
    if preset.folder:
        return f"the installed plugin is damaged: zoo uninstall {plugin.name}, then zoo pull {plugin.name} --yes"
    return f"zoo pull {plugin.name}/{preset.name}"


def _plan_published(place: HubReference, offline: bool) -> Plan:
    from zoo_core import hub

    revision = place.revision
    if not is_revision(revision):
        revision = hub.newest_revision(place.repo, revision, offline)
    found = hub.published(place.repo, revision, offline)
    plugin, model = index.find_model(found.model)
    present = PresetFolder(hub.snapshot_folder(found.preset)).is_complete(found.preset.files)
    branch = "" if revision == place.revision else place.revision or "main"
    return Plan(plugin, model, found.preset, "hub", present, _installation(plugin), recorded=True, branch=branch)


def _plan_branch(wanted: Reference, branch: str, offline: bool) -> Plan:
    """A preset's model at another revision than its manifest's."""
    plugin, model, preset = index.find_preset(wanted)
    if preset is None or not preset.repo:
        raise UsageError(f"{wanted} has no branch '{branch}': it is not on the Hub", f"zoo pull {wanted}")
    planned = _plan_published(HubReference(preset.repo, branch), offline)
    if (planned.plugin.name, planned.model.name) != (plugin.name, model.name):
        found = f"{planned.plugin.name}/{planned.model.name}"
        raise PresetError(f"{preset.repo} at {branch} is of {found}, not of {plugin.name}/{model.name}")
    return planned


def _installation(plugin: Plugin) -> installer.Plan | None:
    from zoo_core import installer

    return None if plugin.installed else installer.plan_install(plugin.name)


def warning(planned: Plan) -> str:
    """What to know about a preset that a branch led to, and how to name just this one; "" for one that is pinned."""
    if planned.preset is None or not planned.branch:
        return ""
    pin = HubReference(planned.preset.repo, planned.preset.revision)
    return f"warning: {planned.preset.repo}@{planned.branch} may change; what it is now is {pin}"


def _pulled(planned: Plan, offline: bool, report: Report) -> Pulled:
    from zoo_core import hub

    preset, model, plugin = planned.preset, planned.model.name, planned.plugin
    name = f"{plugin.name}/{model}"
    if preset is None:
        return Pulled(model, plugin.name, None, None, "", None, (), name)
    if preset.folder:
        bundled = present(plugin, preset)
        bundled.verify(preset.files)
        path = bundled.path
    else:
        if planned.branch:
            report(hub.Progress(preset.name, 0, preset.size, note=warning(planned)))
        path = hub.fetch_verified(preset, offline, report)
    if planned.recorded:
        _check_model(path, name)
        reference = str(HubReference(preset.repo, preset.revision))
        return Pulled(model, plugin.name, None, preset.revision, planned.source, path, preset.files, reference)
    reference = f"{name}:{preset.variant}"
    return Pulled(
        model, plugin.name, preset.variant, preset.revision or None, planned.source, path, preset.files, reference
    )


def _fetched(preset: Preset) -> Path:
    from zoo_core import hub

    with _shown(None) as report:
        return hub.fetch(preset, report=report)


def _shown(progress: Report | None) -> AbstractContextManager[Report]:
    from zoo_core.hub.display import shown

    return shown() if progress is None else nullcontext(progress)


def _check_model(folder: Path, name: str) -> None:
    """Raise PresetError unless config.json is of the model that the record names."""
    found = PresetFolder(folder).config().model
    if found != name:
        raise PresetError(f"{shown_path(folder / CONFIG_FILE)}: model: expected {name}, found {found}")


def _checked_path(folder: Path) -> Pulled:
    preset = PresetFolder(folder)
    files = preset.files()
    preset.verify(files)
    plugin, _, name = preset.config().model.partition("/")
    return Pulled(name, plugin, None, None, "path", folder, files, shown_path(folder))


def _install(planned: Plan, yes: bool, confirm: Callable[[Plan], bool] | None, offline: bool) -> None:
    from zoo_core import installer

    if planned.install is None:
        return
    if offline and is_web_address(planned.install.origin):
        raise OfflineError(f"plugin '{planned.plugin.name}' is not installed, and the network is off")
    if not yes and not (confirm and confirm(planned)):
        raise NotInstalledError(
            f"plugin '{planned.plugin.name}' is not installed, and nobody agreed to install it",
            f"zoo pull {planned.plugin.name} --yes",
        )
    installer.execute(planned.install)
    if not index.find_plugin(planned.plugin.name).installed:
        raise InstallError(f"plugin '{planned.plugin.name}' was installed but is not found", "see: zoo doctor")


def _source(preset: Preset | None) -> str:
    if preset is None:
        return ""
    return "bundled" if preset.folder else "hub"
