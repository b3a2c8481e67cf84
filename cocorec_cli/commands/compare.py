"""``cocorec compare``."""

import importlib
from typing import Annotated

import typer

from cocorec_cli.comparison import print_comparison
from cocorec_cli.console import ConsoleReporter
from cocorec_cli.envelope import envelope
from cocorec_cli.from_options import given_values, with_options
from cocorec_cli.options import option
from cocorec_cli.report import print_markdown, print_table
from cocorec_cli.runner import check_paths, warn_of_unknown_variables
from stages.artifacts.errors import UsageError
from stages.compare.options import CompareOptions
from stages.frame.comparison import COMPARISON


@with_options(CompareOptions, common=("json", "quiet"))
def compare(
    ctx: typer.Context,
    markdown: Annotated[bool, option("Print Markdown tables.", COMPARISON, "--markdown")] = False,
) -> None:
    """Compare evaluated runs: is one better, by how much, for whom.

    A run is a work directory after `cocorec evaluate`, or its ranks.parquet under any name. Runs of other data, another
    split or another protocol are refused. Differences from the first run are paired user by user, with 95 % bootstrap
    intervals and the p-values of a randomization test, after Holm's correction for several comparisons. Nothing is
    written.
    """
    json, quiet = ctx.params["json"], ctx.params["quiet"]
    if json and markdown:
        raise UsageError("--json and --markdown exclude each other", "Choose one.")
    check_paths(ctx)
    options = CompareOptions(**given_values(CompareOptions, ctx.params))
    reporter = ConsoleReporter(quiet=quiet)
    warn_of_unknown_variables(ctx, reporter)
    found = importlib.import_module("stages.compare").compare(options, reporter=reporter)
    if json:
        envelope().result = found
    else:
        print_comparison(found, print_markdown if markdown else print_table)
