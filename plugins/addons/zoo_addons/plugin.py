"""What the addons plugin provides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo_addons.catalogue import COMPONENTS
from zoo_core import hookimpl

if TYPE_CHECKING:
    from zoo_core.hooks import RegisterComponent


@hookimpl
def register_losses(register: RegisterComponent) -> None:
    """Losses."""
    for name, (module, example) in COMPONENTS["losses"].items():
        register(name, f"zoo_addons.{module}:{name}", example=example)


@hookimpl
def register_layers(register: RegisterComponent) -> None:
    """Layers, and models that act as one."""
    for name, (module, example) in COMPONENTS["layers"].items():
        register(name, f"zoo_addons.{module}:{name}", example=example)


@hookimpl
def register_optimizers(register: RegisterComponent) -> None:
    """Optimizers, and training steps."""
    for name, (module, example) in COMPONENTS["optimizers"].items():
        register(name, f"zoo_addons.{module}:{name}", example=example)


@hookimpl
def register_callbacks(register: RegisterComponent) -> None:
    """Callbacks."""
    for name, (module, example) in COMPONENTS["callbacks"].items():
        register(name, f"zoo_addons.{module}:{name}", example=example)
