"""The weights on this disk: whole or not, at the revision that is wanted or not, and what is needed by nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from zoo_core import cache, index, published
from zoo_core.cache import Entry, Leftover
from zoo_core.cache.entries import presets
from zoo_core.cache.snapshots import snapshots
from zoo_core.doctor.finding import ERROR, OK, WARNING, Finding
from zoo_core.doctor.plugins import updating
from zoo_core.errors import PresetError, ZooError
from zoo_core.names import shown_path
from zoo_core.pulling import is_pulled, mending
from zoo_core.records import File, Plugin, Preset
from zoo_core.text import human_size, plural

_KINDS = {
    "superseded": "superseded revision",
    "duplicate": "incomplete duplicate",
    "unfinished": "unfinished download",
    "orphan": "orphaned blob",
}


def findings() -> Iterator[Finding]:
    """What is wrong with weights that are here, then how many are right."""
    try:
        entries, leftovers = cache.entries(), cache.leftovers()
    except (OSError, ZooError) as error:
        message, fix = (error.message, error.fix) if isinstance(error, ZooError) else (str(error), "")
        yield Finding("weights", ERROR, message, fix)
        return
    yield from _incomplete(entries, {leftover.path for leftover in leftovers})
    yield from _stale_pins()
    yield from _unrecorded()
    if leftovers:
        yield _needless(leftovers)
    yield _whole([entry for entry in entries if entry.complete and not entry.superseded])


def _incomplete(entries: Sequence[Entry], deletable: set[Path]) -> Iterator[Finding]:
    for entry in entries:
        if not entry.complete and entry.path not in deletable:
            status, what = _damage(entry)
            yield Finding(f"weights {entry.name}", status, f"{shown_path(entry.path)}: {what}", entry.fix)


def _damage(entry: Entry) -> tuple[str, str]:
    """How bad it is, and what is missing or of a wrong size; a download that broke off is only to be gone on with."""
    wrong = [text for file in entry.preset.files if (text := _mismatch(entry.path / file.name, file))]
    missing = [file.name for file in entry.preset.files if not (entry.path / file.name).exists()]
    parts = [*wrong, f"missing: {', '.join(missing)}" if missing else ""]
    what = "; ".join(filter(None, parts)) or "its run.json, which records the files, is missing or malformed"
    return (WARNING if missing and not wrong and entry.snapshot else ERROR), what


def _mismatch(path: Path, file: File) -> str:
    try:
        size = path.stat().st_size
    except OSError:
        return ""
    return "" if size == file.size else f"{file.name} has {size} of {file.size} bytes"


def _stale_pins() -> Iterator[Finding]:
    """Presets of which another revision is here than the one that their installed plugin names now."""
    here: dict[str, list[str]] = {}
    for snapshot in snapshots():
        here.setdefault(snapshot.repo, []).append(snapshot.revision)
    for plugin, preset in presets(index.plugins()):
        others = here.get(preset.repo, [])
        if plugin.installed and others and preset.revision not in others and not is_pulled(plugin, preset):
            cached = ", ".join(revision[:12] for revision in others)
            detail = f"{preset.repo} is here at {cached}, but {plugin.distribution} {plugin.version} names"
            yield Finding(
                f"weights {preset.name}", WARNING, f"{detail} {preset.revision[:12]}", mending(plugin, preset)
            )


def _unrecorded() -> Iterator[Finding]:
    """Presets whose hub.json, which tells where they were published, and whose manifest don't say the same."""
    for plugin in index.installed_plugins():
        known = {preset.name: preset for preset in plugin.manifest.presets} if plugin.manifest else {}
        for path in sorted(plugin.package.glob(f"presets/*/{published.HUB_FILE}")) if plugin.package else ():
            if problem := _difference(path.parent, list(known.values())):
                yield Finding(f"weights {path.parent.name}", WARNING, problem, updating(plugin))


def _difference(folder: Path, known: Sequence[Preset]) -> str:
    where = shown_path(folder / published.HUB_FILE)
    try:
        record = published.read(folder)
    except PresetError as error:
        return error.message
    if record is None or any((record.repo, record.revision) == (each.repo, each.revision) for each in known):
        return ""
    bundled = next((each for each in known if each.folder == f"presets/{folder.name}"), None)
    if bundled and not published.same_files(record.files, bundled.files):
        return ""  # It has changed since it was published: no revision of the Hub's is it.
    return f"{where} names {record.repo} at {record.revision[:12]}, which the plugin's manifest does not"


def _needless(leftovers: Sequence[Leftover]) -> Finding:
    counts = Counter(leftover.kind for leftover in leftovers)
    what = ", ".join(plural(count, _KINDS[kind]) for kind, count in counts.items())
    size = human_size(sum(leftover.size for leftover in leftovers))
    return Finding("leftovers", WARNING, f"{size} that nothing needs: {what}", "zoo cache prune")


def _whole(entries: Sequence[Entry]) -> Finding:
    if not entries:
        return Finding("weights", OK, "none are here yet; zoo pull gets some")
    size = human_size(sum(entry.size for entry in entries))
    return Finding("weights", OK, f"{plural(len(entries), 'preset')}, {size}; zoo cache verify checks their hashes")


def pullable() -> list[tuple[Plugin, Preset]]:
    """Presets of installed plugins that have to be downloaded and are not here."""
    every = ((plugin, preset) for plugin, preset in presets(index.plugins()) if plugin.installed)
    return [
        (plugin, preset)
        for plugin, preset in every
        if preset.repo and not preset.folder and not is_pulled(plugin, preset)
    ]
