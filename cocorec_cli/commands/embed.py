"""``cocorec embed``."""

import typer

from cocorec_cli.from_options import with_options
from cocorec_cli.options import MemoryLimit
from cocorec_cli.runner import run_stage
from stages.embed.options import EmbedOptions


@with_options(EmbedOptions)
def embed(ctx: typer.Context, memory_limit: MemoryLimit = None) -> None:
    """Turn the texts of the items into vectors.

    Reads items.parquet; makes embeddings.parquet. Each distinct text is encoded once; an interrupted run continues
    where it stopped.
    """
    run_stage(ctx, EmbedOptions)
