"""``cocorec run``."""

import time
from pathlib import Path
from typing import Annotated, Literal

import typer

from cocorec_cli.config import CONFIG_KEY, DEFAULT_CONFIG, PAGE
from cocorec_cli.console import say
from cocorec_cli.from_options import given_values, options_of
from cocorec_cli.options import DEFAULT_WORKDIR, GENERAL, Config, Force, Json, Quiet, Workdir, option
from cocorec_cli.report import print_json
from cocorec_cli.runner import Series, check_paths, stage_context
from stages.artifacts.errors import UsageError
from stages.artifacts.pipeline import STAGES

StageName = Literal["preprocess", "embed", "quantize", "train", "evaluate", "recommend", "report"]


_OF_TEXTS = ("embed", "quantize")


def _without_texts(ctx: typer.Context, workdir: Path) -> bool:
    """Whether there is no text to embed, and the model that is to be trained reads neither vectors nor codes."""
    from stages.artifacts.items import item_views
    from stages.artifacts.names import CODES, EMBEDDINGS, ITEMS
    from stages.model.registry import needed_files

    if not (workdir / ITEMS).exists() or item_views(workdir / ITEMS):
        return False
    return not {EMBEDDINGS, CODES} & set(needed_files(stage_context(ctx, "train").params["model"]))


def run(
    ctx: typer.Context,
    first: Annotated[StageName, option("First stage to run.", GENERAL, "--from")] = "preprocess",
    last: Annotated[StageName, option("Last stage to run.", GENERAL, "--until")] = "report",
    workdir: Workdir = DEFAULT_WORKDIR,
    config: Config = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run all stages in order, and the report, with the options of a configuration file.

    Stages that are up to date are skipped, and embed and quantize where there is no text and the model reads none;
    the first failure ends the run with its exit code. Without --config the
    file cocorec.toml of the current folder is read.
    """
    from stages.artifacts.lock import locked

    check_paths(ctx)
    if CONFIG_KEY not in ctx.meta:
        raise UsageError(
            f"there is no {DEFAULT_CONFIG} in this folder", "Name the configuration file with --config FILE."
        )
    names = [*STAGES, PAGE]
    chosen = names[names.index(first) : names.index(last) + 1]
    if not chosen:
        raise UsageError(f"--from {first} comes after --until {last}")
    flags = [flag for flag, given in (("--json", json), ("--quiet", quiet)) if given]
    series = Series(json)
    # All options are checked before the first stage runs. The page is made anew in any case.
    contexts = [
        stage_context(
            ctx,
            name,
            ["--workdir", str(workdir), *flags, *(["--force"] if force and name != PAGE else [])],
            series=series,
        )
        for name in chosen
    ]
    for context in contexts:
        options_of(context)(**given_values(options_of(context), context.params))
    started = time.perf_counter()
    try:
        with locked(workdir, "run"):
            for context in contexts:
                if context.command.name in _OF_TEXTS and _without_texts(ctx, workdir):
                    say(f"{context.command.name}: left out, since items.parquet has no text and the model reads none")
                    continue
                with context:
                    context.command.invoke(context)
    finally:
        if json and series.reports:
            stages = [report.to_json() for report in series.reports]
            print_json({"stages": stages, "seconds": round(time.perf_counter() - started, 3)})
