"""uv or pip: the command that installs here, what it is given besides, and whether it may install at all."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from zoo_core.errors import InstallError

Arguments = tuple[str, ...]

# What names indexes besides the one in a command, or before it.
_MORE_INDEXES = ("PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX")


def command(action: str) -> Arguments:
    """The command that installs or uninstalls in the environment of this interpreter."""
    if uv := shutil.which("uv"):
        options = ("--compile-bytecode",) if action == "install" else ()
        return (uv, "pip", action, "--quiet", "--python", sys.executable, *options)
    if find_spec("pip") is None:
        raise InstallError("neither uv nor pip is here to install with", f"{sys.executable} -m ensurepip")
    options = ("--yes",) if action == "uninstall" else ("--no-input",)
    return (sys.executable, "-m", "pip", action, "--quiet", "--disable-pip-version-check", *options)


def check_environment() -> str:
    """The tool that installs here; raises InstallError, with what to do, where nothing can be installed."""
    advice = "make a virtual environment: python3 -m venv .venv, and install zoo-core there"
    if distribution_version("zoo-core") is None:
        raise InstallError("zoo-core itself is not installed, only on the path", "install it: pip install -e CHECKOUT")
    in_system = sys.prefix == sys.base_prefix and not os.environ.get("PIP_BREAK_SYSTEM_PACKAGES")
    if in_system and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists():
        raise InstallError("this Python is the operating system's, which alone may install there (PEP 668)", advice)
    packages_folder = sysconfig.get_path("purelib")
    if not os.access(packages_folder, os.W_OK):
        raise InstallError(f"{packages_folder} cannot be written to", advice)
    return f"{shlex.join(command('install')[:3])}, into {packages_folder}"


def distribution_version(name: str) -> str | None:
    """The version of an installed distribution; None where it is not installed, or only its folder is on the path."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def holding(words: Sequence[str], constraints: Path) -> Arguments:
    """The options that hold versions: these, and for uv those in $PIP_CONSTRAINT, which pip reads by itself."""
    from urllib.request import url2pathname

    named = os.environ.get("PIP_CONSTRAINT", "").split() if Path(words[0]).stem == "uv" else []
    # pip takes several, divided by spaces; a path with spaces is written as an address.
    paths = [url2pathname(name.removeprefix("file://")) if name.startswith("file://") else name for name in named]
    return tuple(word for path in [*paths, str(constraints)] for word in ("--constraint", path))


def run(words: Sequence[str]) -> int:
    """Run a command, and return its exit status."""
    # Whatever it says goes to stderr: stdout may hold a JSON document.
    variables = _environment(words)
    return subprocess.run(words, stdin=subprocess.DEVNULL, stdout=2, env=variables, check=False).returncode


def _environment(words: Sequence[str]) -> dict[str, str]:
    """The environment; for a command that names an index, without what adds others to it."""
    if "--index-url" not in words:
        return dict(os.environ)
    kept = {name: value for name, value in os.environ.items() if name not in _MORE_INDEXES}
    return {**kept, "PIP_CONFIG_FILE": os.devnull, "UV_NO_CONFIG": "1"}


def see_what_is_new() -> None:
    """Let this process find what was just installed, the folder of an editable project too."""
    import importlib
    import site

    importlib.invalidate_caches()
    site.addsitedir(sysconfig.get_path("purelib"))
