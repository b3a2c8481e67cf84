import time

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.preprocess.items.text import PART_MARK, clean, decode_entities, nested_text, to_text


def cleaned(text: str | None) -> str | None:
    return pl.select(clean(pl.lit(text, pl.String))).item()


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        # entities: named, decimal, hexadecimal, without semicolon, encoded twice, unknown
        ("Tom &amp; Jerry &quot;x&quot;", 'Tom & Jerry "x"'),
        ("caf&eacute; 5&#8243; &#x27;a&#X27;", "café 5″ 'a'"),
        ("Copyright &copy 2020", "Copyright © 2020"),
        ("R&amp;amp;D", "R&D"),
        ("this&that AT&T &notit &bogus;", "this&that AT&T &notit &bogus;"),
        ("&#0;a&#55296;b", "a b"),
        # tags leave a blank, so that words are not joined
        ("steel<br>black<BR/>small<br />end", "steel black small end"),
        ("<p>One.</p><p>Two.</p>", "One. Two."),
        ("<a href=\"x>y\" title='<q>'>link</a>", "link"),
        ("<p don't>text</p>", "text"),
        ("a<div\nclass='b'\n>c</div>", "a c"),
        ("&lt;b&gt;bold&lt;/b&gt;", "bold"),
        ("a<!-- <b> -->b<script>if (1 < 2) {}</script>c<style>p {}</style>d", "a b c d"),
        # what only looks like a tag stays
        ("5 < 6 and 7 > 3", "5 < 6 and 7 > 3"),
        ("I <3 it, x<y and z>w", "I <3 it, x<y and z>w"),
        ("5 &lt; 6", "5 < 6"),
        ("mail <joe@example.org>", "mail <joe@example.org>"),
        ("open <p", "open <p"),
        # white space, control and invisible characters
        ("a\r\n\tb\u00a0 c\u3000d\u2028e\x0bf\x85g", "a b c d e f g"),
        ("zero\u200bwidth no\u00adbreak\ufeff joi\u200dner", "zero width nobreak joiner"),
        ("bell\x07tone\x00null\x7fdel", "bell tone null del"),
        ("  ", None),
        ("<br>&nbsp;\u200b", None),
        ("", None),
        (None, None),
        ("日本語 <b>é</b> 😀", "日本語 é 😀"),
    ],
)
def test_clean(raw: str | None, expected: str | None) -> None:
    assert cleaned(raw) == expected


@given(st.text())
def test_clean_leaves_single_blanks_and_no_control_characters(text: str) -> None:
    result = cleaned(text)
    if result is not None:
        assert result == " ".join(result.split()) != ""
        assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in result)


@given(st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), min_size=1), st.data())
def test_words_are_never_joined_and_never_lost(words: list[str], data: st.DataObject) -> None:
    separators = st.sampled_from(
        [
            " ",
            "<br>",
            "</p><p>",
            "\n",
            "\t",
            "\u200b",
            "&nbsp;",
            "\x00",
            "&#10;",
            "<img src='x'>",
            "&lt;br&gt;",
            "\u2029",
        ]
    )
    text = words[0]
    for word in words[1:]:
        text += data.draw(separators) + word
    assert cleaned(text) == " ".join(words)


@given(st.text(alphabet="&#xamplt;38gGT ", max_size=40))
def test_decoding_ends_where_nothing_is_left_to_decode(text: str) -> None:
    decoded = decode_entities(text)
    assert decode_entities(decoded) == decoded


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (["Made of steel.", "Black", "Small"], "Made of steel. Black, Small"),
        ([["Tools", "Saws"], ["Home"]], "Tools, Saws, Home"),
        (["<p>One.</p>", "<p>two</p>", "<br>", "three"], "One. two, three"),
        ([], None),
        (["", None, " "], None),
        ({"Brand": "Acme", "Size": ["4", 5], "New": True, "Empty": ""}, "Brand: Acme, Size: 4, 5"),
        (12.0, "12"),
        (12.5, "12.5"),
        (7, "7"),
        (None, None),
        (True, None),
        ("  text ", "text"),
    ],
)
def test_lists_and_objects_become_text(value: object, expected: str | None) -> None:
    assert cleaned(to_text(value)) == expected


def test_only_json_is_taken_for_json() -> None:
    assert cleaned(nested_text('["a", "b"]')) == "a, b"
    assert nested_text("[2 pack] tape") == "[2 pack] tape"
    assert nested_text("{unfinished") == "{unfinished"
    assert nested_text(None) is None


def test_lists_of_python_and_numpy_are_taken_apart() -> None:
    assert cleaned(nested_text("['it\\'s', \"b\"]")) == "it's, b"
    assert cleaned(nested_text("['a' 'b c'\n 'd']")) == "a, b c, d"
    assert cleaned(nested_text("{'Brand': 'Acme', 'n': None}")) == "Brand: Acme"
    assert nested_text("['__import__(\"os\")' +]") == "['__import__(\"os\")' +]"
    assert nested_text("[]") is None
    assert to_text([float("nan"), 1.0, "half \ud83d"]) == f"1{PART_MARK}half \ufffd"


LONG = 400_000
"""Characters of a text that took minutes where the time was quadratic."""


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("amp;", "&"),
        ("#38;", "&"),
        ("#x26;amp;", "&"),
        ("9", None),
    ],
)
def test_a_long_reference_takes_no_long_time(unit: str, expected: str | None) -> None:
    began = time.process_time()
    text = "&" + ("#" if unit == "9" else "") + unit * (LONG // len(unit)) + (";" if unit == "9" else "")
    assert cleaned(text) == expected
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "unit",
    ["<!--<b>", "<script>", "<style><b>", "<script><style><!--<b>", "<a ", '<a "', "<a '<b>", "<!doctype ", "., "],
)
def test_markup_that_never_ends_takes_no_long_time(unit: str) -> None:
    began = time.process_time()
    cleaned(unit * (LONG // len(unit)))
    assert time.process_time() - began < 5
