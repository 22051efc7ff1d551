"""One download: a few files of one source, several at once; and the sources in turn until one has them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from zoo_core.errors import DiskError, DownloadError, IntegrityError, ZooError
from zoo_core.hub.progress import Meter, Progress, Report
from zoo_core.records import File, Preset

if TYPE_CHECKING:
    from zoo_core.hub.sources import Source
    from zoo_core.hub.traffic import Line, Traffic
    from zoo_core.hub.working import Job
    from zoo_core.user_config import UserConfig

Jobs = Callable[["Line", "Traffic"], "Sequence[Job]"]


def place(preset: Preset) -> str:
    """A repository and its revision, as messages begin with them."""
    return f"{preset.repo} at {preset.revision[:12]}"


def tell(report: Report, preset: Preset, note: str) -> None:
    """Have something told."""
    report(Progress(preset.name, 0, preset.size, note=note))


def from_the_first(preset: Preset, report: Report, attempt: Callable[[Source, UserConfig], Path]) -> Path:
    """What the first source gives that does not fail; what failed is told, and all of it raised where every one did.

    A full disk ends it at once. Raises IntegrityError, DiskError, DownloadError, ConfigError.
    """
    from zoo_core import user_config
    from zoo_core.hub.sources import sources

    config = user_config.read()
    failures: list[ZooError] = []
    for source in sources(config):
        if isinstance(source, str):
            tell(report, preset, source)
            continue
        if failures:
            tell(report, preset, f"{failures[-1].message}; trying {source.host}")
        try:
            return attempt(source, config)
        except DiskError:
            raise
        except (DownloadError, IntegrityError) as error:
            failures.append(error)
    raise _nowhere(preset, failures)


def download(
    source: Source,
    preset: Preset,
    files: Sequence[File],
    config: UserConfig,
    report: Report,
    anew: bool = False,
    most: int = 0,
) -> None:
    """Get these files into the source's folder; unverified, but none is longer than recorded, or than `most` bytes.

    Raises IntegrityError for a wrong size, DiskError, DownloadError.
    """

    def jobs(line: Line, traffic: Traffic) -> list[Job]:
        return [partial(_fetch, source, preset, file, line, traffic, anew, most) for file in files]

    carry_out(preset, Meter(preset.name, sum(file.size for file in files), report), source.host, config, jobs)


def carry_out(preset: Preset, meter: Meter, host: str, config: UserConfig, jobs: Jobs) -> None:
    """Do jobs that ask a host, reporting meanwhile; raises what went wrong as `failures.explain` says it."""
    from zoo_core.hub.traffic import Traffic, line_of_the_client
    from zoo_core.hub.working import work

    traffic = Traffic(meter.add, meter.note, config.trusted_endpoints)

    try:
        with line_of_the_client() as line:

            def tick() -> None:
                traffic.tell_who_waits()
                meter.tick()
                if traffic.is_held_up():
                    line.hang_up()

            work(jobs(line, traffic), traffic.stop, tick, line.hang_up)
    except ZooError:
        raise
    except Exception as error:
        from zoo_core.hub.failures import explain

        raise explain(error, preset, host) from error


def _fetch(source: Source, preset: Preset, file: File, line: Line, traffic: Traffic, anew: bool, most: int) -> None:
    from zoo_core.hub.traffic import Transfer
    from zoo_core.hub.troubles import Changed

    least, most = (0, most) if most else (file.size, file.size)
    transfer = Transfer(traffic, file.name, least, most, preset.revision if source.is_hub else "")
    with transfer.under_way():
        try:
            source.fetch(preset, file, line, transfer, anew)
        except Changed:
            transfer.begin_anew()
            source.fetch(preset, file, line, transfer, True)


def _nowhere(preset: Preset, failures: Sequence[ZooError]) -> ZooError:
    """What the only source said, or what each of them said."""
    if len(failures) == 1:
        return failures[0]
    said = "; ".join(error.message.removeprefix(f"{place(preset)}: ") for error in failures)
    kind = IntegrityError if all(isinstance(error, IntegrityError) for error in failures) else DownloadError
    return kind(f"{place(preset)}: no source has it: {said}", failures[0].fix)
