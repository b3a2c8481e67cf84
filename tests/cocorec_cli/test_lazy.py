"""Commands are imported when they are needed, and the list of them says what they say themselves."""

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest
from typer.main import get_command

from cocorec_cli import commands
from cocorec_cli.main import COMMANDS, app

PROGRAM = """
import sys
from cocorec_cli.main import main
main(sys.argv[1:])
print(*(name for name in sys.modules if name.startswith("cocorec_cli.commands.")), file=sys.stderr)
"""


def _imported(*args: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *args], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stderr.split()


def test_every_command_is_listed():
    assert {entry.name for entry in COMMANDS} == {module.name for module in pkgutil.iter_modules(commands.__path__)}


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_the_summary_is_the_first_line_of_the_help(entry):
    function = getattr(importlib.import_module(f"cocorec_cli.commands.{entry.name}"), entry.name)
    assert entry.summary == inspect.getdoc(function).partition("\n")[0]
    command = get_command(app).commands[entry.name]
    assert (command.name, command.rich_help_panel, command.epilog) == (entry.name, entry.panel, entry.epilog)


def test_the_list_of_commands_imports_none_and_a_command_only_itself():
    assert _imported("--help") == []
    assert _imported("quantize", "--help") == ["cocorec_cli.commands.quantize"]


def test_the_help_lists_all_commands_in_their_panels(cli):
    text = cli("--help").out
    places = [
        text.index(word) for word in ("Before the stages", "Stages, in order", "After training", "The whole pipe")
    ]
    assert places == sorted(places)
    for entry in COMMANDS:
        assert f"\n  {entry.name} " in text


def test_an_unknown_command_is_told_what_may_be_meant(cli):
    outcome = cli("quantise")
    assert outcome.code == 2
    assert "Did you mean 'quantize'?" in outcome.err


def test_commands_are_a_mapping():
    group = get_command(app)
    assert "embed" in group.commands
    assert "nothing" not in group.commands
    assert list(group.commands) == [entry.name for entry in COMMANDS]
    assert group.commands["embed"] is group.commands["embed"]
    with pytest.raises(KeyError):
        group.commands["nothing"]
