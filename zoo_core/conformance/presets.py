"""Checks of trained weights: their files, their licence, their card, and that they fit the model."""

from __future__ import annotations

from zoo_core import backend, loading, pulling, snapshot
from zoo_core.card import CARD_FILE
from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.conformance.subjects import Item, Subject
from zoo_core.errors import IntegrityError
from zoo_core.presets import PresetFolder
from zoo_core.records import Preset


def check_preset_files(subject: Subject, item: Item) -> None:
    """Sizes, then hashes, of every file that the manifest lists."""
    preset = _preset(item)
    try:
        _folder(subject, preset).verify(preset.files)
    except IntegrityError as error:
        raise CheckFailed(error.message) from error


def check_preset_license(subject: Subject, item: Item) -> None:
    """A licence that a program can read: an SPDX expression, or `LicenseRef-` and a name."""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    given = _preset(item).license
    if not given:
        raise CheckFailed("run.json names no licence: under which one may these weights be used?")
    try:
        canonicalize_license_expression(given)
    except InvalidLicenseExpression as error:
        raise CheckFailed(
            f"its licence is no SPDX expression such as Apache-2.0 or LicenseRef-mine: {error}"
        ) from error


def check_preset_card(subject: Subject, item: Item) -> None:
    """There is a card, and it is what the zoo makes of the preset's records."""
    preset = _preset(item)
    if not preset.folder or subject.package is None:
        raise Undecided("its files are on the Hub alone, where its card was written when it was published")
    path = subject.package / preset.folder / CARD_FILE
    update = f"run: zoo manifest update {subject.project or 'PROJECT'}"
    if not path.is_file():
        raise CheckFailed(f"there is no {preset.folder}/{CARD_FILE}; {update}")
    backend.ensure()
    if path in snapshot.stale_cards(subject.plugin.name, subject.package):
        raise CheckFailed(f"{preset.folder}/{CARD_FILE} is not up to date; {update}")


def check_preset_loads(subject: Subject, item: Item) -> None:
    """The model is built from config.json and is given every tensor, as for a user."""
    if subject.plugin.broken:
        raise Undecided("the plugin's manifest cannot be used: see the check 'manifest'")
    _folder(subject, _preset(item))
    backend.ensure()
    loading.load(item.name)


def _preset(item: Item) -> Preset:
    assert item.preset is not None
    return item.preset


def _folder(subject: Subject, preset: Preset) -> PresetFolder:
    """Where the files are; nothing is downloaded for a check."""
    folder = pulling.preset_folder(subject.plugin, preset)
    if folder is None or not (preset.folder or PresetFolder(folder).is_complete(preset.files)):
        raise Undecided(f"its weights are not bundled and not on this disk: zoo pull {preset.name}")
    return PresetFolder(folder)
