"""The grammar of names, `plugin/name:variant@revision`; what counts as a path; the nearest name to a misspelt one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath

from zoo_core.errors import UsageError
from zoo_core.text import clean

# The commands of the core, and those it may get: a plugin of that name would hide one.
RESERVED = frozenset(
    (
        "cache",
        "check",
        "completion",
        "components",
        "config",
        "doctor",
        "evaluate",
        "freeze",
        "help",
        "info",
        "init",
        "install",
        "list",
        "manifest",
        "new",
        "outdated",
        "plugin",
        "plugins",
        "publish",
        "pull",
        "push",
        "registry",
        "remove",
        "run",
        "search",
        "show",
        "sync",
        "test",
        "train",
        "uninstall",
        "update",
        "verify",
        "version",
    )
)

_PLUGIN = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ITEM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_IMPORT_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_REVISION = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# On the Hub, `--` and `..` are in no name: in the cache, `a--b/c` and `a/b--c` would share a folder.
_REPOSITORY = re.compile(r"(?!.*(?:--|\.\.|\.git$))[A-Za-z0-9][\w.-]*(?<![.-])/[A-Za-z0-9][\w.-]*(?<![.-])", re.ASCII)
_LONGEST_REPOSITORY = 96
# Names that mean a device on some systems, whatever follows their first dot.
_DEVICE = re.compile(r"(?:con|prn|aux|nul|(?:com|lpt)[0-9])(?:\..*)?", re.IGNORECASE)
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_REFERENCE = re.compile(
    r"(?:(?P<plugin>[^/:@]+)/)?(?P<name>[^/:@]+)(?::(?P<variant>[^/:@]+))?(?:@(?P<revision>[^/:@]+))?"
)
_HUB = "hf://"
_PATH_STARTS = ("./", "../", "/", "~")


@dataclass(frozen=True, slots=True)
class Reference:
    """What a user wrote to name something; everything but the name may be left out."""

    plugin: str | None
    name: str
    variant: str | None = None
    revision: str | None = None

    def __str__(self) -> str:
        """The reference as a user writes it."""
        plugin = f"{self.plugin}/" if self.plugin else ""
        variant = f":{self.variant}" if self.variant else ""
        revision = f"@{self.revision}" if self.revision else ""
        return f"{plugin}{self.name}{variant}{revision}"


@dataclass(frozen=True, slots=True)
class HubReference:
    """A repository on the Hub, and a revision of it: 40 hexadecimal digits, a branch, or "" for the main one."""

    repo: str
    revision: str = ""

    def __str__(self) -> str:
        """The reference as a user writes it."""
        return f"{_HUB}{self.repo}{'@' if self.revision else ''}{self.revision}"


def parse_reference(value: str, unpinned: bool = False) -> Reference:
    """The parts of `glow`, `glow/realnvp`, `realnvp:mnist` or `glow/realnvp:mnist@<40 hex digits>`.

    `unpinned` allows a branch after the @. Raises UsageError for anything else, a path included.
    """
    match = _REFERENCE.fullmatch(value)
    if match is None:
        raise _malformed(value)
    reference = Reference(**match.groupdict())
    if reference.revision:
        _check_revision(value, reference.revision, unpinned)
    names_fit = is_item_name(reference.name) and is_item_name(reference.variant or "x")
    if not names_fit or not is_plugin_name(reference.plugin or "x"):
        raise _malformed(value)
    return reference


def parse_hub_reference(value: str, unpinned: bool = False) -> HubReference:
    """The parts of `hf://owner/name@<40 hex digits>`; `unpinned` allows a branch there, or none.

    Raises UsageError for anything else.
    """
    repo, at, revision = value.removeprefix(_HUB).partition("@")
    if not is_hub_reference(value) or not is_repository(repo):
        raise UsageError(f"'{clean(value)[:200]}' is no place on the Hub", "they look like hf://owner/name@<revision>")
    if not revision and (at or not unpinned):
        raise UsageError(f"'{clean(value)[:200]}' names no revision", _MOVES)
    if revision:
        _check_revision(value, revision, unpinned)
    return HubReference(repo, revision)


def is_hub_reference(value: object) -> bool:
    """Whether a value names a repository on the Hub, rightly or not: it starts with `hf://`."""
    return isinstance(value, str) and value.startswith(_HUB)


_MOVES = "name 40 hexadecimal digits; a branch may change, so pulling one takes --unpinned"


def _check_revision(value: str, revision: str, unpinned: bool) -> None:
    if not is_revision(revision) and not (unpinned and _BRANCH.fullmatch(revision)):
        problem = f"a revision is 40 hexadecimal digits, not '{clean(revision)[:100]}'"
        raise UsageError(f"'{clean(value)[:200]}': {problem}", "" if unpinned else _MOVES)


def _malformed(value: str) -> UsageError:
    shown, names = f"'{clean(value)[:100]}'", "names look like glow, glow/realnvp or glow:fashion-mnist"
    if is_path(value):
        return UsageError(f"{shown} is not a name but a path", names)
    if "://" in value:
        return UsageError(f"{shown} is not a name", "what is on the Hub is hf://OWNER/NAME@ and 40 hexadecimal digits")
    return UsageError(f"{shown} is not a name", f"{names}; a path starts with ./ or /")


def is_plugin_name(name: str) -> bool:
    """Whether a plugin or a model may be called this: lower case, digits, `-` and `_`, at most 64."""
    return _PLUGIN.fullmatch(name) is not None


def is_item_name(name: str) -> bool:
    """Whether a component or a variant may be called this: letters, digits, `-`, `_` and `.`, at most 64."""
    return _ITEM.fullmatch(name) is not None


def is_file_name(name: str) -> bool:
    """Whether a preset's file or folder may be called this: an item's name that is a plain file on every system."""
    return is_item_name(name) and not name.endswith(".") and _DEVICE.fullmatch(name) is None


def is_import_path(value: str) -> bool:
    """Whether this names an object: "package.module:Attribute"."""
    return _IMPORT_PATH.fullmatch(value) is not None


def is_revision(revision: str) -> bool:
    """Whether this is a full commit hash: 40 lower-case hexadecimal digits."""
    return _REVISION.fullmatch(revision) is not None


def is_sha256(value: str) -> bool:
    """Whether this is a SHA-256: 64 lower-case hexadecimal digits."""
    return _SHA256.fullmatch(value) is not None


def is_repository(value: str) -> bool:
    """Whether this names a repository on the Hub: `owner/name`, at most 96 characters."""
    return len(value) <= _LONGEST_REPOSITORY and _REPOSITORY.fullmatch(value) is not None


def is_path(value: str | os.PathLike[str]) -> bool:
    """Whether a value names a path: any pathlib path, or a string that starts with `./`, `../`, `/` or `~`."""
    return isinstance(value, PurePath) or (isinstance(value, str) and value.startswith(_PATH_STARTS))


def shown_path(path: str | os.PathLike[str]) -> str:
    """A path as a message shows it and as it may be typed again: a relative one starts with `./`."""
    shown = clean(os.fspath(path))
    return shown if is_path(shown) else f"./{shown}"


def suggest(name: str, candidates: Iterable[str]) -> str:
    """The nearest candidate as ", did you mean 'x'?", or "" where none is near; case does not count."""
    from difflib import get_close_matches

    spellings = {candidate.lower(): candidate for candidate in candidates}
    nearest = get_close_matches(name.lower(), spellings, n=1)
    return f", did you mean '{spellings[nearest[0]]}'?" if nearest else ""
