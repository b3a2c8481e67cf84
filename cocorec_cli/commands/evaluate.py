"""``cocorec evaluate``."""

from typing import Annotated, Literal

import typer

from cocorec_cli.options import (
    DEFAULT_WORKDIR,
    MACHINE,
    Config,
    Device,
    Force,
    Json,
    Quiet,
    Threads,
    Workdir,
    flatten,
    option,
    whole_numbers,
)
from cocorec_cli.runner import run_stage
from stages.frame.result import Result

PROTOCOL = "Protocol"


DEFAULT_CUTOFFS = [5, 10, 20, 50]


def evaluate(
    ctx: typer.Context,
    split: Annotated[
        Literal["test", "valid"], option("Which items are to be found; histories end before them.", PROTOCOL)
    ] = "test",
    cutoffs: Annotated[
        list[int],
        option(
            "The K of Recall@K and NDCG@K, in items: 5,10 or given several times.",
            PROTOCOL,
            metavar="K,K",
            parser=whole_numbers,
            callback=flatten,
        ),
    ] = DEFAULT_CUTOFFS,
    top: Annotated[
        int,
        option(
            "Length K of the recommendation lists, in items, which are also measured beyond accuracy; 0 makes none.",
            PROTOCOL,
            min=0,
            metavar="K",
        ),
    ] = 10,
    exclude_seen: Annotated[
        bool,
        option(
            "Neither rank nor recommend what the user's history holds before the split; a target that it holds is a "
            "miss.",
            PROTOCOL,
        ),
    ] = False,
    bootstrap: Annotated[
        int, option("Resamples of the users for the 95 % intervals.", PROTOCOL, min=1, metavar="N")
    ] = 1000,
    seed: Annotated[int, option("Decides the resamples.", PROTOCOL, min=0, metavar="N")] = 0,
    fail_under: Annotated[
        list[str] | None,
        option(
            "Exit with code 4 when a metric is below a value, such as ndcg@10=0.05; may be repeated.",
            PROTOCOL,
            metavar="METRIC=X",
            show_default="no threshold",
        ),
    ] = None,
    batch_size: Annotated[
        int, option("Histories read at a time; bounds the memory.", MACHINE, min=1, metavar="N")
    ] = 2048,
    device: Device = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        option("Of matrix products; auto is bfloat16 on a GPU, else float32.", MACHINE),
    ] = "float32",
    threads: Threads = None,
    workdir: Workdir = DEFAULT_WORKDIR,
    config: Config = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Rank the whole catalogue for every user and measure where the next item stands.

    Reads model/, sequences.parquet, items.parquet, embeddings.parquet and codes.parquet; makes metrics.json,
    ranks.parquet and recommendations.parquet.
    """
    thresholds = _parse(fail_under or [], ctx.params["cutoffs"])

    def check(result: Result) -> None:
        from stages.evaluate import check_thresholds

        check_thresholds(result.facts, thresholds)

    run_stage(ctx, leave_out=("fail_under",), check=check if thresholds else None)


def _parse(fail_under: list[str], cutoffs: list[int]) -> dict[str, float]:
    if not fail_under:
        return {}
    from stages.evaluate import parse_thresholds
    from stages.metrics.accuracy import metric_names

    return parse_thresholds([one for text in fail_under for one in text.split(",")], metric_names(cutoffs))
