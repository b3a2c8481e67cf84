"""``cocorec compare``."""

import importlib
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from cocorec_cli.console import ConsoleReporter, printable
from cocorec_cli.from_options import given_values, with_options
from cocorec_cli.options import option
from cocorec_cli.report import print_json, print_markdown, print_table
from cocorec_cli.runner import check_paths, warn_of_unknown_variables
from stages.artifacts.errors import UsageError
from stages.compare.options import COMPARISON, CompareOptions

DIFFERENCES = ["metric", "run", "reference", "mean", "difference", "95 % interval", "relative", "p", "p (Holm)"]


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
        print_json(found)
    else:
        _print(found, print_markdown if markdown else print_table)


def _print(found: Mapping[str, Any], table: Any) -> None:
    names = list(found["runs"])
    method = found["method"]
    seen = {True: ", seen items excluded", False: "", None: ""}[found["exclude_seen"]]
    items = f" among {found['items']:,} items" if found["items"] else ""
    split = f" of the {found['split']} split" if found["split"] else ""
    table(
        ["metric", *names],
        [[row["metric"], *(_number(row["values"][name]) for name in names)] for row in found["metrics"]],
        title=f"{found['targets']:,} targets{split} of {found['users']:,} users{items}{seen}",
    )
    print()
    table(
        DIFFERENCES,
        [_row(row) for row in found["differences"]],
        title=f"differences from {found['baseline']}",
    )
    for by in dict.fromkeys(row["by"] for row in found["slices"]):
        print()
        table(
            [by, "targets", *DIFFERENCES],
            [[row["slice"], f"{row['targets']:,}", *_row(row)] for row in found["slices"] if row["by"] == by],
            title=f"differences from {found['baseline']} by {by}",
        )
    print()
    for line in (
        f"p: {method['test']}, {method['resamples']:,} resamples; {method['correction']}.",
        f"interval: {method['interval']}.",
        *found["notes"],
    ):
        print(printable(line))


def _row(row: Mapping[str, Any]) -> Sequence[str]:
    relative = f"{row['difference'] / row['reference']:+.1%}" if row["reference"] else "-"
    return [
        row["metric"],
        row["run"],
        _number(row["reference"]),
        _number(row["mean"]),
        f"{row['difference']:+.4f}",
        f"{row['low']:+.4f} to {row['high']:+.4f}",
        relative,
        f"{row['p']:.4f}",
        f"{row['p_holm']:.4f}",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
