"""What ``cocorec compare`` prints: for each metric a table with a row a run, in 80 columns or as many as there are."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cocorec_cli.report import print_text

SPARE = ("reference", "p", "relative", "95 % interval", "targets")
"""Columns that are left out, in this order, where a table is wider than the terminal."""

Table = Callable[..., None]


def print_comparison(found: Mapping[str, Any], table: Table) -> None:
    """Print a comparison for a person.

    Args:
        found: what :func:`stages.compare.compare` returned.
        table: prints a table: ``print_table`` or ``print_markdown``.
    """
    print_text(_headline(found))
    for metric in dict.fromkeys(row["metric"] for row in found["differences"]):
        print()
        _print_metric(found, metric, table)
    _print_beyond(found, table)
    for by in dict.fromkeys(row["by"] for row in found["slices"]):
        for metric in dict.fromkeys(row["metric"] for row in found["slices"]):
            print()
            rows = [row for row in found["slices"] if (row["by"], row["metric"]) == (by, metric)]
            table(
                [by, "targets", "run", "mean", *_DIFFERENCE],
                [[row["slice"], f"{row['targets']:,}", row["run"], _number(row["mean"]), *_cells(row)] for row in rows],
                title=f"{metric} by {by}: difference from {found['baseline']}",
                spare=SPARE,
            )
    print()
    method = found["method"]
    for line in (
        f"p: {method['test']}, {method['resamples']:,} resamples; {method['correction']}.",
        f"interval: {method['interval']}.",
        *found["notes"],
    ):
        print_text(line)


_DIFFERENCE = ["reference", "difference", "95 % interval", "relative", "p", "p (Holm)"]


def _headline(found: Mapping[str, Any]) -> str:
    seen = {True: ", history excluded", False: ", all items ranked", None: ""}[found["exclude_seen"]]
    items = f" among {found['items']:,} items" if found["items"] else ""
    split = f" of the {found['split']} split" if found["split"] else ""
    return f"{found['targets']:,} targets{split} of {found['users']:,} users{items}{seen}"


def _print_metric(found: Mapping[str, Any], metric: str, table: Table) -> None:
    """The runs in their order, the baseline without a difference."""
    values = next(row["values"] for row in found["metrics"] if row["metric"] == metric)
    against = {row["run"]: row for row in found["differences"] if row["metric"] == metric}
    empty = [""] * (len(_DIFFERENCE) - 1)
    rows = [
        [name, _number(values[name]), *(_cells(against[name])[1:] if name in against else empty)]
        for name in found["runs"]
    ]
    table(
        ["run", "mean", *_DIFFERENCE[1:]],
        rows,
        title=f"{metric}: difference from {found['baseline']}",
        spare=SPARE,
    )


def _print_beyond(found: Mapping[str, Any], table: Table) -> None:
    """The measures of the lists beyond accuracy, a row a run."""
    compared = {row["metric"] for row in found["differences"]}
    others = [row for row in found["metrics"] if row["metric"] not in compared]
    if others:
        print()
        table(
            ["run", *(row["metric"] for row in others)],
            [[name, *(_number(row["values"][name]) for row in others)] for name in found["runs"]],
            title="lists, beyond accuracy",
            spare=tuple(row["metric"] for row in reversed(others)),
        )


def _cells(row: Mapping[str, Any]) -> Sequence[str]:
    relative = f"{row['difference'] / row['reference']:+.1%}" if row["reference"] else "-"
    return [
        _number(row["reference"]),
        f"{row['difference']:+.4f}",
        f"{row['low']:+.4f} to {row['high']:+.4f}",
        relative,
        f"{row['p']:.4f}",
        f"{row['p_holm']:.4f}",
    ]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
