"""The installed plugins, read from metadata and manifests; none of their code is imported."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

from zoo_core import manifest as manifests
from zoo_core import toml_files
from zoo_core.distributions import Distribution, core_fits, plugin_distributions
from zoo_core.errors import ManifestError
from zoo_core.names import RESERVED, is_plugin_name
from zoo_core.records import Manifest, Plugin
from zoo_core.text import clean, listed
from zoo_core.version import __version__

_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def installed_plugins() -> tuple[Plugin, ...]:
    """What is installed, sorted by name. A plugin that cannot work is a row whose `broken` says why."""
    cache = toml_files.Cache("manifests.json")
    rows = [
        _row(clean(name)[:100], clean(value)[:200], distribution, cache)
        for distribution in plugin_distributions()
        for name, value in distribution.entry_points.items()
    ]
    cache.save()
    claims = Counter(plugin.name for plugin in rows)
    rows = [_clashing(plugin, rows) if claims[plugin.name] > 1 else plugin for plugin in rows]
    return tuple(sorted(rows, key=lambda plugin: (plugin.name, plugin.distribution)))


def why_incompatible(requires_core: str) -> str | None:
    """Why this core does not fit a plugin that wants `requires_core`; None where it does."""
    try:
        if core_fits(requires_core):
            return None
    except ValueError:
        return f"its requirement zoo-core '{requires_core}' is malformed"
    return f"it needs zoo-core {requires_core}, this is {__version__}"


def _row(name: str, module: str, distribution: Distribution, cache: toml_files.Cache) -> Plugin:
    package, missing = _package(module)
    manifest, unreadable = _manifest(name, package, cache)
    misfit = why_incompatible(distribution.requires_core)
    broken = _refused(name) or misfit or missing or unreadable
    return Plugin(
        name=name,
        distribution=distribution.name,
        version=distribution.version,
        summary=distribution.summary,
        requires_core=distribution.requires_core,
        installed=True,
        compatible=misfit is None,
        broken=broken,
        manifest=manifest,
        package=package,
        module=module,
        slow=manifest is None and broken is None,
        metadata=distribution.metadata,
    )


def _package(module: str) -> tuple[Path | None, str | None]:
    """The folder of a module's top-level package, and why there is none; a single-file plugin has neither."""
    if _MODULE.fullmatch(module) is None:
        return None, f"its entry point '{module}' is not the name of a module"
    top = module.partition(".")[0]
    try:
        # Of the top level only: to look for "package.plugin" would execute the package.
        spec = find_spec(top)
    except Exception as error:
        return None, f"its package '{top}' cannot be found: {clean(str(error))}"
    if spec is None:
        return None, f"its package '{top}' is not there; reinstall it"
    folders = list(spec.submodule_search_locations or ())
    return (Path(folders[0]) if folders else None), None


def _manifest(name: str, package: Path | None, cache: toml_files.Cache) -> tuple[Manifest | None, str | None]:
    path = package / manifests.FILE_NAME if package else None
    if path is None or not os.path.exists(path):
        return None, None
    try:
        manifest = cache.read(path, manifests.from_table)
    except ManifestError as error:
        return None, str(error)
    if manifest.plugin != name:
        return None, f"{clean(str(path))}: is the manifest of '{manifest.plugin}', not of '{name}'"
    return manifest, None


def _refused(name: str) -> str | None:
    if not is_plugin_name(name):
        return f"'{name}' cannot be a plugin's name: lower case, digits, - and _ only"
    return f"'{name}' is the name of a command of zoo itself" if name in RESERVED else None


def _clashing(plugin: Plugin, rows: Sequence[Plugin]) -> Plugin:
    rivals = sorted(row.distribution for row in rows if row.name == plugin.name)
    return replace(plugin, broken=f"{listed(rivals)} claim the name '{plugin.name}'; uninstall all but one")
