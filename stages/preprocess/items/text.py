"""Cleaning of item texts."""

import ast
import html
import json
import math
import re
from html.entities import html5
from typing import Any

import polars as pl

from stages.preprocess.sources.records import whole_text

# Elements of HTML, so that "x<y and z>w" or "<3" are not taken for tags.
_ELEMENTS = (
    "a|abbr|acronym|address|area|article|aside|audio|b|base|bdi|bdo|big|blockquote|body|br|button|canvas|caption|center|"
    "cite|code|col|colgroup|data|dd|del|details|dfn|dialog|dir|div|dl|dt|em|embed|fieldset|figcaption|figure|font|"
    "footer|form|frame|frameset|h[1-6]|head|header|hr|html|i|iframe|img|input|ins|kbd|label|legend|li|link|main|map|"
    "mark|marquee|menu|meta|meter|nav|nobr|noscript|object|ol|optgroup|option|output|p|param|picture|pre|progress|q|"
    "rp|rt|ruby|s|samp|script|section|select|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td|"
    "template|textarea|tfoot|th|thead|time|title|tr|track|tt|u|ul|var|video|wbr"
)
# One after the other: as one expression, an opening tag that is never closed would be looked for to the end each time.
_MARKUP = (
    r"(?is)<!--.*?-->",
    r"(?is)<script\b[^<>]*>.*?</script\s*>",
    r"(?is)<style\b[^<>]*>.*?</style\s*>",
    rf"""(?is)<!doctype[^<>]*>|</?(?:{_ELEMENTS})(?:\s(?:[^<>"']|"[^"]*"|'[^']*')*|\s[^<>]*)?/?>""",
)

# Removed where they stand: soft hyphen, joiners, direction marks, byte order mark. They occur within words.
_INVISIBLE = r"[\u{AD}\u{200C}-\u{200F}\u{202A}-\u{202E}\u{2060}-\u{206F}\u{FEFF}\u{FFF9}-\u{FFFB}]"

# Become a blank: white space of all scripts, the zero-width space (a word boundary), control characters.
_BLANK = r"[\s\p{Cc}\u{200B}\u{FFFD}--\x1e]+"

_REFERENCE = re.compile(r"&(#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*)(;?)")

_AMPERSANDS = re.compile(r"&(?:(?:amp|AMP|#0*38|#[xX]0*26);)+")
"""An ampersand that was encoded any number of times."""

_ENCODINGS = 8
"""How many times anything else may have been encoded; more is no accident, and would take time with every pass."""

_LONGEST_NUMBER = 8
"""Digits of a character's number; those of longer ones stand for no character, and Python refuses thousands of them."""

_QUOTED = re.compile(r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\"""")
_NUMPY_LIST = re.compile(rf"\[\s*(?:(?:{_QUOTED.pattern})\s*)+\]", re.DOTALL)
"""How pandas writes columns of arrays into CSV: ``['a' 'b']``."""

PART_MARK = "\x1e"
"""The record separator of ASCII; stands between the parts of a list until the text is clean."""

_PART_AFTER_STOP = r"([.,;:!?])\s*\x1e[\s\x1e]*"
_PART_ELSEWHERE = r"\s*\x1e[\s\x1e]*"


def clean(text: pl.Expr) -> pl.Expr:
    """Clean a string column: entities decoded, tags and control characters replaced by a blank, blanks collapsed.

    Words are never joined: whatever may separate them leaves a blank. Parts of lists, see :func:`to_text`, are
    separated by a comma and a blank, or by a blank where a part ends with punctuation. What is empty afterwards
    becomes null.
    """
    decoded = pl.when(text.str.contains("&", literal=True)).then(
        text.map_batches(_decode_series, return_dtype=pl.String, is_elementwise=True)
    )
    blank = decoded.otherwise(text).str.replace_all(_INVISIBLE, "")
    for markup in _MARKUP:
        blank = blank.str.replace_all(markup, " ")
    joined = (
        blank.str.replace_all(_BLANK, " ")
        .str.strip_chars(" " + PART_MARK)
        .str.replace_all(_PART_AFTER_STOP, "$1 ")
        .str.replace_all(_PART_ELSEWHERE, ", ")
    )
    return joined.replace("", None)


def decode_entities(text: str) -> str:
    """Decode HTML entities until none is left; shops often encode twice. The time is linear in the text's length.

    A name without its semicolon counts only where it is a whole word, so that ``this&that`` stays.
    """
    for _ in range(_ENCODINGS):
        if "&" not in text:
            break
        decoded = _REFERENCE.sub(_character, _AMPERSANDS.sub("&", text))
        if decoded == text:
            break
        text = decoded
    return text


def to_text(value: Any) -> str | None:
    """One text of a JSON value: parts of lists, ``key: value`` of objects; ``None`` where there is no text.

    Parts are separated by a mark that :func:`clean` turns into punctuation, once it is known how each part ends.
    """
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return whole_text(value).strip() or None
    if isinstance(value, list | tuple):
        return _enumerate([to_text(part) for part in value])
    if isinstance(value, dict):
        texts = {str(key): to_text(part) for key, part in value.items()}
        return _enumerate([f"{key}: {text}" for key, text in texts.items() if text])
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def nested_to_text(series: pl.Series) -> pl.Series:
    """A column of lists or structures as one text per row, see :func:`to_text`."""
    return pl.Series(series.name, [to_text(value) for value in series.to_list()], pl.String)


def nested_text(text: str | None) -> str | None:
    """The text of a string that may hold a list or object, of JSON, Python or numpy; any other string is itself."""
    if not text or text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        return to_text(json.loads(text))
    except (ValueError, RecursionError):
        pass
    stripped = text.strip()
    try:
        if _NUMPY_LIST.fullmatch(stripped):  # to Python neighbours were one text
            return to_text([ast.literal_eval(part) for part in _QUOTED.findall(stripped)])
        value = ast.literal_eval(stripped)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return text  # a title such as "[2 pack] tape"
    return to_text(sorted(value, key=str) if isinstance(value, set) else value)


def _enumerate(parts: list[str | None]) -> str | None:
    return PART_MARK.join(part for part in parts if part) or None


def _decode_series(series: pl.Series) -> pl.Series:
    # Texts repeat (brands, categories): each distinct one is decoded once.
    distinct = {text: decode_entities(text) for text in series.unique().drop_nulls().to_list() if "&" in text}
    return pl.Series(series.name, [distinct.get(text, text) for text in series.to_list()], pl.String)


def _character(match: re.Match[str]) -> str:
    name, end = match.groups()
    if name.startswith("#"):
        digits = name.lstrip("#xX").lstrip("0")
        return html.unescape(f"&{name};") if len(digits) <= _LONGEST_NUMBER else "\N{REPLACEMENT CHARACTER}"
    return html5.get(name + ";" if end else name, match.group())
