"""zoo: a plugin-based model zoo for Keras 3.

Everything here is imported when it is first used: `import zoo_core` alone imports neither Keras nor a backend.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo_core import errors as errors
    from zoo_core.evaluation import evaluate as evaluate
    from zoo_core.hooks import hookimpl as hookimpl
    from zoo_core.listing import info as info
    from zoo_core.listing import list_models as list_models
    from zoo_core.loading import load as load
    from zoo_core.loading import save as save
    from zoo_core.pulling import pull as pull
    from zoo_core.registries import callbacks as callbacks
    from zoo_core.registries import custom_objects as custom_objects
    from zoo_core.registries import layers as layers
    from zoo_core.registries import losses as losses
    from zoo_core.registries import optimizers as optimizers
    from zoo_core.training import train as train
    from zoo_core.version import __version__ as __version__

# Name -> the module of this package that has it.
_HOMES = {
    "__version__": "version",
    "callbacks": "registries",
    "custom_objects": "registries",
    "evaluate": "evaluation",
    "hookimpl": "hooks",
    "info": "listing",
    "layers": "registries",
    "list_models": "listing",
    "load": "loading",
    "losses": "registries",
    "optimizers": "registries",
    "pull": "pulling",
    "save": "loading",
    "train": "training",
}

__all__ = [
    "__version__",
    "callbacks",
    "custom_objects",
    "errors",
    "evaluate",
    "hookimpl",
    "info",
    "layers",
    "list_models",
    "load",
    "losses",
    "optimizers",
    "pull",
    "save",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return import_module("zoo_core.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo_core' has no attribute '{name}'")
    value = getattr(import_module(f"zoo_core.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
