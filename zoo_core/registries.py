"""The registries of components: they list all that plugins provide, and import only what is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from zoo_core import host, index


class Registry:
    """The components of one kind that installed plugins provide, by name.

    `registry["glow/ActNorm"]`, or the bare name while it is unique, is the class; only its plugin is imported.
    Iterating gives the full names, sorted; `len` and `in` go with that.
    """

    def __init__(self, kind: str) -> None:
        """`kind` is "losses", "layers", "optimizers" or "callbacks"."""
        self.kind = kind

    def __getitem__(self, name: str) -> Any:
        """The class; raises NameNotFoundError, AmbiguousNameError, NotInstalledError, PluginError or UsageError."""
        plugin, component = index.find_component(self.kind, name)
        return host.resolve(host.component(plugin, self.kind, component.name).target)

    def get(self, name: str, **arguments: Any) -> Any:
        """An instance made with these arguments; raises what looking the class up does."""
        return self[name](**arguments)

    def __iter__(self) -> Iterator[str]:
        """The full names, sorted."""
        return iter(sorted(self._names()))

    def __len__(self) -> int:
        """How many components there are."""
        return len(self._names())

    def __contains__(self, name: object) -> bool:
        """Whether the name can be looked up: full, or bare and unique."""
        names = self._names()
        return name in names or [full.partition("/")[2] for full in names].count(str(name)) == 1

    def __repr__(self) -> str:
        """What an interactive user sees: the names."""
        return f"<registry of {self.kind}: {', '.join(self) or 'none'}>"

    def _names(self) -> set[str]:
        return {
            f"{plugin.name}/{component.name}"
            for plugin in index.plugins()
            if plugin.installed and plugin.manifest and not plugin.broken
            for component in plugin.manifest.components
            if component.kind == self.kind
        }


losses = Registry("losses")
layers = Registry("layers")
optimizers = Registry("optimizers")
callbacks = Registry("callbacks")


def custom_objects(plugin_name: str) -> dict[str, Any]:
    """What `keras.saving.load_model(custom_objects=...)` needs for a plugin's classes: "glow>ActNorm" -> class.

    Imports them all, but for callbacks, which Keras does not save. Raises NameNotFoundError or PluginError.
    """
    plugin = index.find_plugin(plugin_name)
    registered = host.load(plugin)
    kinds = ("losses", "layers", "optimizers")
    targets = [item.target for kind in kinds for item in registered.components[kind].values()]
    classes = [host.resolve(target) for target in [*targets, *(model.target for model in registered.models.values())]]
    return {f"{plugin.name}>{item.__name__}": item for item in classes}
