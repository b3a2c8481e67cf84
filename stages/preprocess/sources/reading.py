"""How the user says that files are to be read; what is not said is recognised."""

from dataclasses import dataclass

from stages.artifacts.errors import UsageError
from stages.preprocess.options import PreprocessOptions

NONE = "none"
"""Says of quotes and escapes that there are none."""

_NAMED = {"tab": "\t", r"\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " ", r"\x01": "\x01"}


@dataclass(frozen=True)
class Reading:
    """What the user says of the files of the log, or of those of the item metadata.

    Attributes:
        separator: between the fields of a text table; ``None`` where it is recognised.
        quote: encloses fields; empty for nothing, ``None`` where it is recognised.
        escape: takes a quote its meaning; empty for nothing, ``None`` where it is recognised.
        columns: the names of the fields of a table without a header; empty where the header has them.
        header: whether a text table begins with the names of its columns; ``None`` where it is recognised.
        null_values: words that stand for nothing, in ids, times, ratings and texts.
        tolerant: pass over malformed records at the beginning of a file.
    """

    separator: str | None = None
    quote: str | None = None
    escape: str | None = None
    columns: tuple[str, ...] = ()
    header: bool | None = None
    null_values: tuple[str, ...] = ()
    tolerant: bool = False


AS_IT_IS = Reading()
"""Nothing is said."""


def reading_of_log(options: PreprocessOptions) -> Reading:
    """What the options say of the files of the log.

    Raises:
        UsageError: when one is no separator, quote or escape.
    """
    return Reading(
        _separator(options.separator, "--separator"),
        _mark(options.quote, "--quote"),
        _mark(options.escape, "--escape"),
        _names(options.columns, "--columns"),
        False if options.no_header else None,
        options.null_values,
        options.max_bad_rows > 0,
    )


def reading_of_items(options: PreprocessOptions) -> Reading:
    """What the options say of the files of the item metadata.

    Raises:
        UsageError: when one is no separator, quote or escape.
    """
    return Reading(
        _separator(options.items_separator, "--items-separator"),
        _mark(options.items_quote, "--items-quote"),
        _mark(options.items_escape, "--items-escape"),
        _names(options.items_columns, "--items-columns"),
        False if options.items_no_header else None,
        options.null_values,
        options.max_bad_rows > 0,
    )


def _names(names: tuple[str, ...], option: str) -> tuple[str, ...]:
    if len(set(names)) < len(names):
        raise UsageError(f"{option} names a column twice: {','.join(names)}", "Name each field once.")
    return names


def _separator(text: str | None, option: str) -> str | None:
    """The separator that a text on the command line means.

    Raises:
        UsageError: when it is none.
    """
    if text is None:
        return None
    found = _NAMED.get(text.lower(), text)
    if not found or "\n" in found or "\r" in found or '"' in found or not found.isascii():
        raise UsageError(f"{option} {text!r} is no separator", "Name the characters between two fields, or tab.")
    return found


def _mark(text: str | None, option: str) -> str | None:
    """The quote or escape character that a text on the command line means; empty for ``none``.

    Raises:
        UsageError: when it is not one character.
    """
    if text is None:
        return None
    if text.lower() == NONE or not text:
        return ""
    if len(text) != 1 or not text.isascii() or text.isalnum() or text.isspace():
        raise UsageError(f"{option} {text!r} is not one character", f'Name one such as " or \\, or {NONE}.')
    return text
