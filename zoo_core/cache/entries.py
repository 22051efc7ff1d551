"""The presets on this disk, wholly or in part: bundled, downloaded for a plugin, or pulled by a repository's name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from zoo_core import index
from zoo_core.cache.snapshots import Snapshot, snapshots
from zoo_core.errors import IntegrityError, PresetError, UsageError
from zoo_core.listing import shortest_names
from zoo_core.names import HubReference, parse_reference
from zoo_core.presets import PresetFolder
from zoo_core.pulling import mending, preset_folder
from zoo_core.records import File, Plugin, Preset


@dataclass(frozen=True, slots=True)
class Entry:
    """A preset on the disk: its shortest name, or `hf://OWNER/NAME@REVISION` where no installed plugin pins it.

    `source` is "bundled", "hub" or "mirror"; `complete` is about sizes; `superseded` says that a plugin names the
    repository but no longer this revision. `fix` says what mends it where it is damaged.
    """

    name: str
    plugin: str
    source: str
    path: Path
    complete: bool
    fix: str
    preset: Preset
    superseded: bool = False
    snapshot: Snapshot | None = None

    @property
    def size(self) -> int:
        """The bytes of its files, as recorded; where nothing is recorded, as they are."""
        if self.preset.files or self.snapshot is None:
            return self.preset.size
        return sum(path.stat().st_size for path in self.snapshot.files() if path.is_file())


def entries() -> tuple[Entry, ...]:
    """Every preset of the zoo on this disk; one that lies in two places comes twice."""
    plugins = index.plugins()
    here = snapshots()
    return (*_of_plugins(plugins, here), *_others(pinned(plugins), here))


def verify(entry: Entry) -> None:
    """Check size and sha256 of every file; raises IntegrityError that names file, expected and found."""
    if not entry.preset.files:
        raise IntegrityError(f"{entry.path}: its run.json, which records the files, is missing or malformed", entry.fix)
    PresetFolder(entry.path, entry.fix).verify(entry.preset.files)


def pinned(plugins: tuple[Plugin, ...]) -> dict[str, set[str]]:
    """Repository -> the revisions that plugins name, installed or not."""
    repositories: dict[str, set[str]] = {}
    for _, preset in presets(plugins):
        if preset.repo:
            repositories.setdefault(preset.repo, set()).add(preset.revision)
    return repositories


def presets(plugins: tuple[Plugin, ...]) -> Iterator[tuple[Plugin, Preset]]:
    """Each preset of these plugins."""
    for plugin in plugins:
        for preset in plugin.manifest.presets if plugin.manifest else ():
            yield plugin, preset


def _of_plugins(plugins: tuple[Plugin, ...], here: list[Snapshot]) -> Iterator[Entry]:
    names = shortest_names(plugins)
    for plugin, preset in presets(plugins):
        name, fix = f"{names[plugin.name, preset.model]}:{preset.variant}", mending(plugin, preset)
        # Nothing reads a download of what is bundled.
        fix_download = "zoo cache prune" if preset.folder else fix
        places = [each for each in here if (each.repo, each.revision) == (preset.repo, preset.revision)]
        for snapshot in places:
            complete = PresetFolder(snapshot.path).is_complete(preset.files)
            yield Entry(
                name, plugin.name, snapshot.store, snapshot.path, complete, fix_download, preset, snapshot=snapshot
            )
        folder = preset_folder(plugin, preset) if preset.folder else None
        if folder is not None and folder.is_dir():
            complete = PresetFolder(folder).is_complete(preset.files)
            yield Entry(name, plugin.name, "bundled", folder, complete, fix, preset)


def _others(repositories: dict[str, set[str]], here: list[Snapshot]) -> Iterator[Entry]:
    """Revisions that no plugin pins: of a repository that one names, or with a preset of the zoo inside."""
    for snapshot in here:
        if snapshot.revision in repositories.get(snapshot.repo, ()):
            continue
        preset = _recorded(snapshot)
        superseded = snapshot.repo in repositories and not snapshot.refs
        if preset or superseded:
            preset = preset or Preset("", "", "", 0, repo=snapshot.repo, revision=snapshot.revision)
            complete = bool(preset.files) and PresetFolder(snapshot.path).is_complete(preset.files)
            name = str(HubReference(snapshot.repo, snapshot.revision))
            plugin = preset.model.partition("/")[0]
            fix = "zoo cache prune" if superseded else f"zoo pull {name}"
            yield Entry(name, plugin, snapshot.store, snapshot.path, complete, fix, preset, superseded, snapshot)


def _recorded(snapshot: Snapshot) -> Preset | None:
    """The preset that a snapshot holds by its own record, its files as run.json has them; None where it holds none."""
    folder = PresetFolder(snapshot.path)
    model, files = _model(folder), _files(folder)
    if model is None:
        return None
    return Preset(model, "", "", 0, files=files, repo=snapshot.repo, revision=snapshot.revision)


def _model(folder: PresetFolder) -> str | None:
    """The model that a folder is a preset of, by its config.json, or by its run.json where that one is damaged."""
    try:
        return folder.config().model
    except PresetError:
        pass
    try:
        run = folder.run()
        reference = parse_reference(str(run.get("model", "")))
    except (PresetError, UsageError):
        return None
    return str(reference) if reference.plugin and "files" in run else None


def _files(folder: PresetFolder) -> tuple[File, ...]:
    try:
        return folder.files()
    except PresetError:
        return ()
