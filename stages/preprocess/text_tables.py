"""How a text table is written, as the options of the log and of the item metadata say it."""

from stages.frame.options import Option

TEXT_TABLES = "Text tables"


def separator(of: str) -> Option:
    """What stands between the fields of the files ``of`` the log or the metadata."""
    return Option(
        f"Between the fields of {of}: any characters, or tab.", TEXT_TABLES, metavar="TEXT", unset="recognised"
    )


def quote(of: str) -> Option:
    """What encloses fields."""
    return Option(f"Encloses fields of {of}; none for nothing.", TEXT_TABLES, metavar="CHAR", unset="recognised")


def escape(of: str) -> Option:
    """What takes other characters their meaning."""
    return Option(
        f"Takes a quote, separator or line end in a field of {of} its meaning; none for nothing.",
        TEXT_TABLES,
        metavar="CHAR",
        unset="recognised",
    )


def columns(of: str) -> Option:
    """The names of the fields."""
    return Option(
        f"Names of all fields of {of}, in their order, where the file has no header.",
        TEXT_TABLES,
        metavar="NAMES",
        unset="those of the header",
    )


def no_header(of: str, names: str) -> Option:
    """That there is no header; ``names`` is the option that gives names."""
    return Option(
        f"The first line of {of} is a row; the fields are called 1, 2, ... unless {names} names them.",
        TEXT_TABLES,
        switch=True,
    )
