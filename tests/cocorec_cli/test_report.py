"""What goes to stdout is shown, never obeyed, and JSON says what it said."""

import json

from cocorec_cli.report import _fitting, _widths, print_json, print_markdown, print_table

HOSTILE = "a\x1b[31mred\x9b0m\r\u202eb [bold]c[/bold]\nd"
SHOWN = "a\\x1b[31mred\\x9b0m\\r\\u202eb [bold]c[/bold]\\nd"


def test_cells_and_columns_of_tables(capsys):
    print_table([HOSTILE], [[HOSTILE]], title="of [red]" + HOSTILE)
    out = capsys.readouterr().out
    assert out.count(SHOWN) == 2
    assert "of [red]" in out
    assert out.replace("\n", "").isprintable()


def test_markdown(capsys):
    print_markdown([HOSTILE], [[HOSTILE]], title=HOSTILE)
    out = capsys.readouterr().out
    assert out.count(SHOWN.replace("\\", "\\\\")) == 2
    assert out.replace("\n", "").isprintable()


def test_json_keeps_its_value(capsys):
    value = {HOSTILE: [HOSTILE, "n\udcff", "Größe 🙂"]}
    print_json(value)
    out = capsys.readouterr().out
    assert json.loads(out) == value
    assert out.replace("\n", "").isprintable()
    assert "Größe 🙂" in out


def test_spare_columns_go_first_and_numbers_stay_whole():
    columns, rows = ["history length", "mean", "p", "note"], [["1-5", "0.1234", "0.0400", "many words in a row"]]
    kept, cells = _fitting(columns, rows, ("p", "mean"), 40)
    assert (kept, cells[0][:2]) == (["history length", "note"], ["1-5", "many words in a row"])
    assert _fitting(columns, rows, ("p",), 200) == (columns, rows)
    assert _widths(columns, rows, 200) == [None] * 4
    assert _widths(columns, rows, 40) == [7, 6, 6, None]


def test_a_wide_table_in_a_pipe_breaks_its_header_and_no_cell(capsys):
    columns = ["view", "dimension", "distinct vectors", "explained variance", "held out", "items", "relative error"]
    rows = [["description", "128", "1,176,123", "0.8639", "no value", "1,176,456", "0.1042"]]
    print_table(columns, rows, title="views")
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [cell for cell in rows[0] if cell not in lines[-1]] == []
    assert len(lines) == 4  # title, two lines of header, one of cells
    print_table([], [["a fact", "word " * 40]])
    assert len(capsys.readouterr().out.splitlines()) == 1
    print_table(["narrow header", "b"], [["1", "2"]])
    assert capsys.readouterr().out.splitlines()[0] == "  narrow header  b"
