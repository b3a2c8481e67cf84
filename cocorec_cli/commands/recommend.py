"""``cocorec recommend``."""

import importlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from cocorec_cli.from_options import with_options
from cocorec_cli.report import print_table, shortened
from cocorec_cli.runner import run_stage
from stages.artifacts.errors import UsageError
from stages.frame.result import Result
from stages.recommend.options import STANDARD, RecommendOptions


@with_options(RecommendOptions)
def recommend(ctx: typer.Context) -> None:
    """Recommend to every user what comes next.

    Reads model/, histories.parquet, items.parquet and what the model needs of embeddings.parquet and codes.parquet;
    makes recommendations.parquet: lists for today, from whole histories, also for users whom filters keep out of
    training. Who has no known item gets the popular ones and is marked in the column fallback. Interrupted, the same
    command goes on after the users that were done.
    """
    on_stdout = ctx.params["output"] == STANDARD
    if on_stdout and ctx.params["json"]:
        raise UsageError("--output - and --json both print on standard output", "Choose one.")
    stdout = sys.stdout

    def handed() -> Mapping[str, Any]:
        # Tables and logs are read as preprocess reads them; its libraries are imported only then.
        return {"readers": importlib.import_module("stages.preprocess"), "stdout": stdout}

    def show(result: Result) -> None:
        if not ctx.params["json"]:
            _show(result, ctx.params["with_views"] or [])

    run_stage(ctx, RecommendOptions, handed=handed, check=show, report_on_stderr=on_stdout)


def _show(result: Result, views: list[str]) -> None:
    """The first lists, for people who want to see what came out."""
    path = next((path for path in result.outputs.values() if path.suffix == ".parquet"), None)
    if path is None:
        return
    from stages.recommend import preview

    rows: list[dict[str, Any]] = preview(Path(path), views)
    if rows:
        print()
        cells = [[shortened(str(value)) if value is not None else "-" for value in _values(row)] for row in rows]
        print_table(list(rows[0]), cells, title="the first lists")


def _values(row: Mapping[str, Any]) -> list[Any]:
    return [f"{value:.4g}" if isinstance(value, float) else value for value in row.values()]
