"""The plugins under test, by name or by the folder of a project that need not be installed, and what is in them."""

from __future__ import annotations

import contextlib
import importlib
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import host, manifest, packages
from zoo_core.conformance.table import COMMANDS, MODELS, PLUGIN, PRESETS
from zoo_core.distributions import GROUP, noted_origin
from zoo_core.errors import NameNotFoundError, NotInstalledError, PluginError, ZooError
from zoo_core.host import ModelRegistration, Registration, Registrations
from zoo_core.installed import installed_plugins
from zoo_core.names import is_path, is_plugin_name, suggest
from zoo_core.packages import Package
from zoo_core.records import KINDS, Plugin, Preset

if TYPE_CHECKING:
    from zoo_core.conformance.specimens import Specimen


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that checks look at; `name` is as a user writes it: `glow`, `glow sample`, `glow/ActNorm`, `glow:x`."""

    kind: str
    name: str
    registration: Registration | ModelRegistration | None = None
    preset: Preset | None = None
    help: str = ""


class Subject:
    """A plugin under test; `project` is the folder of its source, None where only its wheel was installed."""

    def __init__(self, plugin: Plugin, project: Path | None) -> None:
        """Nothing of the plugin is loaded yet."""
        self.plugin = plugin
        self.project = project
        self._specimen: Specimen | None = None

    @cached_property
    def registrations(self) -> Registrations:
        """What its hooks register; raises PluginError, IncompatibleError."""
        # A manifest that cannot be read is for the check of manifests to tell.
        unread = self.plugin.manifest is None and self.package is not None and self.plugin.compatible
        return host.load(replace(self.plugin, broken=None) if unread else self.plugin)

    @property
    def package(self) -> Path | None:
        """The folder of its package; None for a plugin in a single file."""
        return self.plugin.package

    def items(self) -> Iterator[Item]:
        """The plugin itself, then its commands, components, models and presets; only itself if its hooks do not run."""
        yield Item(PLUGIN, self.plugin.name)
        try:
            registered = self.registrations
        except ZooError:
            return
        yield from self._commands(registered.commands)
        for kind in KINDS:
            for component in registered.components[kind].values():
                yield Item(kind, f"{self.plugin.name}/{component.name}", component)
        for model in registered.models.values():
            yield Item(MODELS, f"{self.plugin.name}/{model.name}", model)
        for preset in self.plugin.manifest.presets if self.plugin.manifest else ():
            yield Item(PRESETS, f"{self.plugin.name}/{preset.name}", preset=preset)

    def specimen(self, item: Item) -> Specimen:
        """How one component or model is tried; kept until another is asked for: its checks share what it made."""
        if self._specimen is None or self._specimen.item is not item:
            from zoo_core.conformance.specimens import specimen

            self._specimen = specimen(item)
        return self._specimen

    def _commands(self, app: Any) -> Iterator[Item]:
        if app is None:
            return
        from typer.main import get_group

        for name, command in get_group(app).commands.items():
            if not command.hidden:
                yield Item(COMMANDS, f"{self.plugin.name} {name}", help=command.help or "")


@contextlib.contextmanager
def opened(names: Iterable[str]) -> Iterator[list[Subject]]:
    """The plugins of these names, and those of the projects whose folders are named.

    A project's plugins count as installed while the block runs. Raises NameNotFoundError, NotInstalledError,
    InstallError for a folder without a plugin, and PluginError where its package is imported from elsewhere already.
    """
    with contextlib.ExitStack() as stack:
        subjects: list[Subject] = []
        for name in names:
            if is_path(name) or not is_plugin_name(name):
                project = packages.read(Path(name).expanduser())
                stack.enter_context(_installed(project))
                subjects += [_of_project(project, plugin) for plugin in project.plugins]
            else:
                subjects.append(_of_name(name))
        yield subjects


def _of_name(name: str) -> Subject:
    rows = {plugin.name: plugin for plugin in installed_plugins()}
    if name in rows:
        return Subject(rows[name], _source(rows[name]))
    from zoo_core import index

    available = {plugin.name for plugin in index.plugins()} | set(rows)
    if name in available:
        raise NotInstalledError(f"plugin '{name}' is not installed", f"zoo install {name}")
    raise NameNotFoundError(f"no plugin '{name}'{suggest(name, available)}", "a folder is named ./like-this")


def _of_project(project: Package, name: str) -> Subject:
    folder = packages.import_folder(project, name)
    plugin = next(row for row in installed_plugins() if row.name == name)
    if plugin.package is None or plugin.package.resolve() != folder.resolve():
        raise PluginError(f"{folder.name} is imported from {plugin.package} already, not from {folder}")
    return Subject(plugin, project.path.resolve())


@contextlib.contextmanager
def _installed(project: Package) -> Iterator[None]:
    """Put a project on the import path, with the metadata that an editable installation would have."""
    roots = [str(packages.import_folder(project, plugin).parent.resolve()) for plugin in project.plugins]
    with tempfile.TemporaryDirectory(prefix="zoo-check-") as folder:
        _write_metadata(Path(folder), project)
        added = [folder, *roots]
        sys.path[:0] = added
        importlib.invalidate_caches()
        try:
            yield
        finally:
            for path in added:
                sys.path.remove(path)


def _write_metadata(folder: Path, project: Package) -> None:
    name, version = project.distribution.replace("-", "_"), project.version or "0"
    metadata = folder / f"{name}-{version}.dist-info"
    metadata.mkdir()
    lines = ["Metadata-Version: 2.4", f"Name: {project.distribution}", f"Version: {version}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in project.requires]
    (metadata / "METADATA").write_text("\n".join([*lines, ""]), encoding="utf-8")
    points = [f"{plugin} = {module}" for plugin, module in project.plugins.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *points, ""]), encoding="utf-8")


def _source(plugin: Plugin) -> Path | None:
    """The project's folder of an editable installation."""
    address = noted_origin(plugin.metadata) if plugin.metadata else {}
    try:
        if not address["dir_info"]["editable"]:
            return None
    except (KeyError, TypeError):
        return None
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    return Path(url2pathname(urlsplit(address["url"]).path))


def manifest_path(subject: Subject) -> Path | None:
    """Where the plugin's manifest belongs; None for a plugin in a single file, which has no place for one."""
    return subject.package / manifest.FILE_NAME if subject.package else None
