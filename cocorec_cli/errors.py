"""What the user sees when a command fails, and the exit code.

0 done, 1 a bug, too little memory, no thread or a process that ended too early, 2 wrong usage, 3 data or artifacts that
cannot be used, 4 a quality bar missed, 128 + signal when interrupted (130 Ctrl-C, 143 SIGTERM), 141 when whoever read
the output has gone.
"""

import errno
import signal
import sys
import traceback

import typer

from cocorec_cli import limits
from cocorec_cli.console import printable, say
from cocorec_cli.envelope import envelope
from stages.artifacts.errors import (
    CocorecError,
    DataError,
    ProcessError,
    QualityError,
    UsageError,
    is_out_of_memory,
    shortage,
)

BUG = 1
BROKEN_PIPE = 128 + signal.SIGPIPE

_USERS_TO_SOLVE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.EIO, errno.EBADF),  # a terminal that has gone, a stream that was closed
}


def report_error(error: BaseException) -> int:
    """Print an error to stderr and return the exit code that belongs to it."""
    if short := shortage(error):
        return _report_shortage(short)
    if isinstance(error, CocorecError):
        kinds = {UsageError.exit_code: "usage", QualityError.exit_code: "quality", ProcessError.exit_code: "process"}
        _explain(kinds.get(error.exit_code, "data"), error.message, error.hint)
        return error.exit_code
    if isinstance(error, typer.TyperException):
        return _report_usage(error)
    if isinstance(error, OSError) and error.errno in _USERS_TO_SOLVE:
        closed = error.errno in (errno.EACCES, errno.EPERM)
        advice = "Ask the owner for permission" if closed else "Make room"
        _explain("data", _of_the_system(error), f"{advice}, or choose a folder that can be read and written.")
        return DataError.exit_code
    if limits.nearly_out_of_memory():
        _explain(
            "memory",
            f"out of memory: {type(error).__name__}: {str(error).partition(chr(10))[0]}; {limits.described()}",
            "Raise the limit. Should the same happen without a limit, please report it: it is a bug then.",
        )
        return BUG
    print(printable("".join(traceback.format_exception(error))), end="", file=sys.stderr, flush=True)
    _explain(
        "bug", f"this is a bug in cocorec: {_first_line(error)}", "Please report it together with the traceback above."
    )
    return BUG


def _report_shortage(error: BaseException) -> int:
    told = _first_line(error)
    if is_out_of_memory(error) or limits.memory_limit() is not None:  # each thread wants memory for its stack
        _explain(
            "memory",
            f"out of memory: {told}",
            "Work in smaller batches (`cocorec train --help` and `cocorec embed --help` list the options), "
            "end other programs, or take a machine with more memory.",
        )
    else:
        _explain(
            "threads",
            f"the system gives no further thread: {told}",
            "End other programs, lower --threads, or raise the limit of processes (`ulimit -u`); no file is damaged.",
        )
    return BUG


def note_interrupt(received: int) -> int:
    """Note in the envelope that the run was interrupted and return the exit code."""
    envelope().fail("interrupted", _interrupted(received), None)
    return 128 + received


def report_interrupt(received: int) -> int:
    """Print that the run was interrupted and return the exit code."""
    say(_interrupted(received))
    return note_interrupt(received)


def _interrupted(received: int) -> str:
    name = "Ctrl-C" if received == signal.SIGINT else signal.Signals(received).name
    return f"interrupted by {name}; finished work is kept, the same command goes on from there"


def _report_usage(error: typer.TyperException) -> int:
    # The help is already on the screen when a command was typed without arguments.
    if type(error).__name__ != "NoArgsIsHelpError":
        ctx: typer.Context | None = getattr(error, "ctx", None)
        message = error.format_message().replace("Value error, ", "").rstrip(".")
        _explain("usage", message, _key_of_argument(error) + f"See `{ctx.command_path if ctx else 'cocorec'} --help`.")
    return error.exit_code


def _key_of_argument(error: typer.TyperException) -> str:
    """How the configuration file names the argument that an error is about, where it may stand there."""
    from typer.core import TyperArgument

    from cocorec_cli.help_page import with_tables

    param, ctx = getattr(error, "param", None), getattr(error, "ctx", None)
    if not isinstance(param, TyperArgument) or ctx is None or ctx.command.name not in with_tables():
        return ""
    return f"In a configuration file it is the key {param.name} of [{ctx.command.name}]. "


def _of_the_system(error: OSError) -> str:
    """What the system said, in the order of our own messages."""
    return f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _explain(kind: str, message: str, hint: str | None) -> None:
    envelope().fail(kind, message, hint)
    say(message, "error: ", "bold red")
    if hint:
        say(hint, "hint: ", "bold")
