"""Groups of commands: a plugin's, known from its manifest until it is entered, and what all groups have in common."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from zoo_core.cli.output import examples
from zoo_core.errors import ZooError

if TYPE_CHECKING:
    from zoo_core.records import Plugin

PANEL = "Commands of the installed plugins"


class Group(TyperGroup):
    """A group that shows its help when no command is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what stands before the command's name."""
        return super().parse_args(ctx, args if args or ctx.resilient_parsing else ["--help"])


class PluginGroup(Group):
    """`zoo <plugin>`: its commands' names are the manifest's; the plugin is imported when one of them is entered."""

    def __init__(self, plugin: Plugin) -> None:
        commands = plugin.manifest.commands if plugin.manifest else ()
        super().__init__(
            name=plugin.name,
            help=_literal(plugin.summary),
            epilog=examples(*_examples(plugin)),
            rich_help_panel=PANEL,
            commands={command.name: TyperCommand(command.name, help=_literal(command.summary)) for command in commands},
        )
        self.plugin = plugin

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The plugin's own command that the arguments name; raises PluginError when the plugin cannot be loaded."""
        try:
            self.commands = _commands(self.plugin)
        except ZooError:
            # While completing, a plugin that does not load has nothing to offer: no error may reach the prompt.
            if not ctx.resilient_parsing:
                raise
        return super().resolve_command(ctx, args)


def _examples(plugin: Plugin) -> list[str]:
    """Lines that need nothing but the manifest."""
    commands = plugin.manifest.commands if plugin.manifest else ()
    return [*(f"zoo {plugin.name} {command.name} --help" for command in commands[:1]), f"zoo info {plugin.name}"]


def _commands(plugin: Plugin) -> dict[str, Any]:
    from zoo_core import host

    app = host.load(plugin).commands
    return {name: suited(command) for name, command in get_group(app).commands.items()} if app else {}


def suited(command: Any) -> Any:
    """A command whose help, and that of the commands below it, is rich on a terminal and plain elsewhere."""
    if not sys.stdout.isatty():
        command.rich_markup_mode = None
    for below in getattr(command, "commands", {}).values():
        suited(below)
    return command


def _literal(summary: str) -> str:
    """A manifest's text, in which rich must not find markup."""
    return summary.replace("[", "\\[") if sys.stdout.isatty() else summary
