"""``cocorec embed``."""

from typing import Annotated, Literal

import typer

from cocorec_cli.options import (
    DEFAULT_WORKDIR,
    MACHINE,
    Config,
    Force,
    Json,
    MemoryLimit,
    Quiet,
    Workdir,
    option,
    split_commas,
)
from cocorec_cli.runner import run_stage

ENCODER = "Encoder"


def embed(
    ctx: typer.Context,
    views: Annotated[
        list[str] | None,
        option(
            "Text columns of items.parquet to embed, in this order: title,brand or given several times.",
            ENCODER,
            metavar="NAMES",
            callback=split_commas,
            show_default="all that hold a text",
        ),
    ] = None,
    model: Annotated[
        str, option("Sentence-transformers model: its name on the hub, or its folder.", ENCODER, metavar="NAME|FOLDER")
    ] = "sentence-transformers/all-MiniLM-L6-v2",
    max_tokens: Annotated[
        int | None,
        option("Tokens at which a text is cut.", ENCODER, min=1, metavar="N", show_default="the model's own limit"),
    ] = None,
    prompt: Annotated[
        str | None,
        option("Text put before every text.", ENCODER, metavar="TEXT", show_default="the model's own, if any"),
    ] = None,
    normalize: Annotated[bool, option("Scale the vectors to length 1.", ENCODER)] = False,
    trust_remote_code: Annotated[
        bool, option("Run Python code that comes with the model.", ENCODER, "--trust-remote-code")
    ] = False,
    device: Annotated[
        str, option("Where to compute: auto, cpu, cuda, cuda:N or mps.", MACHINE, metavar="DEVICE")
    ] = "auto",
    precision: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        option("Number format of the encoder; auto is float32 on a CPU, bfloat16 on a GPU.", MACHINE),
    ] = "auto",
    backend: Annotated[
        Literal["torch", "openvino"],
        option("What runs the encoder; openvino is faster on a CPU and needs an extra.", MACHINE),
    ] = "torch",
    batch_tokens: Annotated[
        int | None,
        option(
            "Tokens of a batch, padding included.", MACHINE, min=1, metavar="N", show_default="what suits the device"
        ),
    ] = None,
    memory_limit: MemoryLimit = None,
    workdir: Workdir = DEFAULT_WORKDIR,
    config: Config = None,
    force: Force = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn the texts of the items into vectors.

    Reads items.parquet; makes embeddings.parquet. Each distinct text is encoded once; an interrupted run continues
    where it stopped.
    """
    run_stage(ctx, leave_out={"memory_limit"})
