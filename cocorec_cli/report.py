"""What a command prints on stdout when it is done: tables for a person, one JSON object for a program."""

import json
import math
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cocorec_cli.console import printable
from cocorec_cli.headlines import headline, next_command
from stages.artifacts.json_text import json_text
from stages.frame.result import Result

WIDTH = 80
"""Columns that a headline fits into, where it can."""

UNLIMITED = 100_000
"""Columns of an output that nobody looks at through a window."""

_MARGIN = 2

_NUMBER = re.compile(r"|-|[-+]?[\d,.]+ ?%?(( to |-)[-+]?[\d,.]+)?")
"""A cell that is not broken: a number, a share, an interval, or nothing."""

_WORD = re.compile(r"\S{1,30}")
"""Another: a name of a file, a metric, an option."""


@dataclass(frozen=True)
class Report:
    """A result together with what it cost.

    Attributes:
        result: what the stage handed back.
        workdir: the work directory.
        seconds: wall-clock time.
        config: the configuration file that gave its options.
        peak_memory_mib: the most memory that the process held at once while the stage ran, MiB.
    """

    result: Result
    workdir: Path
    seconds: float
    peak_memory_mib: float
    config: Path | None = None

    @property
    def next(self) -> str | None:
        """The command that comes after this one."""
        return next_command(self.result.stage, self.result.facts, self.workdir, self.config)

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
            "next": self.next,
        }


def print_json(value: Any) -> None:
    """Print one JSON object on stdout, without characters that a terminal would obey."""
    print(_escaped(json_text(value, indent=2)), flush=True)


def print_report(report: Report) -> None:
    """Print a report for a person."""
    result = report.result
    print_made(report)
    print_table([], list(_rows(result.facts)))
    for name, records in _tables(result.facts):
        columns = list(dict.fromkeys(column for record in records for column in record))
        columns.sort(key=lambda column: not isinstance(records[0].get(column), str))  # names first, numbers after
        rows = [[_shown(record.get(column)) for column in columns] for record in records]
        print_table([_spaced(column) for column in columns], rows, title=name)


def made_line(report: Report) -> str:
    """What a stage made, and what that cost; on two lines where one is too short."""
    result = report.result
    if result.skipped:
        return f"{result.stage}: up to date, nothing to do (--force runs it again)"
    made = ", ".join(result.outputs) or "nothing"
    cost = f"in {report.seconds:,.1f} s, peak memory {report.peak_memory_mib:,.0f} MiB"
    line = f"{result.stage}: made {made} {cost}"
    return line if len(line) <= WIDTH else f"{result.stage}: made {made}\n  {cost}"


def print_made(report: Report) -> None:
    """Print what a stage made, and what came out of it."""
    print_table([], [], title=made_line(report))
    if told := headline(report.result.stage, report.result.facts):
        print("  " + printable(_wrapped(told, WIDTH - _MARGIN, "  "), lines=True))


def print_line(report: Report) -> None:
    """Print a stage of several in one line: its name, its seconds, what came out."""
    result = report.result
    told = headline(result.stage, result.facts) or ", ".join(result.outputs)
    cost = "up to date" if result.skipped else f"{report.seconds:,.1f} s"
    lead = f"{result.stage:<10} {cost:>10}  "
    room = WIDTH - len(lead)
    print(printable(lead + (told if len(told) <= room else _wrapped(told, room, " " * len(lead)))), flush=True)


def print_next(report: Report) -> None:
    """Print the command that comes after this one, where there is one."""
    if report.next:
        print(printable(f"next: {report.next}", lines=False), flush=True)


def print_text(text: str) -> None:
    """Print a sentence on stdout, broken between words where a terminal is narrower than it."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNLIMITED
    print(printable("\n".join(textwrap.wrap(text, width))), flush=True)


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str | None = None,
    *,
    spare: Sequence[str] = (),
) -> None:
    """Print a table on stdout: aligned columns, no lines drawn.

    In a terminal a number is never broken; words are. Elsewhere no cell is, but headers are, at blanks, where the table
    would be wider than :data:`WIDTH`.

    Args:
        columns: their names; none for a table without a header.
        rows: as many cells each.
        title: stands above.
        spare: columns to leave out, in this order, until the table fits into the terminal.
    """
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    terminal = sys.stdout.isatty()
    console = Console(highlight=False, width=None if terminal else UNLIMITED)
    if title:
        console.print(Text(printable(title), style="bold"), soft_wrap=not terminal)
    if rows:
        table = Table(box=None, show_header=bool(columns), pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
        room = (console.width if terminal else WIDTH) - _MARGIN
        if terminal:
            columns, rows = _fitting(columns, rows, spare, room)
        names = [*columns] or [""] * len(rows[0])
        for name, width in zip(names, _widths(names, rows, room, whole=not terminal), strict=True):
            table.add_column(Text(printable(name, lines=False)), overflow="fold", width=width)
        for row in rows:
            table.add_row(*(Text(printable(cell, lines=False)) for cell in row))
        if terminal:
            console.print(Padding(table, (0, 0, 0, _MARGIN)))
        else:
            for line in console.render_lines(table, pad=False):
                print("  " + "".join(segment.text for segment in line).rstrip())
    sys.stdout.flush()


def _fitting(
    columns: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str], width: int
) -> tuple[list[str], list[list[str]]]:
    """The table without as many spare columns as it takes to fit into ``width``."""
    kept = list(range(len(columns or rows[0])))
    names = [*columns] or [""] * len(kept)
    widths = [max(len(names[place]), *(len(row[place]) for row in rows)) for place in kept]
    for name in spare:
        if sum(widths[place] + 2 for place in kept) - 2 <= width:
            break
        kept = [place for place in kept if names[place] != name]
    return [names[place] for place in kept] if columns else [], [[row[place] for place in kept] for row in rows]


def _widths(names: Sequence[str], rows: Sequence[Sequence[str]], room: int, *, whole: bool = False) -> list[int | None]:
    """The width of each column whose cells must not be broken, ``None`` for the others; headers may be, at blanks.

    Args:
        names: of the columns.
        rows: as many cells each.
        room: characters of a line.
        whole: no cell may be broken.
    """
    cells = [[row[place] for row in rows] for place in range(len(names))]
    longest = [max(map(len, column)) for column in cells]
    natural = [max(len(name), width) for name, width in zip(names, longest, strict=True)]
    if sum(natural) + 2 * (len(names) - 1) <= room:
        return [None] * len(names)
    narrow = [max(map(len, [*name.split(), ""])) for name in names]
    kept = [max(width, least) for width, least in zip(longest, narrow, strict=True)]
    if whole:
        return [*kept]
    numbers = [all(map(_NUMBER.fullmatch, column)) for column in cells]
    words = [all(_NUMBER.fullmatch(cell) or _WORD.fullmatch(cell) for cell in column) for column in cells]
    widths: list[int | None] = []
    for kind in (words, numbers):  # where there is no room for whole words, numbers alone stay whole
        widths = [width if together else None for width, together in zip(kept, kind, strict=True)]
        if sum(width or 10 for width in widths) + 2 * (len(names) - 1) <= room:
            break
    return widths


def _wrapped(text: str, width: int, indent: str) -> str:
    return ("\n" + indent).join(textwrap.wrap(text, width))


def print_markdown(
    columns: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None, *, spare: Sequence[str] = ()
) -> None:
    """Print a table on stdout as GitHub-flavoured Markdown, with all its columns."""
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
