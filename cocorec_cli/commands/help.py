"""``cocorec help``."""

from typing import Annotated

import typer
from typer.core import TyperGroup

from cocorec_cli.config import nearest
from cocorec_cli.glossary import GLOSSARY, entry_of, glossary
from cocorec_cli.help_page import ALL, EVERYTHING, print_page
from cocorec_cli.options import GENERAL, option
from stages.artifacts.errors import UsageError


def help(
    ctx: typer.Context,
    topic: Annotated[
        str | None,
        typer.Argument(help="A command, `glossary`, or one of its terms.", metavar="TOPIC", show_envvar=False),
    ] = None,
    everything: Annotated[bool, option(f"All options of the command, as {ALL} shows them.", GENERAL, "--all")] = False,
) -> None:
    """Explain a command, or a word: `cocorec help train`, `cocorec help glossary`, `cocorec help codes`."""
    root = ctx.find_root()
    group = root.command
    assert isinstance(group, TyperGroup)
    if topic is None:
        print(root.get_help())  # the page itself is printed while it is made
    elif topic in group.commands:
        made = group.commands[topic].make_context(topic, [], parent=root, resilient_parsing=True)
        made.meta[EVERYTHING] = everything
        print(made.get_help())
    elif topic.lower() == GLOSSARY:
        print_page("Glossary", glossary())
    elif found := entry_of(topic):
        print_page("Glossary", [found])
    else:
        known = [*group.commands, GLOSSARY, *(term for term, _ in glossary())]
        raise UsageError(
            f"no help on {topic!r}; {nearest(topic, known)}", "`cocorec help glossary` explains the words."
        )
