"""What a section of the page is made of: figures, charts, tables, notes."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from stages.report.charts import Chart

SEARCHABLE = 10
"""Rows above which a table can be searched."""


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: as a reader wants it.
        sort: the number it is sorted by, exactly as it was computed; ``None`` sorts by the text.
    """

    text: str
    sort: float | None = None


@dataclass(frozen=True)
class Table:
    """A table that can be sorted by each column, and searched when it is long.

    Attributes:
        id: unique in the page.
        caption: what it holds.
        columns: their names.
        rows: of as many cells; the first names the row.
        folded: closed until it is opened, since a chart shows the same.
        note: how it is to be read; stands above it.
    """

    id: str
    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    folded: bool = False
    note: str = ""

    @property
    def searchable(self) -> bool:
        """Whether it has a search box."""
        return len(self.rows) > SEARCHABLE

    @property
    def numeric(self) -> list[bool]:
        """Of each column, whether it holds numbers, which are aligned at the right."""
        cells = zip(*self.rows, strict=True)
        return [any(cell.sort is not None for cell in column) for column in cells] or [False] * len(self.columns)


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Attributes:
        id: its anchor.
        title: its heading.
        intro: a sentence or two below the heading.
        figures: name and value of what matters most.
        charts: drawings.
        tables: the numbers.
        notes: what has to be known before the numbers are believed.
    """

    id: str
    title: str
    intro: str = ""
    figures: Sequence[tuple[str, str]] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = field(default_factory=tuple)


def text(value: str | None) -> Cell:
    """A text, a dash where there is none."""
    return Cell("–" if value is None else value)


def count(value: int | None) -> Cell:
    """A whole number."""
    return Cell("–") if value is None else Cell(f"{value:,}", value)


def number(value: float | None, digits: int = 4, *, signed: bool = False) -> Cell:
    """A number with as many digits after the point."""
    if value is None:
        return Cell("–")
    return Cell(f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}", value)


def interval(low: float, high: float, *, signed: bool = False) -> Cell:
    """An interval, on one line."""
    sign = "+" if signed else ""
    return Cell(f"{low:{sign}.4f}\u00a0to\u00a0{high:{sign}.4f}")


def share(value: float | None) -> Cell:
    """A share in percent."""
    return Cell("–") if value is None else Cell(f"{value:.1%}", value)
