"""Presets that no manifest pins: what a repository on the Hub has at a revision, as its own run.json records it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.config import LARGEST_JSON
from zoo_core.errors import DownloadError, OfflineError, PresetError, UsageError
from zoo_core.hub.downloading import carry_out, download, from_the_first, place
from zoo_core.hub.places import discard, endpoint, going_online, hub_folder, is_offline, store_folder
from zoo_core.hub.progress import Meter, Report, tell_notes
from zoo_core.names import Reference, is_revision, parse_reference, shown_path
from zoo_core.presets import RUN_FILE, PresetFolder, describe
from zoo_core.records import File, Preset

if TYPE_CHECKING:
    from zoo_core.hub.sources import HubSource, Source
    from zoo_core.hub.traffic import Line, Traffic
    from zoo_core.hub.working import Job
    from zoo_core.user_config import UserConfig

_SHOWN_DIGITS = 7
_MAIN = "main"
_LARGEST_ANSWER = 10_000_000


@dataclass(frozen=True, slots=True)
class Recorded:
    """A preset as its own record has it: of which model (`plugin/name`), with which files, at which revision."""

    model: str
    preset: Preset


def published(repo: str, revision: str, offline: bool = False, report: Report | None = None) -> Recorded:
    """The preset that a repository has at a revision of 40 digits; its run.json is downloaded unless it is here.

    Raises OfflineError, DownloadError, and PresetError for what is no preset of the zoo.
    """
    preset = Preset(repo, revision[:_SHOWN_DIGITS], "", 0, repo=repo, revision=revision)
    here = _with_record(preset)
    if here is not None:
        try:
            return _recorded(here, preset)
        except PresetError:
            if offline or is_offline():
                raise
            discard(here / RUN_FILE)
    if offline or is_offline():
        raise OfflineError(f"{place(preset)}: not in the cache, and the network is off", going_online())
    report = report or tell_notes
    return _recorded(from_the_first(preset, report, partial(_fetch_record, preset, report)), preset)


def newest_revision(repo: str, branch: str = "", offline: bool = False) -> str:
    """The revision that a branch ("": the main one) is at now. Raises OfflineError, DownloadError."""
    from zoo_core import user_config
    from zoo_core.hub.sources import HubSource, is_trusted

    branch = branch or _MAIN
    preset = Preset(repo, branch, "", 0, repo=repo, revision=branch)
    if offline or is_offline():
        raise OfflineError(f"{place(preset)}: where that is now, only the network knows", "name a revision")
    config = user_config.read()
    source = HubSource(endpoint(), is_trusted(endpoint(), config))
    found: list[str] = []

    def jobs(line: Line, traffic: Traffic) -> list[Job]:
        return [partial(_ask, source, repo, branch, traffic, found)]

    carry_out(preset, Meter(preset.name, 0, tell_notes), source.host, config, jobs)
    return found[0]


def _ask(source: HubSource, repo: str, branch: str, traffic: Traffic, found: list[str]) -> None:
    from zoo_core.hub.traffic import Transfer
    from zoo_core.hub.troubles import Foreign

    with Transfer(traffic, "its answer", 0, _LARGEST_ANSWER).under_way():
        revision = source.revision(repo, branch)
    if not is_revision(revision):
        raise Foreign(source.host, "answers with a revision that is none")
    found.append(revision)


def _with_record(preset: Preset) -> Path | None:
    """The folder that has a run.json of this revision."""
    return next(
        (folder for folder in (hub_folder(preset), store_folder(preset)) if (folder / RUN_FILE).is_file()), None
    )


def _fetch_record(preset: Preset, report: Report, source: Source, config: UserConfig) -> Path:
    if not source.has_revisions:
        raise DownloadError(f"{place(preset)}: {source.host} has no such revision to ask for")
    download(source, preset, [File(RUN_FILE, 0, "")], config, report, most=LARGEST_JSON)
    return source.folder(preset)


def _recorded(folder: Path, preset: Preset) -> Recorded:
    """What its run.json records, and run.json itself as it is here."""
    held = PresetFolder(folder)
    files, reference = held.files(), _model(held.run().get("model"))
    if reference is None or not reference.plugin:
        raise PresetError(f"{shown_path(folder / RUN_FILE)}: names no model, as in plugin/name")
    if any(file.name == RUN_FILE for file in files):
        raise PresetError(f"{shown_path(folder / RUN_FILE)}: records itself")
    found = replace(preset, model=reference.name, files=(*files, describe(folder / RUN_FILE)))
    return Recorded(f"{reference.plugin}/{reference.name}", found)


def _model(name: object) -> Reference | None:
    """The model that a record names; None where that is no name."""
    try:
        return parse_reference(name) if isinstance(name, str) else None
    except UsageError:
        return None
