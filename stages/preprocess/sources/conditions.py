"""Conditions on the rows of a table: SQL expressions, as polars reads them."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from stages.artifacts.errors import UsageError
from stages.preprocess.sources.sample import Sample

_BOOLEANS = {"true": True, "false": False}
_HOLDS = "\1holds"
"""A name that no column of a table has."""


@dataclass(frozen=True)
class Condition:
    """What rows have to fulfil.

    Attributes:
        text: as it was given.
        columns: the columns that it names.
        expression: on these columns.
    """

    text: str
    columns: tuple[str, ...]
    expression: pl.Expr

    def require_columns(self, sample: Sample, hint: str) -> None:
        """Refuse a file that lacks a column of the condition.

        Raises:
            UsageError: naming the columns that are missing and those that there are.
        """
        missing = [name for name in self.columns if name not in sample.columns]
        if missing:
            raise UsageError(
                f"--where: {sample.path} has no column {', '.join(map(repr, missing))}; "
                f"there are {', '.join(map(repr, sample.columns))}",
                hint,
            )

    def inputs(self, scanned: Mapping[str, pl.DataType], types: Mapping[str, pl.DataType]) -> list[pl.Expr]:
        """The columns of the condition in the types that all of their values have, numbers of a text file as numbers.

        Args:
            scanned: the types as the file is scanned.
            types: those of all columns of the file, as :func:`stages.preprocess.sources.scan.schema` tells them.
        """
        return [_typed(name, scanned[name], types[name]) for name in self.columns]

    def holds(self, rows: pl.DataFrame, types: Mapping[str, pl.DataType]) -> pl.Series:
        """Whether the condition holds, by row; not where it is null, as in SQL.

        Args:
            rows: with the columns that :meth:`inputs` gave.
            types: as there, for messages.

        Raises:
            UsageError: when the condition does not fit the columns' types.
        """
        told = ", ".join(f"{name} is {types[name]}" for name in self.columns)
        try:
            holds = rows.select(self.expression.alias(_HOLDS))[_HOLDS]
        except pl.exceptions.PolarsError as error:
            raise UsageError(
                f"--where {self.text!r} does not fit the columns: {_first_line(error)}",
                f"Here {told}; CAST(price AS DOUBLE) makes numbers of texts.",
            ) from error
        if holds.dtype != pl.Boolean:
            raise UsageError(
                f"--where {self.text!r} gives {holds.dtype}, not true or false", f"Compare something; here {told}."
            )
        return holds.fill_null(False)


def read_condition(where: str, example: str) -> Condition:
    """Read an SQL expression.

    Args:
        where: the expression.
        example: one that fits, for messages.

    Raises:
        UsageError: when it is none, or names no column.
    """
    try:
        expression = pl.sql_expr(where)
    except pl.exceptions.PolarsError as error:
        raise UsageError(
            f"--where {where!r} is no SQL expression: {_first_line(error)}",
            f'For example --where "{example}"; text stands in single quotes, a name such as "user" in double ones.',
        ) from error
    columns = tuple(dict.fromkeys(expression.meta.root_names()))
    if not columns:
        raise UsageError(f"--where {where!r} names no column", f'For example --where "{example}".')
    return Condition(where, columns, expression)


def _typed(name: str, scanned: pl.DataType, wanted: pl.DataType) -> pl.Expr:
    """A column of a text file in the type that all of its values have."""
    value = pl.col(name)
    if scanned != pl.String or wanted == pl.String or wanted.is_nested():
        return value
    if wanted == pl.Boolean:
        return value.str.to_lowercase().replace_strict(_BOOLEANS, default=None, return_dtype=pl.Boolean).alias(name)
    return value.cast(wanted)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
