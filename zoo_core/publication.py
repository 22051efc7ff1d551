"""What is published of a preset: its files, checked, with a card made anew and a picture where the model makes any."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo_core import card as cards
from zoo_core import published, run_schema
from zoo_core.card import CARD_FILE, PICTURE_FILE
from zoo_core.errors import NameNotFoundError, PresetError, PublishError, UsageError
from zoo_core.names import is_path, is_repository, shown_path
from zoo_core.presets import RUN_FILE, PresetFolder, describe
from zoo_core.published import HUB_FILE, Published
from zoo_core.records import File
from zoo_core.text import clean

if TYPE_CHECKING:
    import keras

_MADE_HERE = (CARD_FILE, PICTURE_FILE)


@dataclass(frozen=True, slots=True)
class Publication:
    """What goes where: the preset's name and folder, the repository, and all files.

    `contents` are the files that are made here, the card and the picture; the others are read from the folder.
    `is_drawn` says that the picture was drawn just now, so that it may differ from an earlier one of the same model.
    """

    name: str
    folder: Path
    repo: str
    private: bool
    message: str
    files: tuple[File, ...]
    contents: Mapping[str, bytes]
    is_drawn: bool = False

    @property
    def card(self) -> str:
        """The card's text."""
        return self.contents[CARD_FILE].decode()

    def content(self, name: str) -> bytes | Path:
        """A file's content, or where it is."""
        return self.contents.get(name, self.folder / name)


def prepare(
    reference: str | os.PathLike[str],
    repo: str,
    *,
    private: bool = False,
    message: str = "",
    note: Callable[[str], None] = lambda _: None,
) -> Publication:
    """Everything that publishing a preset needs but the network: it's checked, loaded, described and drawn.

    `reference` is a preset's name or the path of its folder, that of a run too; `note` hears why there is no picture.
    Raises UsageError, PublishError for a preset without a licence or weights, PresetError, and what `load` raises.
    """
    from zoo_core import backend
    from zoo_core.loading import load

    if not is_repository(repo):
        raise UsageError(f"'{clean(repo)[:100]}' names no repository", "it is written OWNER/NAME: --repo me/my-model")
    folder, names = _found(reference)
    _check_links(folder, [*names, PICTURE_FILE])
    record = PresetFolder(folder).run()
    _check(record, folder)
    backend.loading_notice()
    model = load(reference)
    picture, is_drawn = _picture(folder, model, record, note)
    about = replace(cards.about(folder, record), repo=repo, picture=bool(picture))
    about = replace(about, listed=about.listed or not is_path(reference))
    contents = {CARD_FILE: _card(record, about, folder).encode(), **({PICTURE_FILE: picture} if picture else {})}
    files = [describe(folder / name) for name in names] + [_described(*made) for made in contents.items()]
    title = cards.title(record)
    ordered = tuple(sorted(files, key=lambda file: file.name))
    return Publication(title, folder, repo, private, message or f"Publish {title}", ordered, contents, is_drawn)


def record(publication: Publication, pin: Published, picture: bytes) -> list[Path]:
    """Write what was published into the preset's folder, and into the manifest of the plugin that lists it.

    The card and the Hub's `picture` go there too, so that the folder holds what the Hub does; hub.json comes last of
    them. Says what was written. Raises PublishError.
    """
    from zoo_core.files import replacing

    made_here = {CARD_FILE: publication.contents[CARD_FILE], **({PICTURE_FILE: picture} if picture else {})}
    try:
        for name, content in made_here.items():
            with replacing(publication.folder / name) as file:
                file.write(content)
        return [published.write(publication.folder, pin), *_update_manifest(publication.folder)]
    except OSError as error:
        path = shown_path(error.filename or publication.folder)
        raise PublishError(
            f"{pin.repo} is published at {pin.revision}, but {path} cannot be written: {error.strerror or 'no room'}",
            "make it writable, and give the same command again: it commits nothing twice",
        ) from None


def check_recordable(publication: Publication) -> None:
    """Raise PublishError unless `record` could write into the preset's folder."""
    from zoo_core.hub import cache_folder

    if publication.folder.resolve().is_relative_to(cache_folder().resolve()):
        raise PublishError(
            f"{publication.name} is not in a folder of yours but in the Hub's cache: nothing to record it in",
            "give the path of the preset's folder in the plugin's project",
        )
    if not os.access(publication.folder, os.W_OK):
        raise PublishError(f"{shown_path(publication.folder)} cannot be written: not permitted", "leave out --record")


