import xml.etree.ElementTree as ET

import pytest

from stages.report.charts import WIDTH, Row, column_chart, line_chart, rows_chart, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 913, [0, 200, 400, 600, 800, 1000]),
        (1, 12, [0, 5, 10, 15]),
        (0.101, 0.124, [0.1, 0.105, 0.11, 0.115, 0.12, 0.125]),
        (3, 3, [3, 4, 5, 6]),
        (0, 0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
    ],
)
def test_ticks_are_round_and_enclose_the_values(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_a_line_goes_through_its_points() -> None:
    chart = line_chart("Losses", "They fall.", {"loss": [(1, 4.0), (3, 0.0)], "rec": [(1, 2.0)]}, "epoch", mark=3)
    drawing = ET.fromstring(chart.svg)
    assert drawing.get("aria-label") == "Losses. They fall."
    first, second = (line.get("points") for line in drawing.iter("polyline"))
    (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in str(first).split())
    assert x1 < x2 <= WIDTH and y1 < y2  # y counts downwards
    assert second == f"{x1:.1f},{(y1 + y2) / 2:.1f}"
    [mark] = [line for line in drawing.iter("line") if line.get("class") == "mark"]
    assert float(str(mark.get("x1"))) == x2
    assert {"loss", "rec", "epoch"} <= {text.text for text in drawing.iter("text")}


def test_columns_are_as_high_as_their_values() -> None:
    drawing = ET.fromstring(column_chart("t", "d", [("1", 10.0), ("2", 5.0), ("3", 0.0)], "x").svg)
    heights = [float(str(box.get("height"))) for box in drawing.iter("rect")]
    assert heights[1] == pytest.approx(heights[0] / 2) and heights[2] == 0


def test_rows_are_bars_or_intervals() -> None:
    bars = ET.fromstring(rows_chart("t", "d", [Row("a", 0.5, "half"), Row("b", 1.0, "all")], most=1.0).svg)
    half, whole = (float(str(box.get("width"))) for box in bars.iter("rect"))
    assert half == pytest.approx(whole / 2)
    drawing = ET.fromstring(rows_chart("t", "d", [Row("a", 0.2, "0.2", 0.1, 0.4)]).svg)
    [interval] = [line for line in drawing.iter("line") if "interval" in str(line.get("class"))]
    [dot] = drawing.iter("circle")
    assert float(str(interval.get("x1"))) < float(str(dot.get("cx"))) < float(str(interval.get("x2"))) <= WIDTH


def test_long_names_leave_room_for_the_value() -> None:
    drawing = ET.fromstring(rows_chart("t", "d", [Row("n" * 80, 1.0, "0.1234")]).svg)
    label, value = (str(text.text) for text in drawing.iter("text"))
    assert label.startswith("nnn") and label.endswith("n…") and value == "0.1234"
    assert 7 * (len(label) + len(value)) < WIDTH  # 7 px a letter, and more than that in no common font of 12 px


def test_nothing_to_show_is_no_error() -> None:
    assert "rect" in rows_chart("t", "d", [Row("a", 0.0, "0")]).svg
    assert "circle" in line_chart("t", "d", {"a": [(1, 0.0)]}, "x").svg


def test_texts_are_escaped() -> None:
    evil = '"><script>alert(1)</script>'
    chart = rows_chart(evil, evil, [Row(evil, 1.0, evil)])
    assert "<script" not in chart.svg
    assert [text.text for text in ET.fromstring(chart.svg).iter("text")] == [evil, evil]
