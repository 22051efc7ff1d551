"""The root of the command line: our own commands, and a group for each installed plugin that has any."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.main import get_command

from zoo_core.cli import complete
from zoo_core.cli.groups import Group, PluginGroup, suited
from zoo_core.cli.output import examples
from zoo_core.errors import UsageError, ZooError

if TYPE_CHECKING:
    from zoo_core.records import Plugin

# Each is the `app` of the module of that name in this package, imported when it is run or its summary is wanted.
COMMANDS = (
    "list",
    "info",
    "pull",
    "remove",
    "install",
    "uninstall",
    "components",
    "train",
    "evaluate",
    "publish",
    "freeze",
    "check",
    "doctor",
    "cache",
    "new",
    "manifest",
    "registry",
)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run `zoo` and return its exit status; raises ZooError, UsageError for what does not parse."""
    app = typer.Typer(cls=Root, epilog=examples("zoo list", "zoo pull glow", "zoo glow sample --output samples.png"))
    app.callback()(_zoo)
    command = suited(get_command(app))
    try:
        if complete.is_asked_by_bash():
            complete.answer_bash(lambda: command.main(prog_name="zoo"))
            return 0
        status = command.main(arguments, prog_name="zoo", standalone_mode=False)
    except typer.Abort:
        print("nothing was changed", file=sys.stderr)
        return 1
    except typer.TyperException as error:
        raise _usage_error(error) from None
    return status if isinstance(status, int) else 0


def _usage_error(error: typer.TyperException) -> ZooError:
    context = getattr(error, "ctx", None)
    kind = UsageError if error.exit_code == 2 else ZooError
    return kind(error.format_message().rstrip("."), f"{context.command_path} --help" if context else "")


def _show_version(wanted: bool) -> None:
    if wanted:
        from zoo_core.version import __version__

        typer.echo(f"zoo-core {__version__}")
        raise typer.Exit


def _zoo(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """A plugin-based model zoo for Keras 3."""


class Root(Group):
    """`zoo`: knows the names of all commands without importing any of them."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Our own commands, then the plugins that have commands."""
        return [*COMMANDS, *(name for name in _plugins() if name not in COMMANDS)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of this name, or a plugin's group; None without any."""
        if cmd_name in COMMANDS:
            return _own(cmd_name)
        plugin = _plugins().get(cmd_name)
        return suited(PluginGroup(plugin)) if plugin else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command that the arguments name; an unknown name is met with the nearest, or with how to install it."""
        name = args[0]
        if not ctx.resilient_parsing and not name.startswith("-") and self.get_command(ctx, name) is None:
            raise _unknown(name, self.list_commands(ctx))
        return super().resolve_command(ctx, args)


def _own(name: str) -> Any:
    command: Any = get_command(import_module(f"zoo_core.cli.{name}").app)
    command.name = name
    return suited(command)


def _plugins() -> dict[str, Plugin]:
    """The installed plugins with commands, as far as is known without running any code of theirs."""
    from zoo_core import probe
    from zoo_core.installed import installed_plugins

    installed = installed_plugins()
    known = probe.filled_in(installed, probe.remembered(installed))
    return {
        plugin.name: plugin for plugin in known if not plugin.broken and plugin.manifest and plugin.manifest.commands
    }


def _unknown(name: str, known: list[str]) -> ZooError:
    from zoo_core import index
    from zoo_core.errors import NotInstalledError, PluginError
    from zoo_core.names import suggest
    from zoo_core.text import clean

    plugin = next((plugin for plugin in index.plugins() if plugin.name == name), None)
    if plugin is None:
        return UsageError(f"'{clean(name)}' is neither a command nor a plugin{suggest(name, known)}", "zoo --help")
    if plugin.broken:
        return PluginError(f"plugin '{name}' cannot be used: {plugin.broken}", "zoo doctor --refresh")
    if not plugin.installed:
        return NotInstalledError(f"plugin '{name}' is not installed", f"zoo install {name}")
    return UsageError(f"plugin '{name}' has no commands of its own", f"zoo info {name}")
