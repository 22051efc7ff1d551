"""Runs plugins' code, one plugin at a time and isolated: a broken one is an error about itself and nothing else."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from zoo_core.errors import IncompatibleError, NotInstalledError, PluginError
from zoo_core.names import is_import_path, is_item_name, is_plugin_name, suggest
from zoo_core.records import KINDS, Plugin
from zoo_core.text import clean

if TYPE_CHECKING:
    import pluggy
    import typer

    from zoo_core.hooks import RegisterComponent, RegisterModel

T = TypeVar("T")

HOOKS = (*(f"register_{kind}" for kind in KINDS), "register_models", "register_commands")

# What may be registered as an object or as its import path.
_OBJECTS = ("target", "recipe", "example")


@dataclass(frozen=True, slots=True)
class Registration:
    """A component as its plugin registered it: `target` is a class, or an import path to be resolved.

    `example` is what the conformance kit tries it with, as it was given.
    """

    kind: str
    name: str
    target: object
    summary: str = ""
    example: object = None


@dataclass(frozen=True, slots=True)
class ModelRegistration:
    """A model as its plugin registered it: `target` and `recipe` are classes, or import paths to be resolved."""

    name: str
    target: object
    recipe: object = ""
    task: str = ""
    summary: str = ""
    paper: str = ""
    default: str = ""
    example: object = None


@dataclass(frozen=True, slots=True)
class Registrations:
    """Everything that one plugin's hooks registered; `commands` is None where it has none."""

    components: dict[str, dict[str, Registration]]
    models: dict[str, ModelRegistration]
    commands: typer.Typer | None


def load(plugin: Plugin) -> Registrations:
    """What a plugin registers; its code is run once a process.

    Raises NotInstalledError, IncompatibleError, or PluginError with the reason why the plugin cannot be used.
    """
    if not plugin.installed:
        raise NotInstalledError(f"plugin '{plugin.name}' is not installed", f"zoo install {plugin.name}")
    if not plugin.compatible:
        raise IncompatibleError(f"plugin '{plugin.name}' cannot be used: {plugin.broken}", "zoo doctor")
    result = PluginError(plugin.broken) if plugin.broken else outcome(plugin.name, plugin.module)
    if isinstance(result, Registrations):
        return result
    raise PluginError(f"plugin '{plugin.name}' cannot be used: {explain(result)}", "zoo doctor") from result


def component(plugin: Plugin, kind: str, name: str) -> Registration:
    """A component of a plugin as registered; raises as `load` does, and PluginError where only the manifest has it."""
    return _registered(plugin, load(plugin).components[kind], name)


def model(plugin: Plugin, name: str) -> ModelRegistration:
    """A model of a plugin as registered; raises as `load` does, and PluginError where only the manifest has it."""
    return _registered(plugin, load(plugin).models, name)


def _registered(plugin: Plugin, registered: Mapping[str, T], name: str) -> T:
    if name in registered:
        return registered[name]
    raise PluginError(
        f"plugin '{plugin.name}' does not register '{name}': its manifest is stale", "zoo manifest update"
    )


@cache
def outcome(name: str, module_name: str) -> Registrations | BaseException:
    """What the hooks of a plugin's module register, or what was raised instead."""
    try:
        # What a plugin prints while it is loaded would spoil the one JSON document on stdout.
        with redirect_stdout(sys.stderr):
            return _registrations(name, importlib.import_module(module_name))
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return error


def resolve(target: object) -> Any:
    """The object that "package.module:Attribute" names; anything that is no string as it is. Raises PluginError."""
    if not isinstance(target, str):
        return target
    module_name, _, path = target.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for attribute in path.split("."):
            found = getattr(found, attribute)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PluginError(f"'{clean(target)}' cannot be imported: {explain(error)}") from error
    return found


def explain(error: BaseException) -> str:
    """What was raised, and where, on one line; of our own errors the message."""
    if isinstance(error, PluginError):
        return error.message
    try:
        message = clean(str(error))[:300]
    except Exception:
        message = "its message cannot be shown"
    return f"{type(error).__name__}{': ' if message else ''}{message}{_place(error.__traceback__)}"


