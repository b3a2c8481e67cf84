"""The options that every command has, declared once."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cocorec_cli.config import load_config
from cocorec_cli.envelope import envelope
from cocorec_cli.memory import read_size
from stages.frame.machine import MACHINE

GENERAL = "General"
"""Help panel of the options below."""


def option(text: str, panel: str, *declarations: str, **settings: Any) -> Any:
    """An option of a command, declared once: what it does and its unit, its help panel, and typer's own settings.

    Whether a path may be read is not typer's to say, who would call it wrong usage: see ``runner.check_paths``.
    """
    own = {"show_envvar": False, "readable": False}
    return typer.Option(*declarations, help=text, rich_help_panel=panel, **{**own, **settings})


DEFAULT_WORKDIR = Path("artifacts")

Workdir = Annotated[
    Path,
    option(
        "Folder of the files that the stages exchange; made when missing.",
        GENERAL,
        "--workdir",
        "-w",
        metavar="FOLDER",
        envvar="COCOREC_WORKDIR",
        allow_from_autoenv=False,
        show_envvar=True,
        file_okay=False,
    ),
]

Config = Annotated[
    Path | None,
    option(
        "TOML file with a table of defaults per command; the command line and the environment win over it.",
        GENERAL,
        "--config",
        metavar="FILE",
        envvar="COCOREC_CONFIG",
        allow_from_autoenv=False,
        show_envvar=True,
        is_eager=True,
        callback=load_config,
    ),
]

Force = Annotated[bool, option("Run even if the results are up to date.", GENERAL, "--force")]


def _want_json(wanted: bool) -> bool:
    envelope().wanted = envelope().wanted or wanted  # the environment may ask for it as well
    return wanted


Json = Annotated[
    bool,
    option(
        "Print one JSON object instead of tables, also for errors.",
        GENERAL,
        "--json",
        is_eager=True,
        callback=_want_json,
    ),
]

Verbose = Annotated[bool, option("Print all details of the result.", GENERAL, "--verbose", "-v")]

Quiet = Annotated[
    bool,
    option("No progress, no messages but warnings and errors; results are still printed.", GENERAL, "--quiet", "-q"),
]


def _size_in_bytes(text: str | None) -> int | None:
    try:
        return None if text is None else read_size(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


MemoryLimit = Annotated[
    str | None,
    option(
        "End with exit code 1 when the process, or all that share the work, hold more memory than this, such as 4GiB; "
        "mapped files do not count.",
        MACHINE,
        metavar="SIZE",
        callback=_size_in_bytes,
        show_default="no limit",
    ),
]

COMMON = frozenset({"workdir", "config", "force", "json", "verbose", "quiet"})
"""Parameter names of the options above."""


def split_commas(values: list[str] | None) -> list[str] | None:
    """Let a list option be given as ``a,b`` as well as repeated; a callback for options."""
    if not values:
        return None
    return [part.strip() for value in values for part in value.split(",") if part.strip()]


def whole_numbers(value: str | int) -> list[int]:
    """Read ``5,10``; a parser for options whose values :func:`flatten` joins."""
    try:
        return [int(part) for part in str(value).split(",") if part.strip()]
    except ValueError:
        raise ValueError(f"{value!r} is not a whole number, nor several separated by commas") from None


def flatten(values: list[list[int]]) -> list[int]:
    """Join what :func:`whole_numbers` read; a callback for options."""
    return [number for part in values for number in part]
