"""``cocorec train``."""

from typing import Annotated, Literal

import typer

from cocorec_cli.config import load_preset, presets_help
from cocorec_cli.from_options import with_options
from cocorec_cli.help_page import PRESETS
from cocorec_cli.options import MemoryLimit, option
from cocorec_cli.runner import run_stage
from stages.train.options import TrainOptions


@with_options(TrainOptions, after=("preset",))
def train(
    ctx: typer.Context,
    preset: Annotated[
        Literal["light", "fusion", "paper", "baseline"] | None,
        option(
            f"Named set of options to start from; what you give besides wins over it. {presets_help()}",
            PRESETS,
            is_eager=True,
            callback=load_preset,
            show_default="none of them",
        ),
    ] = None,
    memory_limit: MemoryLimit = None,
) -> None:
    """Train the recommender.

    Reads sequences.parquet and what the model needs of embeddings.parquet and codes.parquet; makes model/. Training
    stops when validation no longer improves and keeps the weights of the best epoch. Interrupted with Ctrl-C, the same
    command goes on after the last finished epoch.
    """
    run_stage(ctx, TrainOptions)
