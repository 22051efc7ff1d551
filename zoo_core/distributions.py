"""Installed distributions that offer plugins, read by hand: `importlib.metadata` would cost a tenth of `zoo list`."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from zoo_core.text import clean
from zoo_core.version import __version__

GROUP = "zoo.plugins"

_LONGEST_HEADER = 65_536
_LONGEST_FIELD = 1000
_METADATA_FOLDERS = (".dist-info", ".egg-info")
# Possessive throughout: it takes linear time, whatever the text.
_REQUIRES_CORE = re.compile(
    r"zoo[-_.]++core\s*+(?:\[[^]]*+\]\s*+)?(?P<range>(?:[(<>=!~][^;]*+)?)(?:;(?P<marker>.*+))?", re.IGNORECASE
)
_SIMPLE_CLAUSE = re.compile(r"(?P<operator>>=|<=|==|<|>)\s*(?P<version>\d+(?:\.\d+)*)")


@dataclass(frozen=True, slots=True)
class Distribution:
    """One installed distribution that names plugins: its metadata, and entry point name -> value."""

    name: str
    version: str
    summary: str
    requires_core: str
    entry_points: dict[str, str]
    metadata: Path


def plugin_distributions() -> Iterator[Distribution]:
    """Every distribution on `sys.path` with entry points in `zoo.plugins`; of two with one name, the first is meant."""
    seen: set[str] = set()
    for folder in dict.fromkeys(sys.path):
        for metadata in _metadata_folders(folder or os.curdir):
            name = normalised(os.path.basename(metadata).rpartition(".")[0].partition("-")[0])
            entry_points = _entry_points(metadata) if name not in seen else {}
            if entry_points:
                yield _distribution(metadata, name, entry_points)
            seen.add(name)


def normalised(name: str) -> str:
    """A distribution's name as package indexes compare it: `Zoo_Glow` -> `zoo-glow`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def core_fits(requires: str) -> bool:
    """Whether this core's version lies in a range such as ">=0.1,<0.2"; raises ValueError where it is none."""
    return _fits(requires, __version__)


def core_range(requirement: str) -> str | None:
    """The range in a requirement such as "zoo-core[jax]>=0.1 ; python_version > '3'"; None if it is not of the core."""
    match = _REQUIRES_CORE.fullmatch(requirement.strip())
    if match is None or "extra" in (match["marker"] or ""):
        return None
    return match["range"].strip().strip("()").strip()


def noted_origin(metadata: Path) -> dict[str, Any]:
    """Where an installer got a distribution, as it noted in `direct_url.json`; empty where that was an index."""
    import json

    try:
        noted = json.loads(_read(str(metadata / "direct_url.json")) or "{}")
    except (ValueError, RecursionError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _metadata_folders(folder: str) -> list[str]:
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(_METADATA_FOLDERS))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names]


def _entry_points(metadata: str) -> dict[str, str]:
    text = _read(os.path.join(metadata, "entry_points.txt"))
    if f"[{GROUP}]" not in text:
        return {}
    section = ""
    found: dict[str, str] = {}
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[]").strip()
        elif section == GROUP and "=" in line and not line.startswith(("#", ";")):
            name, _, value = line.partition("=")
            found[name.strip()] = value.strip()
    return found


def _distribution(metadata: str, name: str, entry_points: dict[str, str]) -> Distribution:
    header = _read(os.path.join(metadata, "METADATA")) or _read(os.path.join(metadata, "PKG-INFO"))
    fields: dict[str, str] = {}
    requires_core = ""
    for line in header.partition("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.lower(), clean(value)[:_LONGEST_FIELD])
        if key.lower() == "requires-dist":
            requires_core = core_range(clean(value)[:_LONGEST_FIELD]) or requires_core
    shown = fields.get("name") or name
    return Distribution(
        shown, fields.get("version", ""), fields.get("summary", ""), requires_core, entry_points, Path(metadata)
    )


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(_LONGEST_HEADER)
    except OSError:
        return ""


@cache
def _fits(requires: str, version: str) -> bool:
    clauses = [_SIMPLE_CLAUSE.fullmatch(clause.strip()) for clause in requires.split(",") if clause.strip()]
    if re.fullmatch(r"\d+(\.\d+)*", version) and all(clauses):
        return all(_clause_fits(clause, version) for clause in clauses if clause)
    # Wildcards, pre-releases, != and ~= are rare enough to pay for the import.
    from packaging.specifiers import SpecifierSet

    return SpecifierSet(requires).contains(version, prereleases=True)


def _clause_fits(clause: re.Match[str], version: str) -> bool:
    ours, theirs = _release(version), _release(clause["version"])
    outcomes = {
        ">=": ours >= theirs,
        "<=": ours <= theirs,
        "==": ours == theirs,
        "<": ours < theirs,
        ">": ours > theirs,
    }
    return outcomes[clause["operator"]]


def _release(version: str) -> tuple[int, ...]:
    numbers = [int(number) for number in version.split(".")]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
