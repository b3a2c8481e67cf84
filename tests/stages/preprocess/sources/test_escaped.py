r"""Rows in which a backslash counts."""

import pytest

from stages.preprocess.sources.escaped import NotInDialectError, escaped_rows, split_rows


def rows(text: str, quote: str | None = '"', outside: bool = True) -> list[list[str]]:
    return [fields for _, fields in escaped_rows(text.splitlines(keepends=True), ",", quote, "\\", outside)]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("a,b\n", [["a", "b"]]),
        ('"6\\" x",b\r\n', [['6" x', "b"]]),
        ('"a\\\\",b\n', [["a\\", "b"]]),
        ('"C:\\new",\\N\n', [["C:\\new", "\\N"]]),
        ('"a ""b""",c\n', [['a "b"', "c"]]),
        ('"a\nb",c\nd,e', [["a\nb", "c"], ["d", "e"]]),
        ("a\\,b,c\n", [["a,b", "c"]]),
        ("a\\\nb,c\n", [["a\nb", "c"]]),
        ('a\\"b,c\n', [['a"b', "c"]]),
        ("a,\n,\n", [["a", ""], ["", ""]]),
    ],
)
def test_rows(text: str, fields: list[list[str]]) -> None:
    assert rows(text) == fields


def test_escapes_outside_of_quotes_may_mean_nothing() -> None:
    assert rows('C:\\,"6\\" x"\n', outside=False) == [["C:\\", '6" x']]


def test_quotes_may_mean_nothing() -> None:
    assert rows('"a\\,b",c\n', quote=None) == [['"a,b"', "c"]]
    assert list(split_rows(['"a,b\r\n'], ",")) == [(1, ['"a', "b"])]


@pytest.mark.parametrize(
    ("text", "message"), [('x\n"a"b,c\n', "line 2 has text after"), ('x\n"a,c\nd', "line 2 opens")]
)
def test_what_the_dialect_does_not_allow(text: str, message: str) -> None:
    with pytest.raises(NotInDialectError, match=message):
        rows(text)
