"""The section about the codebooks: how much of them is used, what is dead, how far codes are from the vectors."""

from typing import Any

import numpy as np
import numpy.typing as npt

from stages.artifacts.names import CODES
from stages.artifacts.vectors import read_codes
from stages.report.charts import Row, rows_chart
from stages.report.parts import Section, Table, count, number, share, text
from stages.report.source import Source
from stages.report.told import Told


def codebooks_section(source: Source) -> Section:
    """How the codes are used; read off the codes themselves where another tool made them."""
    codes, size = read_codes(source.path(CODES))
    told = source.told(CODES)
    positions = told.rows("positions") or [Told(told.path, row) for row in _positions(codes, size)]
    used = [(f"{row.text('view') or 'codes'} {row.count('level')}", row.count("used") or 0) for row in positions]
    dead = sum(size - use for _, use in used)
    distinct = len(np.unique(codes, axis=0))
    figures = [
        ("codes per item", f"{codes.shape[1]:,}"),
        ("codes in a codebook", f"{size:,}"),
        ("dead codes", f"{dead / max(1, size * len(used)):.1%}"),
        ("items with codes of their own", _percent(told.number("unique_share"))),
        ("distinct tuples of codes", f"{distinct:,}"),
    ]
    chart = rows_chart(
        "Codes in use, by position",
        f"{dead:,} of {size * len(used):,} codes are dead.",
        [Row(label, use / size, f"{use:,} of {size:,}") for label, use in used],
        most=1.0,
    )
    method = told.text("method")
    return Section(
        "codebooks",
        "Codebooks",
        f"Each item has {codes.shape[1]} codes, each out of {size}"
        + (f", by {'product' if method == 'pq' else 'residual'} quantization." if method in ("pq", "rq") else "."),
        figures,
        [chart],
        [_positions_table(positions), *_errors_table(told)],
    )


def _positions(codes: npt.NDArray[np.uint16], size: int) -> list[dict[str, Any]]:
    """Of each position (N, C), how many of its codes are used."""
    used = [len(np.unique(column)) for column in codes.T]
    return [
        {"level": level + 1, "used": use, "dead": size - use, "utilisation": use / size}
        for level, use in enumerate(used)
    ]


def _positions_table(positions: list[Told]) -> Table:
    rows = [
        [
            text(row.text("view") or "codes"),
            count(row.count("level")),
            count(row.count("used")),
            count(row.count("dead")),
            share(row.number("utilisation")),
            number(row.number("perplexity"), 1),
        ]
        for row in positions
    ]
    columns = ["view", "level", "used", "dead", "share used", "perplexity"]
    note = "Perplexity is how many equally frequent codes would tell as much."
    return Table("positions", "Use of the codes, by position", columns, rows, folded=True, note=note)


def _errors_table(told: Told) -> list[Table]:
    views = told.rows("views")
    if not views:
        return []
    rows = [
        [
            text(row.text("view")),
            number(row.number("relative_error")),
            number(row.number("held_out_error")),
            share(row.number("explained_variance")),
            count(row.count("dimension")),
            count(row.count("items")),
            count(row.count("distinct_vectors")),
        ]
        for row in views
    ]
    columns = ["view", "error", "held-out error", "variance kept", "dimensions", "items", "distinct vectors"]
    note = "Squared distance of the codes to the whitened vectors, by squared norm: 0 is perfect, 1 says nothing."
    return [Table("errors", "Error of the codes, by view", columns, rows, note=note)]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
