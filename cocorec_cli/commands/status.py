"""``cocorec status``."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cocorec_cli.envelope import envelope
from cocorec_cli.from_options import given_values, options_of
from cocorec_cli.options import DEFAULT_WORKDIR, GENERAL, Config, Json, Workdir, option
from cocorec_cli.report import print_table, print_text
from cocorec_cli.runner import check_paths, stage_context
from stages.artifacts.errors import DataError
from stages.artifacts.pipeline import MAKERS

Options = dict[str, dict[str, Any]]


def status(
    ctx: typer.Context,
    verify: Annotated[
        bool, option("Hash every file again and read every page of every table.", GENERAL, "--verify")
    ] = False,
    workdir: Workdir = DEFAULT_WORKDIR,
    config: Config = None,
    json: Json = False,
) -> None:
    """Tell which artifacts are fresh, stale or missing, and why.

    With --config also whether its options differ from those that the artifacts were made with, and whether the raw
    inputs it names have changed. Ends with exit code 3 if an artifact is damaged or may not be read.
    """
    from stages.artifacts.status import NOT_COMPARED, workdir_status

    check_paths(ctx)
    options, defaults = _stage_options(ctx) if config else ({}, {})
    statuses = workdir_status(
        workdir, options=options, defaults=defaults, raw_folders=_raw_folders(options), verify=verify
    )
    if json:
        envelope().result = {"workdir": str(workdir), "artifacts": [vars(found) for found in statuses]}
    else:
        rows = [
            [found.file, found.state, found.stage, "-" if found.size is None else f"{found.size:,}", found.reason]
            for found in statuses
        ]
        title = f"work directory {workdir}"
        print_table(["file", "state", "stage", "bytes", "why"], rows, title=title, spare=("bytes", "stage"))
        if not config and any(found.reason.endswith(NOT_COMPARED) for found in statuses):
            print_text(f"{NOT_COMPARED}: inputs outside of the work directory; --config FILE says where they lie")
    damaged = {found.file: found.hint for found in statuses if found.state == "damaged"}
    unreadable = [found.file for found in statuses if found.state == "unreadable"]
    if unreadable:
        also = f"; damaged: {', '.join(damaged)}" if damaged else ""
        raise DataError(
            f"no permission to read in {workdir}: {', '.join(unreadable)}{also}",
            "Ask the owner to let you read them (chmod a+r); a file that may not be read need not be damaged.",
        )
    if damaged:
        hints = "\n".join(dict.fromkeys(hint for hint in damaged.values() if hint))
        raise DataError(f"damaged in {workdir}: {', '.join(damaged)}", hints or "Fetch good copies.")


def _stage_options(ctx: typer.Context) -> tuple[Options, Options]:
    """What each stage would be run with: the options that are set, and those left at their defaults."""
    group = ctx.find_root().command
    assert isinstance(group, TyperGroup)
    options: Options = {}
    defaults: Options = {}
    for name in (name for name in MAKERS if name in group.commands):
        context = stage_context(ctx, name, lenient=True)
        for option_name, value in given_values(options_of(context), context.params).items():
            source = context.get_parameter_source(option_name)
            kind = defaults if source and source.name == "DEFAULT" else options
            kind.setdefault(name, {})[option_name] = value
    return options, defaults


def _raw_folders(options: Options) -> list[Path]:
    """The folders of all files that the options name."""
    folders = []
    for values in options.values():
        for value in values.values():
            paths = value if isinstance(value, list) else [value]
            folders += [path if path.is_dir() else path.parent for path in paths if isinstance(path, Path)]
    return list(dict.fromkeys(folders))
