"""``cocorec export``."""

import typer

from cocorec_cli.from_options import with_options
from cocorec_cli.runner import run_stage
from stages.export.options import ExportOptions


@with_options(ExportOptions)
def export(ctx: typer.Context) -> None:
    """Write what the model knows in the forms that other systems expect.

    Reads model/, histories.parquet, items.parquet and what the model needs of embeddings.parquet and codes.parquet;
    makes in export/ the vectors of items and users, an index for faiss, and the user encoder for torch and ONNX, each
    checked against the model to 1e-5; export/README.md says how they give the model's ranking. Makes model/README.md, a
    model card.
    """
    run_stage(ctx, ExportOptions)
