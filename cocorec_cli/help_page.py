"""The help of a command, made to be read in 80 columns: presets and common options first, all with ``--help-all``.

What is common stands in the declaration of an option; panels, texts and defaults come from there, too.
"""

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from typer.core import TyperArgument, TyperCommand, TyperOption

from stages.frame.machine import MACHINE
from stages.frame.options import Declared, declarations

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.text import Text

PRESETS = "Presets"
"""Panel that comes first."""

ALL = "--help-all"
"""Asks for every option."""

EVERYTHING = "cocorec.help_all"
"""Where a context's ``meta`` keeps that every option is asked for."""

FEW = 14
"""Options up to which a command shows all of them at once."""

NAMES = 29
"""Columns for the names of options, at most."""

_ARGUMENTS, _OPTIONS = "Arguments", "Options"
_MARGIN = 2


@dataclass(frozen=True)
class Row:
    """An option as the help shows it.

    Attributes:
        panel: the group in which it stands.
        names: its spellings with what stands for the value, a line each.
        help: what it does.
        extra: its default, bounds and variable.
        common: shown without ``--help-all``.
    """

    panel: str
    names: tuple[str, ...]
    help: str
    extra: str
    common: bool


def rows_of(command: TyperCommand, ctx: Any) -> list[Row]:
    """What the help says of the options of a command, in the order in which it says it.

    Args:
        command: made from the options of a stage or not.
        ctx: its context.
    """
    options = getattr(command, "options", None)
    declared = {found.name: found for found in declarations(options)} if options else {}
    marked = any(found.option.common for found in declared.values())
    rows = []
    for param in command.get_params(ctx):
        if not isinstance(param, TyperOption | TyperArgument) or param.hidden:
            continue
        found = declared.get(str(param.name))
        if found:
            common = found.option.common or found.option.argument or not marked
        else:
            common = param.rich_help_panel != MACHINE
        rows.append(_row(param, found, ctx, common))
    if len(rows) <= FEW:
        rows = [Row(row.panel, row.names, row.help, row.extra, True) for row in rows]
    panels = list(dict.fromkeys(row.panel for row in rows))
    order = [
        PRESETS,
        _ARGUMENTS,
        *(panel for panel in panels if panel not in (PRESETS, _ARGUMENTS, _OPTIONS)),
        _OPTIONS,
    ]
    return sorted(rows, key=lambda row: order.index(row.panel))


def print_help(command: TyperCommand, ctx: Any, *, everything: bool) -> None:
    """Print the help of a command on stdout, as wide as the terminal is.

    Args:
        command: which.
        ctx: its context.
        everything: all options, not the common ones alone.
    """
    console = _console()
    _print_top(console, command, ctx)
    rows = rows_of(command, ctx)
    shown = [row for row in rows if everything or row.common]
    width = min(NAMES, max((len(name) for row in shown for name in row.names), default=0))
    for panel in dict.fromkeys(row.panel for row in shown):
        _print_table(console, panel, [_cells(row) for row in shown if row.panel == panel], width)
    if len(shown) < len(rows):
        rest = dict.fromkeys(row.panel for row in rows if row not in shown)
        _print_text(
            console,
            f"{len(rows) - len(shown)} more options ({', '.join(rest)}):\n  {ctx.command_path} {ALL}",
            style="bold",
        )
    if command.epilog:
        _print_text(console, command.epilog, style="dim")


def print_group_help(group: Any, ctx: Any, entries: Sequence[tuple[str, str, str]]) -> None:
    """Print the help of ``cocorec`` itself on stdout.

    Args:
        group: the command.
        ctx: its context.
        entries: panel, name and summary of each command, in order.
    """
    from rich.text import Text

    console = _console()
    _print_top(console, group, ctx)
    rows = [_row(param, None, ctx, True) for param in group.get_params(ctx)]
    rows = [replace(row, extra="") for row in rows]  # the variables that set these are of no use
    width = max(len(name) for _, name, _ in entries)
    for panel in dict.fromkeys(entry[0] for entry in entries):
        cells = [(Text(name, "bold cyan"), Text(summary)) for of, name, summary in entries if of == panel]
        _print_table(console, panel, cells, width)
    _print_table(console, _OPTIONS, [_cells(row) for row in rows], max(len(name) for row in rows for name in row.names))
    if group.epilog:
        _print_text(console, group.epilog, style="dim")


def print_page(title: str, entries: Sequence[tuple[str, str]]) -> None:
    """Print terms and what they mean on stdout."""
    from rich.text import Text

    console = _console()
    width = min(NAMES, max(len(term) for term, _ in entries))
    _print_table(console, title, [(Text(term, "bold cyan"), Text(text)) for term, text in entries], width)


