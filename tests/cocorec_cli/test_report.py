"""What goes to stdout is shown, never obeyed, and JSON says what it said."""

import json

from cocorec_cli.report import print_json, print_markdown, print_table

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
