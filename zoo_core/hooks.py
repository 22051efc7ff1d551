"""What a plugin may implement: pluggy hook specifications, and the marker that plugins put on their functions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pluggy

if TYPE_CHECKING:
    import typer

PROJECT = "zoo"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class RegisterComponent(Protocol):
    """What `register_losses`, `register_layers`, `register_optimizers` and `register_callbacks` receive."""

    def __call__(self, name: str, target: object, *, summary: str = "", example: object = None) -> None:
        """Provide `target` (a class, or its import path "package.module:Class") as `plugin/name`.

        `example` says how to try it, for `zoo check`: constructor arguments, a `zoo_core.conformance.Example`, or the
        import path of a function that returns one.
        """


class RegisterModel(Protocol):
    """What `register_models` receives."""

    def __call__(
        self,
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
        """Provide a model class, its training recipe, and the variant that is meant when none is named.

        `example` says how to try it, as for a component.
        """


@hookspec
def register_losses(register: RegisterComponent) -> None:
    """Provide losses."""


@hookspec
def register_layers(register: RegisterComponent) -> None:
    """Provide layers."""


@hookspec
def register_optimizers(register: RegisterComponent) -> None:
    """Provide optimizers."""


@hookspec
def register_callbacks(register: RegisterComponent) -> None:
    """Provide callbacks."""


@hookspec
def register_models(register: RegisterModel) -> None:
    """Provide models."""


@hookspec
def register_commands(app: typer.Typer) -> None:
    """Add commands to `zoo <plugin>`."""