def paragraphs(text: str) -> Iterator[str]:
    """A docstring's paragraphs, each on one line; what is indented keeps its lines."""
    for part in inspect.cleandoc(text).split("\n\n"):
        lines = part.splitlines()
        yield part if all(line.startswith("    ") for line in lines) else " ".join(line.strip() for line in lines)


def _console() -> "Console":
    from rich.console import Console

    return Console(highlight=False)


def _print_top(console: "Console", command: Any, ctx: Any) -> None:
    pieces = " ".join(_usage_pieces(command, ctx))
    _print_text(console, f"Usage: {ctx.command_path} {pieces}", style="bold", before="")
    for part in paragraphs(command.help or ""):
        _print_text(console, part)


def _usage_pieces(command: Any, ctx: Any) -> Iterator[str]:
    """What follows the name of the command: Typer's words, but for arguments, whose dots it doubles."""
    arguments = {param.get_usage_pieces(ctx)[0]: param for param in command.params if isinstance(param, TyperArgument)}
    for piece in command.collect_usage_pieces(ctx):
        param = arguments.get(piece)
        if param is None:
            yield piece
        else:
            name = (param.metavar or str(param.name).upper()).replace("[", "").replace("]", "")
            yield name if param.required else f"[{name}]"


def _print_text(console: "Console", text: str, *, style: str = "", before: str = "\n") -> None:
    from rich.text import Text

    console.print(Text(before + text, style=style))


def _print_table(
    console: "Console", title: str, cells: Sequence[tuple["RenderableType", "RenderableType"]], width: int
) -> None:
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    console.print(Text("\n" + title, style="bold"))
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=width, no_wrap=True)
    table.add_column()
    for left, right in cells:
        table.add_row(left, right)
    console.print(Padding(table, (0, 0, 0, _MARGIN)))


def _cells(row: Row) -> tuple["Text", "Text"]:
    from rich.text import Text

    names = Text("\n".join(row.names), style="bold cyan")
    names.highlight_regex(r"(?<= )[^-\s]\S*|^ +\S+", "not bold yellow")
    return names, Text.assemble(row.help, (f" [{row.extra}]" if row.extra else "", "dim"))


def _row(param: Any, declared: Declared | None, ctx: Any, common: bool) -> Row:
    help_text = " ".join((param.help or "").split())
    _, told = param.get_help_record(ctx)
    # What Typer adds to the text itself: `text  [default: 64; x>=1]`.
    extra = told[len(param.help or "") :].strip().removeprefix("[").removesuffix("]")
    extra = re.sub(r"default: \((.*)\)", r"default: \1", extra)
    choices = _choices(param, declared)
    if choices and all(f"{choice}:" in help_text for choice in choices):
        help_text = _lines(help_text, choices)
    elif choices and "|".join(choices) != _metavar(param, choices):
        help_text += f" One of {', '.join(choices)}."
    if isinstance(param, TyperArgument):
        if ctx.command.name in with_tables():
            extra = "; ".join(part for part in (extra, f"in a configuration file: {param.name}") if part)
        return Row(_ARGUMENTS, (param.metavar or str(param.name).upper(),), help_text, extra, True)
    return Row(param.rich_help_panel or _OPTIONS, tuple(_names(param, choices)), help_text, extra, common)


def _lines(text: str, choices: Sequence[str]) -> str:
    """A text that explains each choice, a line each."""
    for choice in choices:
        text = re.sub(rf"(?:; |(?<=\.) |^){re.escape(choice)}: ", f"\n{choice}: ", text)
    return text.strip()


def _names(param: TyperOption, choices: Sequence[str]) -> Iterator[str]:
    """The spellings of an option; what does not fit beside each other stands on a line of its own."""
    spelt = ", ".join(sorted(param.opts, key=lambda name: not name.startswith("--")))
    value = "" if param.is_flag else _metavar(param, choices)
    if value and len(spelt) + 1 + len(value) <= NAMES:
        yield f"{spelt} {value}"
    else:
        yield spelt
        if value:
            yield f"    {value}"
    yield from param.secondary_opts


def _metavar(param: TyperOption | TyperArgument, choices: Sequence[str]) -> str:
    if param.metavar:
        return param.metavar
    short = "|".join(choices)
    return short if choices and len(short) <= 16 else str(param.name).rpartition("_")[2].upper()


def _choices(param: Any, declared: Declared | None) -> tuple[str, ...]:
    if declared:
        return declared.choices
    return tuple(map(str, param.type_descriptor.choices or ()))


def with_tables() -> tuple[str, ...]:
    """The commands that have a table in the configuration file."""
    from cocorec_cli.config import SEARCH
    from stages.artifacts.pipeline import STAGES

    return (*STAGES, SEARCH)
