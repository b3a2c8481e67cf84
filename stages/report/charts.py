"""Charts as SVG that is part of the page: no pictures of text, colours from the page's style, readable on a phone.

Every chart is :data:`WIDTH` wide, as a phone is, and lines differ by their dashes as well as by colour. The element
tree of the standard library escapes all texts.
"""

import math
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

WIDTH = 360
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 8, 36
_PLOT = 150
_LEGEND = 16
_ROW = 32
_LABEL = 36
DASHES = ("", "6 3", "2 3", "8 3 2 3")
"""Of the lines, in their order; beyond these colours and dashes begin again."""


@dataclass(frozen=True)
class Chart:
    """A chart and what it says to a reader who does not see it.

    Attributes:
        title: what it shows.
        description: its message in words; the figures stand in a table beside it.
        svg: the drawing.
    """

    title: str
    description: str
    svg: Markup


@dataclass(frozen=True)
class Row:
    """A row of :func:`rows_chart`.

    Attributes:
        label: stands above the row.
        value: where the bar or the dot ends.
        text: the value as a reader wants it.
        low, high: an interval around a dot; ``None`` draws a bar from 0.
        series: number of the colour.
    """

    label: str
    value: float
    text: str
    low: float | None = None
    high: float | None = None
    series: int = 0


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten apart) that begin at or below ``low`` and end at or above ``high``.

    Args:
        low, high: what has to lie between the first and the last.
        most: how many steps there may be.
    """
    if not high > low:
        high = low + (abs(low) or 1.0)
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    step = next(power * unit for unit in (1, 2, 5, 10, 20) if (high - low) / (power * unit) <= most)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]


def line_chart(
    title: str,
    description: str,
    lines: Mapping[str, Sequence[tuple[float, float]]],
    x_title: str,
    *,
    percent: bool = False,
    mark: float | None = None,
) -> Chart:
    """Lines over a common x axis.

    Args:
        title, description: of the chart.
        lines: by name, the points (x, y) in their order.
        x_title: of the x axis.
        percent: both axes are shares, shown in percent.
        mark: x of a dashed vertical line.
    """
    points = [point for line in lines.values() for point in line]
    x_low, x_high = min(x for x, _ in points), max(x for x, _ in points)
    y_ticks = ticks(min(y for _, y in points), max(y for _, y in points))
    top = _TOP + _LEGEND * (len(lines) if len(lines) > 1 else 0)
    drawing = _svg(title, description, top + _PLOT + _BOTTOM)
    x_at = _Scale([x_low, x_high if x_high > x_low else x_low + 1], _LEFT, WIDTH - _RIGHT)
    y_at = _Scale(y_ticks, top + _PLOT, top)
    for y in y_ticks:
        _line(drawing, _LEFT, y_at(y), WIDTH - _RIGHT, y_at(y), "grid")
        _text(drawing, _LEFT - 6, y_at(y) + 4, _short(y, percent), "end")
    for x in (x for x in ticks(x_low, x_high) if x_low <= x <= x_high):
        _text(drawing, x_at(x), top + _PLOT + 15, _short(x, percent), "middle")
    _text(drawing, (_LEFT + WIDTH - _RIGHT) / 2, top + _PLOT + 31, x_title, "middle")
    if mark is not None:
        _line(drawing, x_at(mark), top, x_at(mark), top + _PLOT, "mark")
    for number, (name, line) in enumerate(lines.items()):
        style = {"class": f"line s{number % 4}", "stroke-dasharray": DASHES[number % len(DASHES)] or "none"}
        path = " ".join(f"{x_at(x):.1f},{y_at(y):.1f}" for x, y in line)
        ET.SubElement(drawing, "polyline", {"points": path, **style})
        if len(line) == 1:
            _dot(drawing, x_at(line[0][0]), y_at(line[0][1]), number)
        if len(lines) > 1:
            y = _TOP + _LEGEND * number + 6
            ET.SubElement(drawing, "line", _ends(_LEFT, y, _LEFT + 28, y) | style)
            _text(drawing, _LEFT + 36, y + 4, name, "start")
    return _chart(title, description, drawing)


def column_chart(title: str, description: str, columns: Sequence[tuple[str, float]], x_title: str) -> Chart:
    """Columns side by side, such as a histogram.

    Args:
        title, description: of the chart.
        columns: label and height of each; labels that would touch are left out.
        x_title: of the x axis.
    """
    y_ticks = ticks(0, max(height for _, height in columns))
    drawing = _svg(title, description, _TOP + _PLOT + _BOTTOM)
    y_at = _Scale(y_ticks, _TOP + _PLOT, _TOP)
    for y in y_ticks:
        _line(drawing, _LEFT, y_at(y), WIDTH - _RIGHT, y_at(y), "grid")
        _text(drawing, _LEFT - 6, y_at(y) + 4, _short(y), "end")
    step = (WIDTH - _LEFT - _RIGHT) / len(columns)
    every = math.ceil(max(len(label) for label, _ in columns) * 7.5 / step)
    for number, (label, height) in enumerate(columns):
        x = _LEFT + number * step
        _box(drawing, x + step * 0.1, y_at(height), step * 0.8, _TOP + _PLOT - y_at(height), 0)
        if number % every == 0:
            _text(drawing, x + step / 2, _TOP + _PLOT + 15, label, "middle")
    _text(drawing, (_LEFT + WIDTH - _RIGHT) / 2, _TOP + _PLOT + 31, x_title, "middle")
    return _chart(title, description, drawing)


def rows_chart(title: str, description: str, rows: Sequence[Row], *, most: float | None = None) -> Chart:
    """Bars, or dots with intervals, below each other, from 0 on.

    Args:
        title, description: of the chart.
        rows: in their order.
        most: where the axis ends; by default at the highest value.
    """
    highest = max(max(row.value, row.high or 0.0) for row in rows) if most is None else most
    drawing = _svg(title, description, _TOP + _ROW * len(rows))
    x_at = _Scale([0.0, highest or 1.0], _RIGHT, WIDTH - _RIGHT)
    for number, row in enumerate(rows):
        top = _TOP + _ROW * number
        _text(drawing, _RIGHT, top + 9, _cut(row.label), "start")
        _text(drawing, WIDTH - _RIGHT, top + 9, row.text, "end")
        y = top + 20
        _line(drawing, _RIGHT, y, WIDTH - _RIGHT, y, "grid")
        if row.low is None or row.high is None:
            _box(drawing, _RIGHT, y - 4, x_at(row.value) - _RIGHT, 8, row.series)
        else:
            _line(drawing, x_at(row.low), y, x_at(row.high), y, f"interval s{row.series % 4}")
            _dot(drawing, x_at(row.value), y, row.series)
    return _chart(title, description, drawing)


class _Scale:
    """Where a value stands between two places of the drawing."""

    def __init__(self, values: Sequence[float], first: float, last: float) -> None:
        self._low, self._first = values[0], first
        self._factor = (last - first) / (values[-1] - values[0])

    def __call__(self, value: float) -> float:
        return self._first + (value - self._low) * self._factor


def _svg(title: str, description: str, height: float) -> ET.Element:
    attributes = {"viewBox": f"0 0 {WIDTH} {height:g}", "role": "img", "aria-label": f"{title}. {description}"}
    return ET.Element("svg", attributes)


def _chart(title: str, description: str, drawing: ET.Element) -> Chart:
    # short_empty_elements: HTML closes no element of SVG by itself.
    svg = ET.tostring(drawing, encoding="unicode", short_empty_elements=False)
    return Chart(title, description, Markup(svg))  # the element tree has escaped all texts


def _ends(x1: float, y1: float, x2: float, y2: float) -> dict[str, str]:
    return {"x1": f"{x1:.1f}", "y1": f"{y1:.1f}", "x2": f"{x2:.1f}", "y2": f"{y2:.1f}"}


def _line(drawing: ET.Element, x1: float, y1: float, x2: float, y2: float, kind: str) -> None:
    ET.SubElement(drawing, "line", {**_ends(x1, y1, x2, y2), "class": kind})


def _box(drawing: ET.Element, x: float, y: float, width: float, height: float, series: int) -> None:
    sizes = {"x": f"{x:.1f}", "y": f"{y:.1f}", "width": f"{max(0.0, width):.1f}", "height": f"{max(0.0, height):.1f}"}
    ET.SubElement(drawing, "rect", {**sizes, "class": f"fill s{series % 4}"})


def _dot(drawing: ET.Element, x: float, y: float, series: int) -> None:
    ET.SubElement(drawing, "circle", {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": "4", "class": f"fill s{series % 4}"})


def _text(drawing: ET.Element, x: float, y: float, text: str, anchor: str) -> None:
    ET.SubElement(drawing, "text", {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}).text = text


def _cut(label: str) -> str:
    """A label that leaves room for the value at its right."""
    return label if len(label) <= _LABEL else label[: _LABEL - 1] + "…"


def _short(value: float, percent: bool = False) -> str:
    """A number of an axis in a few characters."""
    if percent:
        return f"{value:.0%}"
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
