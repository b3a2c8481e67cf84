"""``cocorec run``."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer
from typer.core import TyperGroup

from cocorec_cli.config import CONFIG_KEY, DEFAULT_CONFIG, PAGE
from cocorec_cli.console import printable, say
from cocorec_cli.envelope import envelope
from cocorec_cli.from_options import given_values, options_of
from cocorec_cli.headlines import headline
from cocorec_cli.options import DEFAULT_WORKDIR, GENERAL, Config, Force, Json, Quiet, Verbose, Workdir, option
from cocorec_cli.report import print_next
from cocorec_cli.runner import Series, check_paths, stage_context
from cocorec_cli.together import require_sharing
from stages.artifacts.errors import UsageError
from stages.artifacts.pipeline import STAGES

StageName = Literal["preprocess", "embed", "quantize", "train", "evaluate", "recommend", "report"]


def _unread(stage: str, ctx: typer.Context, workdir: Path) -> str | None:
    """Why nobody would read what a stage makes, if that is so: codes, or vectors where there is no text to embed."""
    from stages.artifacts.items import item_views
    from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS
    from stages.model.registry import needed_files

    if stage not in ("embed", "quantize"):
        return None
    model = stage_context(ctx, "train").params["model"]
    needed = {EMBEDDINGS, CODES} & set(needed_files(model))
    if not needed and (workdir / ITEMS).exists() and not item_views(workdir / ITEMS):
        return "items.parquet has no text and the model reads none"
    if stage == "quantize" and CODES not in needed:
        return f"the model `{model}` reads no codes"
    return None


def run(
    ctx: typer.Context,
    first: Annotated[StageName, option("First stage to run.", GENERAL, "--from")] = "preprocess",
    last: Annotated[StageName, option("Last stage to run.", GENERAL, "--until")] = "report",
    workdir: Workdir = DEFAULT_WORKDIR,
    config: Config = None,
    force: Force = False,
    json: Json = False,
    verbose: Verbose = False,
    quiet: Quiet = False,
) -> None:
    """Run all stages in order, and the report, with the options of a configuration file.

    Prints a line a stage; --verbose prints all that each stage prints when it is run alone. Stages that are up to date
    are skipped; so is quantize where the model reads no codes, unless the run ends with it, and embed where there is no
    text and the model reads none. The first failure ends the run with its exit code. Without --config the file
    cocorec.toml of the current folder is read.
    """
    from stages.artifacts.lock import locked

    check_paths(ctx)
    require_sharing(ctx)
    if CONFIG_KEY not in ctx.meta:
        raise UsageError(
            f"there is no {DEFAULT_CONFIG} in this folder", "Name the configuration file with --config FILE."
        )
    names = [*STAGES, PAGE]
    chosen = names[names.index(first) : names.index(last) + 1]
    if not chosen:
        raise UsageError(f"--from {first} comes after --until {last}")
    flags = [flag for flag, given in (("--json", json), ("--quiet", quiet)) if given]
    series = Series(json, verbose)
    # All options are checked before the first stage runs. The page is made anew in any case.
    contexts = [
        stage_context(
            ctx,
            name,
            [
                *("--workdir", str(workdir)),
                *flags,
                *(["--force"] if force and name != PAGE else []),
                *_verbose(ctx, name, verbose),
            ],
            series=series,
        )
        for name in chosen
    ]
    for context in contexts:
        check_paths(context)
        options_of(context)(**given_values(options_of(context), context.params))
    started = time.perf_counter()
    try:
        with locked(workdir, "run"):
            for context in contexts:
                name = str(context.command.name)
                if name != last and (why := _unread(name, ctx, workdir)):
                    say(f"{name}: left out, since {why}")
                    continue
                with context:
                    context.command.invoke(context)
    finally:
        if json and series.reports:
            stages = [report.to_json() for report in series.reports]
            envelope().result = {"stages": stages, "seconds": round(time.perf_counter() - started, 3)}
    if not json:
        _print_end(series, time.perf_counter() - started, config, verbose=verbose, quiet=quiet)


def _verbose(ctx: typer.Context, name: str, verbose: bool) -> list[str]:
    """``--verbose`` for a stage that knows it."""
    group = ctx.find_root().command
    assert isinstance(group, TyperGroup)
    known = any(param.name == "verbose" for param in group.commands[name].params)
    return ["--verbose"] if verbose and known else []


def _print_end(series: Series, seconds: float, config: Path | None, *, verbose: bool, quiet: bool) -> None:
    """The result of the whole, and what to type next."""
    print(f"\ndone in {seconds:,.1f} s")
    for report in series.reports:
        if report.result.stage == "evaluate" and (told := headline("evaluate", report.result.facts)):
            print(printable(f"  {told}"))
    if not series.reports:
        return
    last = series.reports[-1]
    for path in last.result.outputs.values():
        print(printable(f"  {path}"))
    if not quiet:
        print_next(replace(last, config=config))
        if not verbose:
            print("more: --verbose, or `cocorec status`")
