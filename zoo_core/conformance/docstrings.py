"""The check of docstrings: what is provided says what it is."""

from __future__ import annotations

from importlib import import_module

from zoo_core import host
from zoo_core.conformance.package import require_hooks
from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.conformance.subjects import Item, Subject
from zoo_core.conformance.table import COMMANDS, PLUGIN
from zoo_core.errors import PluginError
from zoo_core.host import ModelRegistration


def check_docstring(subject: Subject, item: Item) -> None:
    """A package's and a class' own docstring, a recipe's, and a command's help."""
    if item.kind == PLUGIN:
        _check_package(subject)
    elif item.kind == COMMANDS:
        if not item.help.strip():
            raise CheckFailed("the command has no help: give its function a docstring")
    elif item.registration is not None:
        _check_class(item.registration.target)
        if isinstance(item.registration, ModelRegistration) and item.registration.recipe:
            _check_class(item.registration.recipe)


def _check_package(subject: Subject) -> None:
    require_hooks(subject)
    module = subject.plugin.module
    for name in dict.fromkeys((module.partition(".")[0], module)):
        if not (import_module(name).__doc__ or "").strip():
            raise CheckFailed(f"{name} has no docstring")


def _check_class(target: object) -> None:
    try:
        found = host.resolve(target)
    except PluginError as error:
        raise Undecided("it cannot be imported: see the check 'builds'") from error
    name = getattr(found, "__name__", str(target))
    # A dataclass without a docstring is given its signature as one.
    text = (found.__doc__ or "").strip()
    if not text or text.startswith(f"{name}("):
        raise CheckFailed(f"{name} has no docstring")
