"""Building a project's wheel, off the network wherever its build backend is installed."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.text import clean

TIMEOUT = 300.0

# What setuptools leaves in a project's folder.
_LEFT_OVERS = ("build", "*.egg-info", "src/*.egg-info")


def build(project: Path, folder: Path) -> Path:
    """The wheel of a project, built into `folder`.

    Raises CheckFailed where it cannot be built, and Undecided where what builds it is neither here nor to be had.
    """
    backend, requirements = _build_system(project)
    is_here = find_spec(backend.partition(":")[0].partition(".")[0]) is not None
    try:
        with _tidy(project):
            done = subprocess.run(
                _command(project, folder, isolated=not is_here),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
            )
    except subprocess.TimeoutExpired:
        raise Undecided(f"building the wheel took more than {TIMEOUT:g} seconds") from None
    if wheel := next(folder.glob("*.whl"), None):
        return wheel
    reason = _reason(done.stderr or done.stdout)
    if not is_here:
        raise Undecided(f"building the wheel needs {', '.join(requirements)}, which is not installed here ({reason})")
    raise CheckFailed(f"the wheel cannot be built: {reason}")


def _command(project: Path, folder: Path, isolated: bool) -> tuple[str, ...]:
    """With `isolated`, the installer fetches the build backend into an environment of its own."""
    options = () if isolated else ("--no-build-isolation",)
    if find_spec("pip"):
        pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--disable-pip-version-check", "--no-input")
        return (*pip, *options, "--wheel-dir", str(folder), str(project))
    if uv := shutil.which("uv"):
        return (uv, "build", "--wheel", "--python", sys.executable, *options, "--out-dir", str(folder), str(project))
    raise Undecided("neither pip nor uv is here to build a wheel with")


def _build_system(project: Path) -> tuple[str, list[str]]:
    """The build backend that pyproject.toml names, and what is needed to run it."""
    table: dict[str, Any] = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    system = table.get("build-system", {})
    return system.get("build-backend", "setuptools"), list(system.get("requires", ("setuptools",)))


@contextlib.contextmanager
def _tidy(project: Path) -> Iterator[None]:
    """Remove what building leaves in the project's folder, unless it was there before."""

    def left_overs() -> set[Path]:
        return {path for pattern in _LEFT_OVERS for path in project.glob(pattern)}

    before = left_overs()
    try:
        yield
    finally:
        for path in left_overs() - before:
            shutil.rmtree(path, ignore_errors=True)


def _reason(output: str) -> str:
    """The last line of a build that says what went wrong."""
    lines = [clean(line) for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "Error" in line or line.lower().startswith("error")]
    return (telling or lines or ["it said nothing"])[-1][:300]
