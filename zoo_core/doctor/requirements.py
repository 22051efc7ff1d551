"""What the plugins' distributions require of the environment, and of each other, and do not find there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING

from zoo_core import index
from zoo_core.distributions import normalised
from zoo_core.doctor.finding import ERROR, OK, Finding, pip
from zoo_core.doctor.installation import version_of
from zoo_core.text import clean

if TYPE_CHECKING:
    from packaging.requirements import Requirement


@dataclass(frozen=True, slots=True)
class _Need:
    """That a distribution needs another one; `by` as "zoo-glow 1.0", `plugin` its plugin's name or ""."""

    by: str
    plugin: str
    requirement: Requirement

    def __str__(self) -> str:
        return f"{self.by} needs {self.requirement.name}{self.requirement.specifier}"


def findings() -> Iterator[Finding]:
    """What these checks find; a single word of praise where there is nothing."""
    found = list(_unmet())
    yield from found or [Finding("requirements", OK, "all that the plugins require is installed")]


def _unmet() -> Iterator[Finding]:
    needs = list(_needs())
    for need in needs:
        version = version_of(need.requirement.name)
        met = version is not None and need.requirement.specifier.contains(version, prereleases=True)
        # A plugin that wants another core is reported as broken already.
        if not met and normalised(need.requirement.name) != "zoo-core":
            yield _finding(need, version, [other for other in needs if other is not need and _of_the_same(need, other)])


def _finding(need: _Need, version: str | None, others: list[_Need]) -> Finding:
    name = need.requirement.name
    here = f"{name} {version} is installed" if version else f"{name} is not installed"
    rivals = [other for other in others if not _can_be_met(need, other)]
    if rivals:
        detail = f"{need}, and {' and '.join(map(str, rivals))}: no version of {name} suits them; {here}"
        # Where the core is one of them, it stays.
        leaving = dict.fromkeys(each.plugin for each in (need, *(rivals if all(r.plugin for r in rivals) else ())))
        return Finding(f"requirement {name}", ERROR, detail, ", or: ".join(f"zoo uninstall {each}" for each in leaving))
    specifiers = dict.fromkeys(str(each.requirement.specifier) for each in (need, *others))
    fix = pip("install", f"{name}{','.join(filter(None, specifiers))}")
    return Finding(f"requirement {name}", ERROR, f"{need}, but {here}", fix)


def _of_the_same(need: _Need, other: _Need) -> bool:
    return normalised(need.requirement.name) == normalised(other.requirement.name)


def _can_be_met(need: _Need, other: _Need) -> bool:
    """Whether some version is right for both, tried at, just below and just above every version that they mention."""
    from packaging.specifiers import SpecifierSet

    both = SpecifierSet(f"{need.requirement.specifier},{other.requirement.specifier}".strip(","))
    mentioned = [clause.version.removesuffix(".*") for clause in both]
    tried = {candidate for version in mentioned for candidate in (version, f"{version}.0.1", _below(version))}
    return not mentioned or any(both.contains(version, prereleases=True) for version in tried)


def _below(version: str) -> str:
    """A version a little earlier than one: 2.1 -> 2.0.9999, 2.0 -> 1.9999."""
    from packaging.version import Version

    release = list(Version(version).release)
    while len(release) > 1 and release[-1] == 0:
        release.pop()
    return ".".join(map(str, [*release[:-1], max(release[-1] - 1, 0), 9999]))


def _needs() -> Iterator[_Need]:
    """What the core and the plugins' distributions need here."""
    from packaging.requirements import InvalidRequirement, Requirement

    for by, plugin, lines in _requirements():
        for line in lines:
            try:
                requirement = Requirement(line)
            except InvalidRequirement:
                continue
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                yield _Need(by, plugin, requirement)


def _requirements() -> Iterator[tuple[str, str, list[str]]]:
    seen: set[str] = set()
    for plugin in index.installed_plugins():
        if plugin.metadata and plugin.distribution not in seen:
            seen.add(plugin.distribution)
            lines = metadata.Distribution.at(plugin.metadata).requires or []
            yield f"{plugin.distribution} {plugin.version}", plugin.name, [clean(line) for line in lines]
    yield from _core()


def _core() -> list[tuple[str, str, list[str]]]:
    try:
        core = metadata.distribution("zoo-core")
    except metadata.PackageNotFoundError:
        return []
    return [(f"zoo-core {core.version}", "", list(core.requires or []))]
