"""``cocorec preprocess``."""

import typer

from cocorec_cli.from_options import with_options
from cocorec_cli.options import MemoryLimit
from cocorec_cli.runner import run_stage
from stages.preprocess.options import PreprocessOptions


@with_options(PreprocessOptions)
def preprocess(ctx: typer.Context, memory_limit: MemoryLimit = None) -> None:
    """Turn an interaction log and the texts of the items into numbered items and histories.

    Makes items.parquet, sequences.parquet and histories.parquet. A split that comes with the log is kept, unless
    --split says otherwise.
    """
    run_stage(ctx, PreprocessOptions)
