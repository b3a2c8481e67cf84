"""The entry point ``cocorec``: the list of commands, and what happens when one fails."""

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated

import typer
from typer.main import get_command

from cocorec_cli.commands import compare, download, embed, evaluate, preprocess, quantize, run, status, train, tune
from cocorec_cli.errors import BROKEN_PIPE, report_error, report_interrupt
from cocorec_cli.options import EPILOG
from stages import __version__

app = typer.Typer(
    name="cocorec",
    help="Sequential recommendation from what items say and how people move between them.\n\n"
    "Five stages pass files to each other through the work directory: preprocess, embed, quantize, train, evaluate.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"auto_envvar_prefix": "COCOREC", "help_option_names": ["--help", "-h"]},
)

app.command(rich_help_panel="Before the stages", epilog=EPILOG)(download.download)
for _stage in (preprocess.preprocess, embed.embed, quantize.quantize, train.train, evaluate.evaluate):
    app.command(rich_help_panel="Stages, in order", epilog=EPILOG)(_stage)
app.command(rich_help_panel="After evaluation", epilog=EPILOG)(compare.compare)
for _command in (run.run, tune.tune, status.status):
    app.command(rich_help_panel="The whole pipeline")(_command)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"cocorec {__version__}")
        raise typer.Exit()


@app.callback()
def cocorec(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version, allow_from_autoenv=False
        ),
    ] = False,
) -> None:
    """Options before the command."""


def main(args: Sequence[str] | None = None) -> int:
    """Run ``cocorec`` with these arguments, by default those of the process, and return the exit code."""
    with _termination() as received:
        try:
            code = get_command(app).main(args, prog_name="cocorec", standalone_mode=False)
            sys.stdout.flush()
        except KeyboardInterrupt:
            code = 128 + signal.SIGINT
        except BrokenPipeError:
            return _end_of_pipe()
        except SystemExit as end:  # completion scripts, and pipes that break while help is printed
            if isinstance(end.__context__, BrokenPipeError):
                return _end_of_pipe()
            code = end.code
        except Exception as error:
            return report_error(error)
        if code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
            return report_interrupt(received[0] if received else signal.SIGINT)
        return int(code or 0)


@contextmanager
def _termination() -> Iterator[list[int]]:
    """Let SIGTERM unwind the program as Ctrl-C does, so that locks and temporary files are given up.

    Yields:
        The signals received so far.
    """
    received: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield received
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield received
    finally:
        signal.signal(signal.SIGTERM, before)


def _end_of_pipe() -> int:
    """Whoever read the output has gone: end quietly, and let nothing be flushed into the broken pipe at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return BROKEN_PIPE
