"""Runs a stage for a command: lock, progress, time, memory, report."""

import contextlib
import importlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import typer
from typer.core import TyperGroup

from cocorec_cli.config import CONFIG_KEY
from cocorec_cli.console import ConsoleReporter, warn
from cocorec_cli.envelope import envelope
from cocorec_cli.from_options import former_names, given_values, spelt
from cocorec_cli.memory import limited, peak_mib, reset_peak
from cocorec_cli.report import Report, print_line, print_next, print_report
from cocorec_cli.together import is_silent, require_sharing
from stages.artifacts.utf8 import require_utf8
from stages.frame.options import Options
from stages.frame.reporter import Reporter
from stages.frame.result import Result, facts_of_a_file

_MOMENT = 3.0
"""Seconds of silence before somebody wonders."""


@dataclass
class Series:
    """Several stages in one process, under one lock; found as ``obj`` of their contexts.

    Attributes:
        json: collect the reports instead of printing each.
        verbose: print all of each report, not one line.
        reports: those of the stages that are done.
    """

    json: bool
    verbose: bool
    reports: list[Report] = field(default_factory=list)


def run_stage(
    ctx: typer.Context,
    options: type[Options],
    *,
    check: Callable[[Result], None] | None = None,
    handed: Callable[[], Mapping[str, Any]] = dict,
    report_on_stderr: bool = False,
    show: Callable[[Report], None] = print_report,
) -> None:
    """Run the stage named like the command, with the options given to the command, and print what it made.

    The function ``stages.<command>.<command>`` is imported only here, with all that it needs.

    Args:
        ctx: the command's context.
        options: of the stage.
        check: called with the result once it is printed; may raise, for example a ``QualityError``.
        handed: gives what the stage is handed besides, such as functions of other stages.
        report_on_stderr: leave stdout to the stage.
        show: prints the report for a person.
    """
    name = str(ctx.command.name)
    given = options(**given_values(options, ctx.params))

    def call(reporter: ConsoleReporter) -> Result:
        if threads := getattr(given, "threads", None):
            os.environ["POLARS_MAX_THREADS"] = str(threads)  # read once, when polars is imported
        with _told_if_slow(reporter, f"loading the libraries of {name}"):
            stage: Callable[..., Result] = getattr(importlib.import_module(f"stages.{name}"), name)
        surroundings = {"workdir": ctx.params["workdir"], "force": ctx.params["force"], "reporter": reporter}
        return stage(given, **surroundings, **handed())

    run_call(ctx, call, check=check, report_on_stderr=report_on_stderr, show=show)


def run_call(
    ctx: typer.Context,
    call: Callable[[ConsoleReporter], Result],
    *,
    check: Callable[[Result], None] | None = None,
    report_on_stderr: bool = False,
    show: Callable[[Report], None] = print_report,
) -> None:
    """Do the work of a command under the lock of its work directory, and print what came of it.

    Args:
        ctx: the command's context.
        call: does the work; heavy libraries are imported only here.
        check: called with the result once it is printed; may raise, for example a ``QualityError``.
        report_on_stderr: print the report there, since the result itself is on stdout.
        show: prints the report for a person.
    """
    from stages.artifacts.lock import locked

    name = str(ctx.command.name)
    workdir: Path = ctx.params["workdir"]
    series = ctx.find_object(Series)
    check_paths(ctx)
    require_sharing(ctx)
    reporter = ConsoleReporter(quiet=ctx.params["quiet"], brief=series is not None and not series.verbose)
    warn_of_unknown_variables(ctx, reporter)
    started = time.perf_counter()
    lock = contextlib.nullcontext() if series or is_silent() else locked(workdir, name)
    # Threads that spin while they wait slow each other down several times over as soon as another program computes
    # on the same cores; sleeping ones cost little when alone. Read by OpenMP when torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Libraries that print must not mix with the result on stdout.
    reset_peak()
    with lock, limited(ctx.params.get("memory_limit"), workdir, name), contextlib.redirect_stdout(sys.stderr):
        result = call(reporter)
    if is_silent():  # the first process has the result
        return
    report = Report(result, workdir, time.perf_counter() - started, peak_mib(), ctx.params.get("config"))
    for warning in result.warnings:
        if warning not in reporter.warned:
            warn(warning)
    if series:
        series.reports.append(report)
    first = next(iter(result.outputs.values()), workdir)
    believed = facts_of_a_file(name, first) if result.skipped else contextlib.nullcontext()
    aside = contextlib.redirect_stdout(sys.stderr) if report_on_stderr else contextlib.nullcontext()
    with believed, aside:
        if not ctx.params["json"]:
            (print_line if series and not series.verbose else show)(report)
        elif not series:
            envelope().result = report.to_json()
        if check:
            check(result)
        if not series and not ctx.params["json"] and not ctx.params["quiet"]:
            print_next(report)


@contextlib.contextmanager
def _told_if_slow(reporter: Reporter, message: str) -> Iterator[None]:
    """Say what is going on where it takes more than a moment, as the first import after a start of the machine does."""
    timer = threading.Timer(_MOMENT, reporter.announce, [message])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def stage_context(
    ctx: typer.Context, name: str, args: Sequence[str] = (), *, series: Series | None = None, lenient: bool = False
) -> typer.Context:
    """The context that a stage's command would have with these arguments, the environment and the configuration file.

    Args:
        ctx: the context of the command that asks.
        name: the stage.
        args: the command line of the stage.
        series: where the stage's report goes.
        lenient: what is missing or does not fit becomes ``None`` instead of an error.

    Raises:
        typer.TyperException: when an option does not fit or a required one is missing.
    """
    root = ctx.find_root()
    assert isinstance(root.command, TyperGroup)
    command = root.command.commands[name]
    defaults = ctx.meta.get(CONFIG_KEY, {}).get(name, {})
    made = command.make_context(
        name, list(args), parent=root, obj=series, default_map=defaults, resilient_parsing=lenient
    )
    return cast(typer.Context, made)


def check_paths(ctx: typer.Context) -> None:
    """Refuse paths that cannot be opened, before any work is done.

    Raises:
        AccessError: naming the path that this user may not read.
        DataError: naming the option whose path is not UTF-8, which the libraries behind the commands do not open.
    """
    from stages.artifacts.atomic import not_permitted

    for value in ctx.params.values():
        for path in value if isinstance(value, list | tuple) else [value]:
            if isinstance(path, Path) and os.access(path, os.F_OK) and not os.access(path, os.R_OK):
                raise not_permitted(path)
    for name, value in ctx.params.items():
        if ctx.command.name == "preprocess" and name in ("inputs", "items"):
            continue  # preprocess opens them itself
        for path in value if isinstance(value, list | tuple) else [value]:
            if isinstance(path, str | Path):
                require_utf8(path, spelt(name))


def warn_of_unknown_variables(ctx: typer.Context, reporter: Reporter) -> None:
    """Name variables meant for this command that it does not know; a misspelt option must not go unnoticed."""
    prefix = f"{ctx.auto_envvar_prefix}_"
    names = [parameter.name for parameter in ctx.command.params]
    names += former_names(getattr(ctx.command, "options", None))
    known = {prefix + name.upper() for name in names}
    for variable in sorted(name for name in os.environ if name.startswith(prefix) and name not in known):
        reporter.warn(f"{variable} in the environment is no option of `cocorec {ctx.command.name}`")
