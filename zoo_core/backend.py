"""Which Keras backend computes: chosen among what is installed, and loaded without its start-up noise."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from zoo_core.errors import BackendError
from zoo_core.text import clean

BACKENDS = ("tensorflow", "jax", "torch")
"""The backends that the zoo supports; the first one that is installed is taken where nothing else is said."""

_LEAST_KERAS = "keras>=3.15.1"
_STDERR = 2
_NOISE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\)"
    rb"|To enable the following instructions:"
    rb"|[IWE]\d{4} \d\d:\d\d:\d\d"
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IWE] "
)


def choose() -> str:
    """The backend's name: $KERAS_BACKEND, else the one in keras.json, else the first; the last two if installed.

    Sets $KERAS_BACKEND, since Keras would take TensorFlow even where only another one is there, and says so on stderr
    where that makes a difference. Nothing is imported. Raises BackendError where none is installed or the named one
    is not.
    """
    named = os.environ.get("KERAS_BACKEND", "")
    if named:
        _check(named)
        return named
    usual = in_keras_json() or BACKENDS[0]
    chosen = next((name for name in (usual, *BACKENDS) if name in BACKENDS and _is_installed(name)), None)
    if chosen is None or not _is_installed("keras"):
        raise BackendError("no Keras backend is installed", install_command(BACKENDS[0]))
    if chosen != usual:
        print(f"{usual} is not installed: Keras computes with {chosen} (set KERAS_BACKEND to choose)", file=sys.stderr)
    os.environ["KERAS_BACKEND"] = chosen
    return chosen


def ensure() -> str:
    """Import Keras on the chosen backend, quietly, and name the backend. Raises BackendError where it cannot be."""
    if "keras" not in sys.modules:
        _import_keras(choose())
    import keras

    actual: str = keras.backend.backend()
    if actual not in BACKENDS:
        raise BackendError(
            f"the zoo does not compute with Keras' backend '{actual}'", f"use one of {', '.join(BACKENDS)}"
        )
    return actual


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and Keras' random numbers.

    Quietly: Keras imports TensorFlow for this, where it is installed, whichever backend computes.
    """
    import keras

    with _without_noise():
        keras.utils.set_random_seed(seed)


def loading_notice() -> None:
    """Say on stderr that Keras is being loaded, which takes seconds; nothing where it is loaded already."""
    if "keras" not in sys.modules:
        print(f"Loading keras ({choose()})...", file=sys.stderr, flush=True)


def install_command(name: str) -> str:
    """The command that installs a backend beside this interpreter."""
    pip = f"{sys.executable} -m pip install" if _is_installed("pip") else f"uv pip install --python {sys.executable}"
    return f"{pip} '{_LEAST_KERAS}' {name}"


def _check(name: str) -> None:
    if name not in BACKENDS:
        known = ", ".join(BACKENDS)
        raise BackendError(f"KERAS_BACKEND is '{clean(name)[:50]}'", f"the zoo computes with one of {known}")
    for package in ("keras", name):
        if not _is_installed(package):
            raise BackendError(f"KERAS_BACKEND is {name}, but {package} is not installed", install_command(name))


def _is_installed(package: str) -> bool:
    try:
        return package in sys.modules or find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def in_keras_json() -> str | None:
    """The backend that the user's keras.json names; None without one that the zoo supports."""
    home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    try:
        name = json.loads((Path(home) / "keras.json").read_text())["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return name if name in BACKENDS else None


def _import_keras(name: str) -> None:
    if name == "tensorflow":
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _without_noise():
            import keras  # noqa: F401
    except Exception as error:
        reason = clean(str(error))[:300]
        raise BackendError(f"Keras cannot be loaded on {name}: {reason}", install_command(name)) from error


@contextlib.contextmanager
def _without_noise() -> Iterator[None]:
    """Keep what TensorFlow's libraries log while they load off the screen; every other line is shown at the end.

    They write to file descriptor 2 before any setting takes hold, so that is where it is caught. $ZOO_DEBUG shows all.
    """
    try:
        screen = -1 if os.environ.get("ZOO_DEBUG") else os.dup(_STDERR)
    except OSError:
        screen = -1
    if screen < 0:
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), _STDERR)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(screen, _STDERR)
            os.close(screen)
            caught.seek(0)
            os.write(_STDERR, b"".join(line for line in caught if not _NOISE.match(line)))
