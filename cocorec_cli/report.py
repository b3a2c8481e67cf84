"""What a command prints on stdout when it is done: tables for a person, one JSON object for a program."""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cocorec_cli.console import printable
from stages.artifacts.json_text import json_text
from stages.frame.result import Result

WIDTH = 80
"""Columns that a headline fits into, where it can."""

UNLIMITED = 100_000
"""Columns of an output that nobody looks at through a window."""


@dataclass(frozen=True)
class Report:
    """A result together with what it cost.

    Attributes:
        result: what the stage handed back.
        workdir: the work directory.
        seconds: wall-clock time.
        peak_memory_mib: the most memory that the process held at once while the stage ran, MiB.
    """

    result: Result
    workdir: Path
    seconds: float
    peak_memory_mib: float

    def to_json(self) -> dict[str, Any]:
        """The report as JSON values."""
        result = self.result
        return {
            "stage": result.stage,
            "skipped": result.skipped,
            "workdir": str(self.workdir),
            "outputs": {name: str(path) for name, path in result.outputs.items()},
            "facts": result.facts,
            "warnings": list(result.warnings),
            "timings": {name: round(seconds, 3) for name, seconds in result.timings.items()},
            "seconds": round(self.seconds, 3),
            "peak_memory_mib": round(self.peak_memory_mib, 1),
        }


def print_json(value: Any) -> None:
    """Print one JSON object on stdout, without characters that a terminal would obey."""
    print(_escaped(json_text(value, indent=2)), flush=True)


def print_report(report: Report) -> None:
    """Print a report for a person."""
    result = report.result
    if result.skipped:
        headline = f"{result.stage}: up to date, nothing to do (--force runs it again)"
    else:
        made = ", ".join(result.outputs) or "nothing"
        cost = f"in {report.seconds:,.1f} s, peak memory {report.peak_memory_mib:,.0f} MiB"
        headline = f"{result.stage}: made {made} {cost}"
        if len(headline) > WIDTH:
            headline = f"{result.stage}: made {made}\n  {cost}"
    print_table([], list(_rows(result.facts)), title=headline)
    for name, records in _tables(result.facts):
        columns = list(dict.fromkeys(column for record in records for column in record))
        columns.sort(key=lambda column: not isinstance(records[0].get(column), str))  # names first, numbers after
        rows = [[_shown(record.get(column)) for column in columns] for record in records]
        print_table([_spaced(column) for column in columns], rows, title=name)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    """Print a table on stdout: aligned columns, no lines drawn; cut to no width where stdout is not a terminal."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if terminal else UNLIMITED)
    if title:
        console.print(Text(printable(title), style="bold"), soft_wrap=True)
    if rows:
        table = Table(box=None, show_header=bool(columns), pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        for column in columns or [""] * len(rows[0]):
            table.add_column(Text(printable(column, lines=False)), overflow="fold")
        for row in rows:
            table.add_row(*(Text(printable(cell, lines=False)) for cell in row))
        if terminal:
            console.print(Padding(table, (0, 0, 0, 2)))
        else:
            for line in console.render_lines(table, pad=False):
                print("  " + "".join(segment.text for segment in line).rstrip())
    sys.stdout.flush()


def print_markdown(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    """Print a table on stdout as GitHub-flavoured Markdown."""
    if title:
        print(f"**{printable(title)}**\n")
    for cells in (columns, ["---"] * len(columns), *rows):
        plain = (printable(cell, lines=False) for cell in cells)
        print("| " + " | ".join(cell.replace("\\", "\\\\").replace("|", "\\|") for cell in plain) + " |")
    sys.stdout.flush()


def _escaped(text: str) -> str:
    """JSON with the escapes of JSON for what :func:`printable` escapes; such characters stand in its strings alone."""
    plain = text.encode(sys.stdout.encoding or "ascii", "replace").decode(sys.stdout.encoding or "ascii")
    return "".join(
        one if shown == one and (one.isprintable() or one == "\n") else json.dumps(one)[1:-1]
        for one, shown in zip(text, plain, strict=True)
    )


def shortened(text: str, width: int = 40) -> str:
    """A text on one line, cut where it is longer than ``width`` characters."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 3] + "..."


def _rows(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Facts that are single values, those of nested objects under joined names."""
    for name, value in facts.items():
        label = f"{prefix}{_spaced(name)}"
        if _records(value):
            continue
        if isinstance(value, Mapping):
            yield from _rows(value, f"{label}: ")
        else:
            yield label, _shown(value)


def _tables(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Facts that are tables of their own, and their rows."""
    for name, value in facts.items():
        label = f"{prefix}{_spaced(name)}"
        records = _records(value)
        if records:
            yield label, records
        elif isinstance(value, Mapping):
            yield from _tables(value, f"{label}: ")


def _records(value: Any) -> list[dict[str, Any]]:
    """The rows of a list of objects, or of an object of objects; none for other values."""
    if isinstance(value, Mapping) and all(isinstance(part, Mapping) for part in value.values()):
        return [{"": name, **part} for name, part in value.items()]
    if isinstance(value, list | tuple) and all(isinstance(part, Mapping) for part in value):
        return [dict(part) for part in value]
    return []


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        if not math.isfinite(value):
            return "-"
        return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "none"
    return str(value)
