"""Getting a model: its plugin installed if need be, its weights on the disk, every file checked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core import index
from zoo_core.errors import InstallError, NotInstalledError
from zoo_core.names import is_path
from zoo_core.presets import PresetFolder
from zoo_core.records import File, Model, Plugin, Preset

if TYPE_CHECKING:
    from zoo_core import installer


@dataclass(frozen=True, slots=True)
class Plan:
    """What `pull` would do: install the plugin (`install` says how; None: it is installed), and get these files.

    `source` is "bundled", "hub", or "" for a model without weights; `present` says that the files are there already.
    """

    plugin: Plugin
    model: Model
    preset: Preset | None
    source: str
    present: bool
    install: installer.Plan | None

    @property
    def download(self) -> int:
        """The bytes of weights that have to be downloaded from the Hub."""
        return self.preset.size if self.preset and self.source == "hub" and not self.present else 0


@dataclass(frozen=True, slots=True)
class Pulled:
    """A model that is ready: its name and plugin, and the checked files of its preset under `path`.

    `source` is "bundled", "hub" or "path", or "" (and `path` None) for a model without weights.
    """

    name: str
    plugin: str
    variant: str | None
    revision: str | None
    source: str
    path: Path | None
    files: tuple[File, ...]


def plan(reference: str) -> Plan:
    """What pulling this name would do; nothing is done. Raises NameNotFoundError, InstallError, IncompatibleError."""
    from zoo_core import installer

    plugin, model, preset = index.find_preset(reference)
    return Plan(
        plugin,
        model,
        preset,
        source=_source(preset),
        present=preset is not None and is_pulled(plugin, preset),
        install=None if plugin.installed else installer.plan_install(plugin.name),
    )


def pull(
    reference: str | os.PathLike[str],
    *,
    yes: bool = False,
    offline: bool | None = None,
    confirm: Callable[[Plan], bool] | None = None,
) -> Pulled:
    """Make a model ready: install its plugin, if `yes` or if `confirm(plan)` agrees, and get and check its weights.

    `reference` is a name such as `glow`, `glow/realnvp` or `glow:mnist@<revision>`, or the path of a preset's folder,
    whose files are checked. `offline` keeps off the network (default: as $HF_HUB_OFFLINE says). Repeatable: what is
    there is only checked again. Raises NotInstalledError where the plugin is missing and nobody agreed to install it;
    IntegrityError, DownloadError, OfflineError, InstallError, and what a name can be wrong in.
    """
    if is_path(reference):
        return _checked_path(Path(reference).expanduser())
    planned = plan(str(reference))
    if planned.install is not None:
        _install(planned, yes, confirm)
        planned = plan(str(reference))
    preset, name, plugin = planned.preset, planned.model.name, planned.plugin
    if preset is None:
        return Pulled(name, plugin.name, None, None, "", None, ())
    folder = _verified(plugin, preset, bool(offline))
    revision = preset.revision or None
    return Pulled(name, plugin.name, preset.variant, revision, planned.source, folder, preset.files)


def is_pulled(plugin: Plugin, preset: Preset) -> bool:
    """Whether the preset's files are on the disk with the sizes recorded; their content is left unread."""
    folder = preset_folder(plugin, preset)
    return folder is not None and PresetFolder(folder).is_complete(preset.files)


def preset_folder(plugin: Plugin, preset: Preset) -> Path | None:
    """Where the preset's files are, or will be once pulled; None for a bundled one whose plugin is not installed."""
    from zoo_core import hub

    if not preset.folder:
        return hub.snapshot_folder(preset)
    return plugin.package / preset.folder if plugin.package else None


def present(plugin: Plugin, preset: Preset) -> PresetFolder:
    """The preset of an installed plugin, downloaded if need be; its files' content is left unread.

    Raises DownloadError, OfflineError.
    """
    from zoo_core import hub

    folder = plugin.package / preset.folder if preset.folder and plugin.package else hub.fetch(preset)
    return PresetFolder(folder, mending(plugin, preset))


def not_installed(plugin: Plugin) -> NotInstalledError:
    """The error that says how to get a plugin."""
    return NotInstalledError(f"plugin '{plugin.name}' is not installed", f"zoo pull {plugin.name}")


def _verified(plugin: Plugin, preset: Preset, offline: bool) -> Path:
    from zoo_core import hub

    if not preset.folder:
        return hub.fetch_verified(preset, offline)
    folder = present(plugin, preset)
    folder.verify(preset.files)
    return folder.path


def _checked_path(folder: Path) -> Pulled:
    preset = PresetFolder(folder)
    files = preset.files()
    preset.verify(files)
    plugin, _, name = preset.config().model.partition("/")
    return Pulled(name, plugin, None, None, "path", folder, files)


def _install(planned: Plan, yes: bool, confirm: Callable[[Plan], bool] | None) -> None:
    from zoo_core import installer

    if planned.install is None:
        return
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


def mending(plugin: Plugin, preset: Preset) -> str:
    """The command that mends a preset whose files are damaged."""
    if preset.folder:
        return f"the installed plugin is damaged: zoo uninstall {plugin.name}, then zoo pull {plugin.name} --yes"
    return f"zoo pull {plugin.name}/{preset.name}"
