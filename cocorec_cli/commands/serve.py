"""``cocorec serve``."""

import importlib
import os
from pathlib import Path
from typing import Any

import typer

from cocorec_cli.console import ConsoleReporter
from cocorec_cli.from_options import given_values, with_options
from cocorec_cli.runner import check_paths, warn_of_unknown_variables
from stages.artifacts.errors import UsageError
from stages.artifacts.names import EXPORT_DIR
from stages.frame.extras import how_to_install
from stages.serve.options import INDEX, ServeOptions


@with_options(ServeOptions, common=("workdir", "config", "quiet"))
def serve(ctx: typer.Context) -> None:
    """Answer over HTTP: recommendations for a history or a user, and similar items.

    Reads model/, histories.parquet, items.parquet and what the model needs of embeddings.parquet and codes.parquet,
    with --search index also export/, and takes a new model when there is one, without losing a request. POST
    /recommend, GET /similar/ITEM_ID, /healthz, /metrics for Prometheus, /docs. Ends on
    SIGTERM or Ctrl-C once the requests at work are answered.
    """
    check_paths(ctx)
    reporter = ConsoleReporter(quiet=ctx.params["quiet"])
    warn_of_unknown_variables(ctx, reporter)
    options = ServeOptions(**given_values(ServeOptions, ctx.params))
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as for all stages, see cocorec_cli.runner
    try:
        stage = importlib.import_module("stages.serve.stage")
    except ModuleNotFoundError as error:
        raise UsageError(
            f"serve needs {error.name}, which is not installed",
            f"Install the extra that brings it: {how_to_install('serve')}.",
        ) from None
    load_index = _load_index if options.search == INDEX else None
    stage.serve(options, workdir=ctx.params["workdir"], reporter=reporter, load_index=load_index)


def _load_index(workdir: Path) -> Any:
    """The index of an export; its libraries are imported only where it is searched."""
    return importlib.import_module("stages.export").load_index(workdir / EXPORT_DIR, workdir=workdir)