def _update_manifest(folder: Path) -> list[Path]:
    from zoo_core import manifest
    from zoo_core.files import replace_text

    if not cards.is_listed(folder):
        return []
    package = folder.resolve().parents[1]
    path = package / manifest.FILE_NAME
    plugin = manifest.read(path).plugin
    replace_text(path, manifest.render(manifest.build(plugin, package)))
    return [path]


def _found(reference: str | os.PathLike[str]) -> tuple[Path, list[str]]:
    """A preset's folder, every recorded file of which was checked, and the names of the files to publish from it."""
    from zoo_core.pulling import pull

    try:
        pulled = pull(reference)
    except NameNotFoundError:
        if not Path(reference).is_dir():
            raise
        raise UsageError(f"'{reference}' is a folder, and its path starts with ./", f"./{reference}") from None
    if pulled.path is None:
        raise PublishError(f"{reference} has no weights to publish", f"train some: zoo train {reference}")
    names = {file.name for file in pulled.files} | {RUN_FILE}
    if cards.is_listed(pulled.path):
        names |= {path.name for path in pulled.path.iterdir() if path.is_file() and not path.name.startswith(".")}
    return pulled.path, sorted(names - {*_MADE_HERE, HUB_FILE})


def _check_links(folder: Path, names: list[str]) -> None:
    """Raise PublishError for a link to somewhere else: what somebody laid in this folder would publish a file of yours.

    In the Hub's cache, whose files are links, they may lead elsewhere in the cache.
    """
    from zoo_core.hub import cache_folder

    home, cache = folder.resolve(), cache_folder().resolve()
    within = cache if home.is_relative_to(cache) else home
    for name in names:
        if not (folder / name).resolve().is_relative_to(within):
            raise PublishError(f"{shown_path(folder / name)} leads out of the folder", "put the file itself there")


def _check(record: Mapping[str, Any], folder: Path) -> None:
    if not isinstance(record.get("model"), str) or "/" not in record["model"]:
        raise PresetError(f"{shown_path(folder / RUN_FILE)}: does not say of which model, as in plugin/name")
    if not isinstance(record.get("license"), str) or not record["license"]:
        raise PublishError(
            f"{shown_path(folder / RUN_FILE)}: no licence is recorded, and nobody may use what has none",
            'say it there: "license": "Apache-2.0"',
        )


def _picture(
    folder: Path, model: keras.Model, record: Mapping[str, Any], note: Callable[[str], None]
) -> tuple[bytes, bool]:
    """The PNG that shows what the model makes, b"" for none, and whether it was drawn just now."""
    if (folder / PICTURE_FILE).is_file():
        return (folder / PICTURE_FILE).read_bytes(), False
    if not record.get("recipe") or not record.get("settings"):
        return b"", False
    try:
        return draw(model, record), True
    except Exception as error:
        # Whatever a plugin's drawing raises, the model can be published without it.
        note(f"no picture: {type(error).__name__}: {clean(str(error))[:200]}")
        return b"", False


def draw(model: keras.Model, record: Mapping[str, Any]) -> bytes:
    """The first PNG that the recipe of a run draws of its model, b"" where it draws none; always from the same seed."""
    from zoo_core import backend
    from zoo_core.recipes import recipe_from_record

    backend.set_random_seed(0)
    with tempfile.TemporaryDirectory() as name:
        recipe_from_record(record).sample(model, Path(name), max(1, int(record.get("epochs") or 1)))
        return next((path.read_bytes() for path in sorted(Path(name).glob("*.png"))), b"")


def _card(record: Mapping[str, Any], about: cards.About, folder: Path) -> str:
    run_schema.check(record, shown_path(folder / RUN_FILE), complete=False)
    try:
        return cards.card(record, about)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise PresetError(f"{shown_path(folder / RUN_FILE)}: malformed: {clean(repr(error))[:200]}") from None


def _described(name: str, content: bytes) -> File:
    from zoo_core.files import sha256

    return File(name, len(content), sha256(content))
