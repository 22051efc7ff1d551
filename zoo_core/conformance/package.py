"""Checks of the plugin as a package: its hooks run, and its manifest says what they register."""

from __future__ import annotations

from zoo_core import backend
from zoo_core import manifest as manifests
from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.conformance.subjects import Item, Subject, manifest_path
from zoo_core.errors import ManifestError, ZooError
from zoo_core.manifest import Manifest
from zoo_core.text import listed

_SHOWN = 3


def check_hooks(subject: Subject, item: Item) -> None:
    """The plugin's module is imported and its hooks are run, in this process."""
    try:
        registered = subject.registrations
    except ZooError as error:
        raise CheckFailed(error.message) from error
    provides = (*registered.components.values(), registered.models, registered.commands)
    if not any(provides):
        raise CheckFailed("its hooks register nothing")


def check_manifest(subject: Subject, item: Item) -> None:
    """The file is, byte for byte, what `zoo manifest update` would write."""
    path = manifest_path(subject)
    if path is None or subject.package is None:
        raise Undecided("a plugin in a single file has no place for a manifest")
    require_hooks(subject)
    backend.ensure()
    try:
        expected = manifests.build(subject.plugin.name, subject.package)
    except ManifestError as error:
        raise CheckFailed(f"no manifest can be made: {error.message}") from error
    update = f"run: zoo manifest update {subject.project or 'PROJECT'}"
    if not path.is_file():
        raise CheckFailed(f"there is no {path.name}; {update}")
    if path.read_text(encoding="utf-8") != manifests.render(expected):
        raise CheckFailed(f"{path.name} is not up to date: {_difference(subject.plugin.manifest, expected)}; {update}")


def require_hooks(subject: Subject) -> None:
    """Raises Undecided where the hooks do not run, which is another check's to tell."""
    try:
        _ = subject.registrations
    except ZooError as error:
        raise Undecided("its hooks do not run: see the check 'hooks'") from error


def _difference(found: Manifest | None, expected: Manifest) -> str:
    """The names of what differs."""
    if found is None:
        return "it cannot be read"
    old, new = _records(found), _records(expected)
    changes = {
        "lacks": [name for name in new if name not in old],
        "still has": [name for name in old if name not in new],
        "has changed": [name for name in new if name in old and old[name] != new[name]],
    }
    told = [f"{what} {listed(names[:_SHOWN])}" for what, names in changes.items() if names]
    return ", ".join(told) or "it is written differently"


def _records(manifest: Manifest) -> dict[str, object]:
    return {
        record.name: record
        for records in (manifest.components, manifest.models, manifest.commands, manifest.presets)
        for record in records
    }
