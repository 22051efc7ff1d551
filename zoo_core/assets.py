"""Texts that a model keeps beside its weights, such as a vocabulary: part of its preset, and data like all of it.

A model takes part by two methods: `assets() -> dict[str, str]`, file name -> text, and `set_assets(contents)`, which
gets the same when the preset is loaded and raises ValueError where it is not what the model can use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from zoo_core.card import CARD_FILE, PICTURE_FILE
from zoo_core.errors import PresetError
from zoo_core.names import is_file_name
from zoo_core.presets import CONFIG_FILE, RUN_FILE, WEIGHTS_FILE
from zoo_core.published import HUB_FILE
from zoo_core.text import clean

if TYPE_CHECKING:
    import keras

OWN_FILES = frozenset({CONFIG_FILE, WEIGHTS_FILE, RUN_FILE, CARD_FILE, PICTURE_FILE, HUB_FILE})
"""What the zoo itself writes into a preset's folder."""


def assets_of(model: keras.Model) -> dict[str, str]:
    """The texts that a model wants kept; raises PresetError where they are no texts, or where a name will not do."""
    texts: dict[str, str] = dict(getattr(model, "assets", dict)())
    for name, text in texts.items():
        if not is_file_name(name) or name in OWN_FILES:
            raise PresetError(f"{type(model).__name__}.assets(): a preset has no room for '{clean(str(name))[:100]}'")
        if not isinstance(text, str):
            raise PresetError(f"{type(model).__name__}.assets(): {name} is {type(text).__name__}, not a text")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise PresetError(f"{type(model).__name__}.assets(): {name} is no text in UTF-8: {error}") from None
    return texts


def other_files(contents: Mapping[str, bytes | bytearray]) -> dict[str, bytes]:
    """Of a preset's files those that the zoo did not write for itself."""
    return {name: bytes(content) for name, content in contents.items() if name not in OWN_FILES}


def give_assets(model: keras.Model, files: Mapping[str, bytes], where: str) -> None:
    """Give a model the texts of its preset; raises PresetError where they are none, or where it refuses them."""
    set_assets: Any = getattr(model, "set_assets", None)
    if not files or set_assets is None:
        return
    texts = {name: _text(name, content, where) for name, content in files.items()}
    try:
        set_assets(texts)
    except ValueError as error:
        names = ", ".join(sorted(texts))
        raise PresetError(f"{where}: {names}: {type(model).__name__} refuses it: {clean(str(error))[:300]}") from error


def check_same_assets(model: keras.Model, files: Mapping[str, bytes], where: str) -> None:
    """Raise PresetError where a model has other texts than a preset whose weights it is to get."""
    for name, text in assets_of(model).items():
        if files.get(name, text.encode()) != text.encode():
            raise PresetError(
                f"{where}/{name}: not the one of this {type(model).__name__}, whose weights would mean something else",
                "start from weights that were trained on the same data, or from none",
            )


def _text(name: str, content: bytes, where: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise PresetError(f"{where}/{clean(name)[:100]}: not a text in UTF-8: {error.reason}") from None
