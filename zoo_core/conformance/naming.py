"""The check of Keras' names: `.keras` files name a class, and only `plugin>ClassName` is sure to be this one."""

from __future__ import annotations

from zoo_core import backend
from zoo_core.conformance.kinds import class_of
from zoo_core.conformance.results import CheckFailed, Undecided
from zoo_core.conformance.specimens import example
from zoo_core.conformance.subjects import Item, Subject
from zoo_core.errors import PluginError


def check_keras_name(subject: Subject, item: Item) -> None:
    """The class is registered with Keras' own decorator, under the plugin's name."""
    if item.kind == "callbacks":
        raise Undecided("Keras does not save callbacks, so it needs no name for one")
    if example(item).base_class:
        raise Undecided("it is a base class, as its example says: no file names it")
    backend.ensure()
    import keras

    try:
        found = class_of(item)
    except (CheckFailed, PluginError) as error:
        raise Undecided("it has no class to ask about: see the check 'builds'") from error
    name, expected = keras.saving.get_registered_name(found), f"{subject.plugin.name}>{found.__name__}"
    if name != expected:
        decorator = f'@keras.saving.register_keras_serializable(package="{subject.plugin.name}")'
        raise CheckFailed(f"Keras knows it as '{name}', not as '{expected}'; decorate it: {decorator}")
    if keras.saving.get_registered_object(expected) is not found:
        raise CheckFailed(f"another class has taken the name '{expected}' since: names within a plugin must differ")
