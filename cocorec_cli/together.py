"""``cocorec`` as one of several processes that torchrun has started: the first one talks, the others are silent."""

import json
import os
import sys
import time
from pathlib import Path

import typer

from cocorec_cli.envelope import Envelope
from cocorec_cli.streams import abandon
from stages.artifacts.errors import UsageError
from stages.frame.options import declarations
from stages.frame.processes.place import own_place

_ERROR_FILE = "TORCHELASTIC_ERROR_FILE"
"""Variable with the name of the file from which torchrun learns why a process failed."""


def is_silent() -> bool:
    """Whether this process leaves talking, writing and the lock of the work directory to another one."""
    place = own_place()
    return place is not None and not place.first


def fall_silent() -> None:
    """Let nothing that is printed from now on be seen."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        abandon(stream)


def note_failure(envelope: Envelope) -> None:
    """Tell torchrun why this process failed, which says it nowhere else."""
    path = os.environ.get(_ERROR_FILE)
    if not path or envelope.error is None:
        return
    said = {"message": envelope.error["message"], "extraInfo": {"py_callstack": "", "timestamp": str(int(time.time()))}}
    Path(path).write_text(json.dumps({"message": said}), encoding="utf-8")


def require_sharing(ctx: typer.Context) -> None:
    """Refuse a command whose work several processes cannot share, where several were started.

    Raises:
        UsageError: naming the command.
    """
    if own_place() is None:
        return
    options = getattr(ctx.command, "options", None)
    names = set() if options is None else {declared.name for declared in declarations(options)}
    if "processes" not in names:
        raise UsageError(
            f"`cocorec {ctx.command.name}` works in one process, and several were started", "Start it without torchrun."
        )
    if "process_timeout" not in names:  # they do not talk to each other
        raise UsageError(
            f"`cocorec {ctx.command.name}` starts its processes itself, and several were started",
            "Start it without torchrun, with --processes.",
        )