def _place(trace: TracebackType | None) -> str:
    """The innermost line of a traceback, of the lines that are neither ours nor those of the import system."""
    place = ""
    while trace:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and file not in (__file__, importlib.__file__):
            place = f" ({'/'.join(Path(file).parts[-2:])}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return place


def _registrations(name: str, module: ModuleType) -> Registrations:
    _check_functions(module)
    manager = _manager()
    manager.register(module, name=name)
    manager.check_pending()
    collected = Registrations({kind: {} for kind in KINDS}, {}, _commands_app(name, manager))
    for kind in KINDS:
        getattr(manager.hook, f"register_{kind}")(register=_component_register(kind, collected.components[kind]))
    manager.hook.register_models(register=_model_register(collected.models))
    if collected.commands is not None:
        manager.hook.register_commands(app=collected.commands)
    return collected


def _manager() -> pluggy.PluginManager:
    import pluggy

    from zoo_core import hooks

    manager = pluggy.PluginManager(hooks.PROJECT)
    manager.add_hookspecs(hooks)
    return manager


def _check_functions(module: ModuleType) -> None:
    """Raise PluginError for what pluggy would ignore: a hook without its marker, a function named like a hook."""
    functions = {name: value for name, value in vars(module).items() if isinstance(value, FunctionType)}
    hooks = {name: _hook(name, function) for name, function in functions.items()}
    for name, function in functions.items():
        if hooks[name] is None and name in HOOKS:
            raise PluginError(f"{name} lacks its decorator @hookimpl, from zoo_core")
        looks_like_one = name.startswith("register_") and function.__module__ == module.__name__
        meant = hooks[name] or (name if looks_like_one else None)
        if meant and meant not in HOOKS:
            raise PluginError(f"{meant} is not a hook{suggest(meant, HOOKS)}")
    if not any(hooks.values()):
        raise PluginError(f"{module.__name__} has no function with @hookimpl, from zoo_core")


def _hook(name: str, function: FunctionType) -> str | None:
    """The hook that a function says it implements; None without the marker."""
    options = getattr(function, "zoo_impl", None)
    return (options.get("specname") or name) if options else None


def _commands_app(name: str, manager: pluggy.PluginManager) -> typer.Typer | None:
    if not manager.hook.register_commands.get_hookimpls():
        return None
    import typer

    return typer.Typer(name=name, no_args_is_help=True)


def _component_register(kind: str, collected: dict[str, Registration]) -> RegisterComponent:
    def register(name: str, target: object, *, summary: str = "", example: object = None) -> None:
        item = Registration(kind, name, target, summary, example)
        _check(item, is_item_name, collected)
        collected[name] = item

    return register


def _model_register(collected: dict[str, ModelRegistration]) -> RegisterModel:
    def register(
        name: str,
        target: object,
        *,
        recipe: object = "",
        task: str = "",
        summary: str = "",
        paper: str = "",
        default: str = "",
        example: object = None,
    ) -> None:
        item = ModelRegistration(name, target, recipe, task, summary, paper, default, example)
        _check(item, is_plugin_name, collected)
        collected[name] = item

    return register


def _check(
    item: Registration | ModelRegistration, is_name: Callable[[str], bool], collected: Mapping[str, object]
) -> None:
    if not isinstance(item.name, str) or not is_name(item.name):
        raise PluginError(f"it registers {clean(repr(item.name))[:100]}, which cannot be a name")
    if item.name in collected:
        raise PluginError(f"it registers '{item.name}' twice")
    for key in (field.name for field in fields(item)):
        value = getattr(item, key)
        if isinstance(value, str):
            _check_text(item.name, key, value)
        elif key not in _OBJECTS:
            raise PluginError(f"it registers '{item.name}' with a {key} that is no text")
        elif key == "example" and not _is_example(value):
            raise PluginError(f"it registers '{item.name}' with an example that is neither a dictionary nor an Example")


def _is_example(value: object) -> bool:
    from zoo_core.conformance import Example

    return value is None or callable(value) or isinstance(value, (Mapping, Example))


def _check_text(name: str, key: str, value: str) -> None:
    may_be_left_out = key == "recipe" and not value
    if key in _OBJECTS and not may_be_left_out and not is_import_path(value):
        raise PluginError(f"'{clean(value)[:100]}', the {key} of '{name}', is not \"package.module:Class\"")
