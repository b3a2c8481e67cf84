"""``cocorec similar``."""

import importlib
from collections.abc import Iterable, Iterator
from typing import Any

import typer

from cocorec_cli.console import ConsoleReporter
from cocorec_cli.envelope import envelope
from cocorec_cli.from_options import given_values, with_options
from cocorec_cli.report import print_table, shortened
from cocorec_cli.runner import check_paths, warn_of_unknown_variables
from stages.recommend.options import SimilarOptions


@with_options(SimilarOptions, common=("workdir", "config", "json", "quiet"))
def similar(ctx: typer.Context) -> None:
    """Find the items most like some items, by the trained model or by their texts.

    Reads model/, items.parquet and what the model needs of embeddings.parquet and codes.parquet. Prints
    neighbours, the nearest first, with their titles where there is a view of that name; writes nothing unless
    --output names a file.
    """
    check_paths(ctx)
    reporter = ConsoleReporter(quiet=ctx.params["quiet"])
    warn_of_unknown_variables(ctx, reporter)
    options = SimilarOptions(**given_values(SimilarOptions, ctx.params))
    found = importlib.import_module("stages.recommend").similar(
        options, workdir=ctx.params["workdir"], reporter=reporter
    )
    lists = [row for table in found for row in table.to_pylist()]
    if ctx.params["json"]:
        envelope().result = {"by": options.by, "items": [_json(row) for row in lists]}
    elif options.output is None:
        for row in lists:
            _print(row)


def _json(row: dict[str, Any]) -> dict[str, Any]:
    return {"item_id": row["item_id"], "similar": [dict(entry) for entry in _entries(row)]}


def _print(row: dict[str, Any]) -> None:
    entries = list(_entries(row))
    cells = [[_cell(value) for value in entry.values()] for entry in entries]
    print_table(list(entries[0]) if entries else [], cells, title=f"{row['item_id']}{'' if entries else ': no vector'}")


def _entries(row: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One list as rows: item, cosine, views."""
    columns: dict[str, Iterable[Any]] = {
        "item": row["item_ids"],
        "cosine": row["scores"],
        **{name: values for name, values in row.items() if name not in ("item_id", "item_ids", "scores")},
    }
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _cell(value: Any) -> str:
    return "-" if value is None else f"{value:.4f}" if isinstance(value, float) else shortened(str(value))
