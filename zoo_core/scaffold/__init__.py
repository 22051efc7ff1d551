"""Writes the project of a new plugin: `template/` is a whole plugin called `my-plugin`, and is renamed."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from pathlib import Path

from zoo_core.errors import UsageError
from zoo_core.names import RESERVED, shown_path
from zoo_core.text import clean

TEMPLATE = Path(__file__).parent / "template"
SUFFIX = ".tmpl"

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST_NAME = 40
_PLACEHOLDER = re.compile(r"my-plugin|my_plugin|\{core\}")
_ELSEWHERE = "choose another folder with --out"
_OTHER_NAME = "choose another name"
# zoo-core is the core, and its package zoo_core.
_OURS = RESERVED | {"core"}


def write_project(name: str, folder: Path) -> tuple[str, ...]:
    """Write the project of a new plugin into `folder`, which must not exist; the paths of its files, in order.

    All of it appears at once, or nothing. Raises UsageError for a name that no new plugin may have, and for a folder
    that is there already or cannot be written.
    """
    files = plan_project(name, folder)
    try:
        _write(files, folder)
    except OSError as error:
        raise UsageError(f"{shown_path(folder)} cannot be written: {error.strerror or error}", _ELSEWHERE) from error
    return tuple(files)


def plan_project(name: str, folder: Path) -> dict[str, str]:
    """What `write_project` would write: path -> text; raises as it does for a name or a folder that won't do."""
    check_name(name)
    _check_folder(folder)
    return render(name)


def render(name: str) -> dict[str, str]:
    """The files of a new plugin's project: path -> text."""
    from zoo_core.version import __version__

    core = ".".join(__version__.split(".")[:2])
    values = {"my-plugin": name, "my_plugin": name.replace("-", "_"), "{core}": core}

    def filled(text: str) -> str:
        return _PLACEHOLDER.sub(lambda found: values[found[0]], text)

    templates = sorted(TEMPLATE.rglob(f"*{SUFFIX}"))
    paths = {path: path.relative_to(TEMPLATE).as_posix().removesuffix(SUFFIX) for path in templates}
    return {filled(paths[path]): filled(path.read_text(encoding="utf-8")) for path in templates}


def check_name(name: str) -> None:
    """Raise UsageError unless a new plugin may have this name: well-formed, short, and nobody's yet."""
    from zoo_core import index

    better = _better(name)
    fix = f"zoo new {better}" if better else "such as: zoo new my-plugin"
    if name.startswith("zoo-"):
        raise UsageError(f"'{clean(name)[:100]}': the distribution gets its 'zoo-' by itself", fix)
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        expected = f"lower-case letters and digits, with single '-' between them, {_LONGEST_NAME} at most"
        raise UsageError(f"'{clean(name)[:100]}' is no name for a plugin: {expected}", fix)
    if name in _OURS:
        raise UsageError(f"'{name}' is a name of zoo itself", _OTHER_NAME)
    for plugin in index.plugins():
        if plugin.name.replace("_", "-") == name:
            raise UsageError(f"there is a plugin '{plugin.name}' already, in {plugin.distribution}", _OTHER_NAME)


def _better(name: str) -> str:
    """A well-formed name made of a malformed one; "" where nothing is left of it."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-").removeprefix("zoo-")
    return words if words not in _OURS and len(words) <= _LONGEST_NAME else ""


def _check_folder(folder: Path) -> None:
    if os.path.lexists(folder):
        raise UsageError(f"{shown_path(folder)} exists already", _ELSEWHERE)
    if not folder.parent.is_dir():
        parent = shown_path(folder.parent)
        raise UsageError(f"{parent} is no folder", f"mkdir -p {parent}")


def _write(files: dict[str, str], folder: Path) -> None:
    """Write the files under another name beside `folder`, then rename that."""
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        for name, text in files.items():
            path = draft / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        draft.chmod(0o777 & ~_umask())
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
