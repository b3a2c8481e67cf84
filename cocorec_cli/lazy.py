"""A group whose commands are imported only when they are needed, so that ``cocorec --help`` stays quick."""

import importlib
from collections.abc import Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command


@dataclass(frozen=True)
class Entry:
    """A command that may not have been imported yet: the function ``cocorec_cli.commands.<name>.<name>``.

    Attributes:
        name: of the command.
        panel: of the list of commands.
        summary: the first line of the function's docstring, which the list shows.
        epilog: last line of the command's own help.
    """

    name: str
    panel: str
    summary: str
    epilog: str | None = None

    def load(self) -> Any:
        """Import the function and make the command of it."""
        from cocorec_cli.from_options import OptionsCommand

        function = getattr(importlib.import_module(f"cocorec_cli.commands.{self.name}"), self.name)
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command(self.name, cls=OptionsCommand, rich_help_panel=self.panel, epilog=self.epilog)(function)
        command: Any = get_command(alone)
        command.options = getattr(function, "options", None)
        return command


class LazyCommands(MutableMapping[str, Any]):
    """Commands by name, each made when it is first asked for.

    Args:
        entries: all commands, in the order of the list.
    """

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._found: dict[str, Any] = {entry.name: entry for entry in entries}

    def __getitem__(self, name: str) -> Any:
        found = self._found[name]
        if isinstance(found, Entry):
            found = self._found[name] = found.load()
        return found

    def __setitem__(self, name: str, command: Any) -> None:
        self._found[name] = command

    def __delitem__(self, name: str) -> None:
        del self._found[name]

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def lazy_group(entries: Sequence[Entry]) -> type[TyperGroup]:
    """The class of a group with these commands, for ``typer.Typer(cls=...)``."""

    class LazyGroup(TyperGroup):
        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = LazyCommands(entries)

        def list_commands(self, ctx: Any) -> list[str]:
            return list(self.commands)

        def format_help(self, ctx: Any, formatter: Any) -> None:
            from cocorec_cli.help_page import print_group_help

            print_group_help(self, ctx, [(entry.panel, entry.name, entry.summary) for entry in entries])

    return LazyGroup
