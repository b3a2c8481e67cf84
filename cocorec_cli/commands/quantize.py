"""``cocorec quantize``."""

import typer

from cocorec_cli.from_options import with_options
from cocorec_cli.runner import run_stage
from stages.quantize.options import QuantizeOptions


@with_options(QuantizeOptions)
def quantize(ctx: typer.Context) -> None:
    """Turn the vectors of the items into semantic codes.

    Reads embeddings.parquet; makes codes.parquet and quantizer.safetensors.
    """
    run_stage(ctx, QuantizeOptions)
