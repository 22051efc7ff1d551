"""A project with a plugin of one thing of each kind, checked in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zoo_core import host
from zoo_core.conformance import Result, runner, subjects
from zoo_core.conformance.subjects import Subject

CORAL = Path(__file__).parent / "coral"


@dataclass(frozen=True)
class Project:
    """The project of a plugin called coral."""

    folder: Path

    @property
    def package(self) -> Path:
        return self.folder / "zoo_coral"

    def spoil(self, file: str, old: str, new: str) -> Project:
        """Replace a text that is there, once."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, f"{file} has {text.count(old)} times {old!r}"
        path.write_text(text.replace(old, new))
        return self

    @contextmanager
    def opened(self) -> Iterator[Subject]:
        """The plugin under test, its modules imported from this folder and forgotten at the end."""
        with subjects.opened([f"{self.folder}/"]) as (subject,):
            try:
                yield subject
            finally:
                forget()

    def check(self, *names: str, of: str = "") -> dict[tuple[str, str], Result]:
        """The results of these checks, or of all, by check and object; `of` this object alone, if one is named."""
        with self.opened() as subject:
            tasks = [task for task in runner.plan(subject, names) if of in ("", task.item.name)]
            return {(task.check.name, task.item.name): runner.perform(subject, task) for task in tasks}

    def update(self) -> Project:
        """Write the cards and the manifest anew."""
        from zoo_core import manifest, snapshot

        with self.opened():
            for path, text in snapshot.stale_cards("coral", self.package).items():
                path.write_text(text)
            text = manifest.render(manifest.build("coral", self.package))
        (self.package / manifest.FILE_NAME).write_text(text)
        return self


def results(subject: Subject, *names: str) -> dict[str, Result]:
    """The results of these checks of a plugin, by check; of several objects, the last one's."""
    return {task.check.name: runner.perform(subject, task) for task in runner.plan(subject, names)}


def forget() -> None:
    """Let the next copy of the plugin be imported anew."""
    host.outcome.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "zoo_coral"]:
        del sys.modules[name]
