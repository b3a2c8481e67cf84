"""The entry point ``cocorec``: the list of commands, and what happens when one fails."""

import signal
import sys
from collections.abc import Callable, Sequence
from typing import Annotated

import typer
from typer.main import get_command

from cocorec_cli import guard
from cocorec_cli.envelope import Envelope, collecting
from cocorec_cli.errors import BROKEN_PIPE, note_interrupt, report_error, report_interrupt
from cocorec_cli.interrupts import interrupts
from cocorec_cli.lazy import Entry, lazy_group
from cocorec_cli.report import print_json
from cocorec_cli.streams import abandon, claim_streams
from cocorec_cli.together import fall_silent, is_silent, note_failure
from stages import __version__
from stages.artifacts.errors import UsageError, shortage

_EPILOG = "Each option can also be set by a variable COCOREC_COMMAND_OPTION in the environment."
_BEFORE, _STAGES, _AFTER, _ALL = "Before the stages", "Stages, in order", "After training", "The whole pipeline"
_WORDS = "Help"

COMMANDS = (
    Entry(
        "download", _BEFORE, "Download a published data set: the benchmark files and the texts of the items.", _EPILOG
    ),
    Entry(
        "init",
        _BEFORE,
        "Look at a log and the texts of its items, and write a commented configuration that runs.",
        _EPILOG,
    ),
    Entry(
        "preprocess",
        _STAGES,
        "Turn an interaction log and the texts of the items into numbered items and histories.",
        _EPILOG,
    ),
    Entry("embed", _STAGES, "Turn the texts of the items into vectors.", _EPILOG),
    Entry("quantize", _STAGES, "Turn the vectors of the items into semantic codes.", _EPILOG),
    Entry("train", _STAGES, "Train the recommender.", _EPILOG),
    Entry(
        "evaluate",
        _STAGES,
        "Rank the whole catalogue for every user and measure where the next item stands.",
        _EPILOG,
    ),
    Entry("recommend", _STAGES, "Recommend to every user what comes next.", _EPILOG),
    Entry("similar", _AFTER, "Find the items most like some items, by the trained model or by their texts.", _EPILOG),
    Entry("export", _AFTER, "Write what the model knows in the forms that other systems expect.", _EPILOG),
    Entry("serve", _AFTER, "Answer over HTTP: recommendations for a history or a user, and similar items.", _EPILOG),
    Entry("compare", _AFTER, "Compare evaluated runs: is one better, by how much, for whom.", _EPILOG),
    Entry(
        "report",
        _AFTER,
        "Show data, codebooks, training, results and single users on one page that opens offline.",
        _EPILOG,
    ),
    Entry("run", _ALL, "Run all stages in order, and the report, with the options of a configuration file."),
    Entry(
        "tune",
        _ALL,
        "Search good options of train, and of quantize, by trial; write the best as a configuration file.",
    ),
    Entry("status", _ALL, "Tell which artifacts are fresh, stale or missing, and why."),
    Entry(
        "help",
        _WORDS,
        "Explain a command, or a word: `cocorec help train`, `cocorec help glossary`, `cocorec help codes`.",
    ),
)
"""All commands, in the order of the help; each is imported when it is needed."""

_INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)

app = typer.Typer(
    name="cocorec",
    cls=lazy_group(COMMANDS),
    help="Sequential recommendation from what items say and how people move between them.\n\n"
    "Six stages pass files to each other through the work directory: preprocess, embed, quantize, train, evaluate, "
    "recommend.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"auto_envvar_prefix": "COCOREC", "help_option_names": ["--help", "-h"]},
)


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
    words = list(sys.argv[1:] if args is None else args)
    try:
        claim_streams()
        if args is None and is_silent():
            fall_silent()
        if args is None and guard.needed():
            return guard.guarded(lambda: _run(words, note_interrupt))
        return _run(words, report_interrupt)
    except (UsageError, OSError) as error:
        return report_error(error)


def _run(words: list[str], on_interrupt: Callable[[int], int]) -> int:
    """Run a command and print the envelope where it is wanted; its exit code, once errors are told on stderr."""
    with interrupts() as received, collecting(words) as envelope:
        code = _command(words, received)
        if code in _INTERRUPTED:
            code = on_interrupt(code - 128)
        if code and is_silent():
            note_failure(envelope)
        if not envelope.wanted or not envelope.says_something or code == BROKEN_PIPE:
            return code
        return _print_envelope(envelope, code)


def _command(words: list[str], received: list[int]) -> int:
    """The exit code of a command, whose errors have been told; not so interrupts."""
    try:
        code = get_command(app).main(words, prog_name="cocorec", standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except BrokenPipeError:
        return _end_of_pipe()
    except SystemExit as end:  # completion scripts, and pipes that break while help is printed
        if isinstance(end.__context__, BrokenPipeError):
            return _end_of_pipe()
        code = end.code
    except BaseException as error:  # what Rust raises when it panics is no Exception
        if received:
            return 128 + received[0]
        if not isinstance(error, Exception) and shortage(error) is None:
            raise
        return _with_stdout_flushed(report_error(error))
    if code in _INTERRUPTED:
        return 128 + received[0] if received else int(code)
    return int(code or 0)


def _print_envelope(envelope: Envelope, code: int) -> int:
    """Print what a program reads; the exit code is another where that cannot be written."""
    try:
        print_json(envelope.to_json(code))
    except BrokenPipeError:
        return _end_of_pipe()
    except OSError as error:
        return _with_stdout_flushed(report_error(error))
    return code


def _with_stdout_flushed(code: int) -> int:
    """The exit code of a command that failed; what it had printed may be why, and must not fail again at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        abandon(sys.stdout)
    return code


def _end_of_pipe() -> int:
    """Whoever read the output has gone: end quietly, and let nothing be flushed into the broken pipe at exit."""
    abandon(sys.stdout)
    return BROKEN_PIPE
