"""Where the zoo keeps what it remembers, where the user's settings are, and where its registry lies."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_dir() -> Path:
    """The folder for what can be computed again: $ZOO_HOME, else `zoo` in the platform's cache folder."""
    if home := os.environ.get("ZOO_HOME"):
        return Path(home).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "zoo"
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "zoo"


def config_path() -> Path:
    """The user's settings: $ZOO_CONFIG, else zoo/config.toml in $XDG_CONFIG_HOME, else in ~/.config."""
    if chosen := os.environ.get("ZOO_CONFIG"):
        return Path(chosen).expanduser()
    shared = os.environ.get("XDG_CONFIG_HOME")
    return (Path(shared) if shared else Path.home() / ".config") / "zoo" / "config.toml"


def registry_path() -> Path | None:
    """The registry of known plugins: $ZOO_REGISTRY, else the package's own, else the checkout's; None without any."""
    if chosen := os.environ.get("ZOO_REGISTRY"):
        return Path(chosen).expanduser()
    package = Path(__file__).parent
    bundled = package / "registry.toml"
    if bundled.is_file():
        return bundled
    checkout = package.parent / "registry.toml"
    # Beside an installed package lie other people's files: only a checkout has a pyproject.toml there.
    return checkout if checkout.is_file() and (package.parent / "pyproject.toml").is_file() else None
