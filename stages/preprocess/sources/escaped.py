r"""Text tables in which a backslash, or another character, takes quotes and line ends their meaning.

Spark, MySQL, PostgreSQL and Redshift write them, each with rules of its own. Here an escape counts before a quote, an
escape, a separator and a line end, and stands for itself before anything else, so that ``C:\\new`` and ``\\N`` stay.
"""

from collections.abc import Iterable, Iterator

from stages.artifacts.errors import DataError

Row = tuple[int, list[str]]
"""The number of a record's last line, from 1, and its fields."""


class NotInDialectError(ValueError):
    """A line that the rules of the dialect do not allow.

    Attributes:
        line: its number, from 1.
        problem: what is wrong.
    """

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line} {problem}")
        self.line, self.problem = line, problem


def split_rows(lines: Iterable[str], separator: str) -> Iterator[Row]:
    """Rows without quotes and escapes: every line is one."""
    for number, line in enumerate(lines, 1):
        yield number, line.rstrip("\r\n").split(separator)


def escaped_rows(
    lines: Iterable[str], separator: str, quote: str | None, escape: str, outside: bool = True
) -> Iterator[Row]:
    """Rows with escapes.

    Args:
        lines: with their ends.
        separator: between the fields.
        quote: encloses fields, ``None`` for nothing; doubled inside of them it stands for itself.
        escape: one character.
        outside: escapes count outside of quotes, too; with Spark they do not.

    Raises:
        NotInDialectError: where text follows a closing quote, or the last field is not closed.
    """
    fields: list[str] = []
    field, quoted, opened, number = "", False, 0, 0
    for number, line in enumerate(lines, 1):
        if not fields and not field and not quoted and escape not in line and (not quote or quote not in line):
            yield number, line.rstrip("\r\n").split(separator)
            continue
        at, end = 0, len(line)
        body = len(line.rstrip("\r\n"))
        while True:
            if quoted:
                at, part, closed = _inside(line, at, end, str(quote), escape)
                field += part
                if not closed:
                    break  # the field goes on in the next line
                quoted = False
                if at < body and not line.startswith(separator, at):
                    raise NotInDialectError(number, f"has text after a closing {quote}: {line[at:body][:20]!r}")
            elif quote and not field and line.startswith(quote, at):
                quoted, opened, at = True, number, at + 1
                continue
            else:
                if outside:
                    at, part, goes_on = _outside(line, at, body, separator, quote, escape)
                else:
                    end_of_field = line.find(separator, at, body)
                    end_of_field = body if end_of_field < 0 else end_of_field
                    at, part, goes_on = end_of_field, line[at:end_of_field], False
                field += part
                if goes_on:
                    field += line[body:]
                    break
            fields.append(field)
            field = ""
            if at >= body:
                yield number, fields
                fields = []
                break
            at += len(separator)
    if quoted:
        raise NotInDialectError(opened, f"opens a {quote} that is never closed")
    if fields or field:
        yield number, [*fields, field]


def _inside(line: str, at: int, end: int, quote: str, escape: str) -> tuple[int, str, bool]:
    """The rest of a quoted field in a line: where it ends, what it says, and whether it ends."""
    parts, start = [], at
    while at < end:
        sign = line[at]
        if sign == escape and at + 1 < end and line[at + 1] in (quote, escape):
            parts.append(line[start:at])
            start, at = at + 1, at + 2
        elif sign == quote:
            if line.startswith(quote, at + 1):
                parts.append(line[start : at + 1])
                at += 2
                start = at
                continue
            parts.append(line[start:at])
            return at + 1, "".join(parts), True
        elif sign == escape and line[at + 1 :] in ("\n", "\r\n"):
            parts.append(line[start:at])
            start, at = at + 1, end
        else:
            at += 1
    parts.append(line[start:end])
    return end, "".join(parts), False


def _outside(line: str, at: int, body: int, separator: str, quote: str | None, escape: str) -> tuple[int, str, bool]:
    """A field without quotes: where it ends, what it says, and whether its line end was escaped."""
    parts, start = [], at
    special = (separator, escape, quote or '"')
    while at < body:
        if line.startswith(separator, at):
            break
        if line[at] == escape:
            if at + 1 == body:
                parts.append(line[start:at])
                return body, "".join(parts), True
            follower = next((sign for sign in special if line.startswith(sign, at + 1)), None)
            if follower:
                parts.append(line[start:at])
                start, at = at + 1, at + 1 + len(follower)
                continue
        at += 1
    parts.append(line[start:at])
    return at, "".join(parts), False


def refused(path: object, error: NotInDialectError) -> DataError:
    """The error for a file that is not in the dialect it was said to be in."""
    return DataError(f"{path}: {error}", "See --separator, --quote and --escape.")
