"""``cocorec evaluate``."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated

import typer

from cocorec_cli.evaluation import print_evaluation
from cocorec_cli.from_options import with_options
from cocorec_cli.options import Verbose, option
from cocorec_cli.runner import run_stage
from stages.evaluate.options import PROTOCOL, EvaluateOptions
from stages.frame.result import Result


@with_options(EvaluateOptions)
def evaluate(
    ctx: typer.Context,
    fail_under: Annotated[
        list[str] | None,
        option(
            "Exit with code 4 when a metric is below a value, such as ndcg@10=0.05; may be repeated.",
            PROTOCOL,
            metavar="METRIC=X",
            show_default="no threshold",
        ),
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Rank the whole catalogue for every user and measure where the next item stands.

    Once with all items ranked and once without those of the user's history; the averages are over users.

    Reads model/, sequences.parquet, items.parquet and what the model needs of embeddings.parquet and codes.parquet;
    makes metrics.json, ranks.parquet and backtest.parquet.
    """
    thresholds = _parse(fail_under or [], ctx.params["cutoffs"])

    def check(result: Result) -> None:
        from stages.evaluate import check_thresholds

        check_thresholds(result.facts, thresholds)

    run_stage(
        ctx, EvaluateOptions, check=check if thresholds else None, show=partial(print_evaluation, verbose=verbose)
    )


def _parse(fail_under: list[str], cutoffs: Sequence[int]) -> dict[str, float]:
    if not fail_under:
        return {}
    from stages.evaluate import parse_thresholds
    from stages.metrics.accuracy import metric_names

    return parse_thresholds([one for text in fail_under for one in text.split(",")], metric_names(cutoffs))
