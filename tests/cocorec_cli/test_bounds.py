"""Every number that a command takes has bounds: nothing that is no number, and nothing that only a mistake would be."""

from typing import Any

import pytest
import typer
from typer.core import TyperGroup
from typer.main import get_command

from cocorec_cli.from_options import OptionsCommand
from cocorec_cli.main import COMMANDS, app
from stages.frame.options import Declared, declarations

GROUP = get_command(app)
assert isinstance(GROUP, TyperGroup)
BY_COMMAND = {
    entry.name: command.options
    for entry in COMMANDS
    if isinstance(command := GROUP.get_command(typer.Context(GROUP), entry.name), OptionsCommand) and command.options
}
NUMBERS = [
    (command, declared)
    for command, options in BY_COMMAND.items()
    for declared in declarations(options)
    if declared.kind in (int, float)
]
NONSENSE = ["inf", "-inf", "nan", "1e308", str(10**30), str(-(10**30)), "1e", ""]
GIVEN: dict[str, list[str]] = {
    "init": ["log.csv"],
    "preprocess": ["log.csv"],
    "compare": ["a", "b"],
    "download": ["amazon-2023", "Musical_Instruments"],
}
"""Arguments that a command cannot do without."""


def test_commands_with_numbers_are_found() -> None:
    assert {"preprocess", "embed", "quantize", "train", "evaluate", "compare", "tune"} <= {name for name, _ in NUMBERS}


@pytest.mark.parametrize(("command", "declared"), NUMBERS, ids=lambda part: getattr(part, "name", part))
def test_nonsense_is_refused(cli: Any, command: str, declared: Declared) -> None:
    for text in NONSENSE:
        if text == "" and declared.several:
            continue  # no value at all
        if text.startswith("-1") and declared.option.min is None and declared.option.above is None:
            continue  # such as the lowest rating
        ended = cli(command, *GIVEN.get(command, []), f"{declared.flag}={text}")
        assert ended.code == 2, (text, ended)
        assert declared.flag in ended.err, (text, ended)
        assert "Traceback" not in ended.err


def test_threads_of_a_search(cli: Any) -> None:
    ended = cli("tune", "--threads", "100000")
    assert ended.code == 2
    assert "--threads" in ended.err


def test_more_memory_than_there_is(cli: Any) -> None:
    for text in ("9" * 400, "9" * 400 + "GB", "1" + "0" * 30):
        ended = cli("embed", "--memory-limit", text)
        assert ended.code == 2, ended
        assert "more than any machine has" in ended.err
