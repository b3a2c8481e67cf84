"""``cocorec quantize``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from cocorec_cli.options import DEFAULT_WORKDIR, Config, Force, Json, Quiet, Workdir, option
from cocorec_cli.runner import run_stage

CODES = "Codes"


def quantize(
    ctx: typer.Context,
    method: Annotated[
        Literal["pq", "rq"], option("Product (pq) or residual (rq) quantization of each view.", CODES)
    ] = "pq",
    levels: Annotated[int, option("Codes per view.", CODES, min=1, metavar="N")] = 4,
    codebook_size: Annotated[
        int, option("Codes to choose from at each position.", CODES, min=2, max=65536, metavar="K")
    ] = 256,
    dimension: Annotated[
        int, option("Dimensions left by the PCA whitening of each view.", CODES, min=1, metavar="D")
    ] = 128,
    codebooks: Annotated[
        Path | None,
        option(
            "Code the items with the whitening and codebooks of this quantizer.safetensors; fit nothing.",
            CODES,
            metavar="FILE",
            show_default="fit new ones",
        ),
    ] = None,
    seed: Annotated[int, option("Seed of all random choices.", CODES, min=0, metavar="N")] = 0,
    workdir: Workdir = DEFAULT_WORKDIR,
    config: Config = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn the vectors of the items into semantic codes.

    Reads embeddings.parquet; makes codes.parquet and quantizer.safetensors.
    """
    run_stage(ctx)
