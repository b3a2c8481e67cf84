"""The text views that the user wants: columns under names of their own, and texts put together from several."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from stages.artifacts.errors import UsageError
from stages.artifacts.names import RESERVED_VIEW_NAMES

_TOKEN = re.compile(r"\{\{|\}\}|\[\[|\]\]|\{(?P<field>[^{}\[\]]+)\}|(?P<bracket>[\[\]])|(?P<stray>[{}])")
_PLAIN = {"{{": "{", "}}": "}", "[[": "[", "]]": "]"}


@dataclass(frozen=True)
class Part:
    """A section of a template.

    Attributes:
        fragments: texts and fields in order; a field is marked by ``True``.
        optional: left out where one of its fields is missing; otherwise the whole text is.
    """

    fragments: tuple[tuple[str, bool], ...]
    optional: bool


@dataclass(frozen=True)
class Template:
    """A text made of fields, such as ``title: {title}[ by {brand}]``.

    A part in square brackets is left out where one of its fields is missing. Where a field outside of brackets is
    missing, or nothing is left, there is no text. Doubled brackets and braces stand for themselves.
    """

    name: str
    parts: tuple[Part, ...]

    @property
    def fields(self) -> list[str]:
        """The fields named, each once."""
        return list(dict.fromkeys(text for part in self.parts for text, is_field in part.fragments if is_field))

    def expression(self) -> pl.Expr:
        """The text, from columns named as the fields."""
        parts = []
        for part in self.parts:
            fragments = [pl.col(text) if is_field else pl.lit(text) for text, is_field in part.fragments]
            text = pl.concat_str(fragments)  # null where one of them is
            parts.append(text.fill_null("") if part.optional else text)
        whole = pl.concat_str(parts).str.strip_chars()
        # Without any field the text says nothing of the item.
        return pl.when(pl.any_horizontal(pl.col(field).is_not_null() for field in self.fields)).then(whole)


def read_template(text: str) -> Template:
    """Read ``NAME=TEMPLATE``.

    Raises:
        UsageError: when there is no name or no field, or brackets and braces do not pair.
    """
    name, equals, template = text.partition("=")
    name = name.strip()
    if not equals or not name or "{" in name:
        raise UsageError(
            f"--view-template {text!r} does not begin with a name",
            "Write NAME=TEMPLATE, for example 'text=title: {title}[ by {brand}]'.",
        )
    parts: list[Part] = []
    fragments: list[tuple[str, bool]] = []
    inside, end = False, 0
    for match in _TOKEN.finditer(template):
        fragments.append((template[end : match.start()], False))
        end, token = match.end(), match.group()
        if match["field"]:
            fragments.append((match["field"].strip(), True))
        elif token in _PLAIN:
            fragments.append((_PLAIN[token], False))
        elif match["bracket"] and (token == "[") != inside:
            parts.append(Part(tuple(fragment for fragment in fragments if fragment[0]), inside))
            fragments, inside = [], not inside
        else:
            raise _refused(text, f"has a {token!r} that pairs with nothing")
    if inside:
        raise _refused(text, "has a '[' that pairs with nothing")
    parts.append(Part(tuple(fragment for fragment in [*fragments, (template[end:], False)] if fragment[0]), False))
    made = Template(name, tuple(part for part in parts if part.fragments))
    if not made.fields:
        raise _refused(text, "names no field")
    return made


def _refused(text: str, what: str) -> UsageError:
    return UsageError(
        f"--view-template {text!r} {what}",
        "Fields stand in braces, parts that may be left out in square brackets; doubled they stand for themselves.",
    )


@dataclass(frozen=True)
class ViewSelection:
    """Which views there will be and from what.

    Attributes:
        picked: (name, column) of each view in order, a template's name standing for itself; ``None`` takes the
            columns of the format and then the templates.
        templates: by name.
    """

    picked: tuple[tuple[str, str], ...] | None
    templates: dict[str, Template]

    @property
    def wanted(self) -> list[str] | None:
        """The columns asked for by name."""
        if self.picked is None:
            return None
        return list(dict.fromkeys(column for name, column in self.picked if name not in self.templates))

    @property
    def fields(self) -> list[str]:
        """The columns that templates need."""
        return list(dict.fromkeys(field for template in self.templates.values() for field in template.fields))

    def named(self, defaults: Sequence[str]) -> "ViewSelection":
        """The selection with every view named.

        Args:
            defaults: the columns that the format gives when none is picked; a template of such a name replaces it.

        Raises:
            UsageError: when a view has a name that the contract uses.
        """
        picked = self.picked
        if picked is None:
            columns = [*(column for column in defaults if column not in self.templates), *self.templates]
            picked = tuple((column, column) for column in columns)
        if reserved := sorted(RESERVED_VIEW_NAMES & dict(picked).keys()):
            raise UsageError(
                f"a view cannot be called {', '.join(map(repr, reserved))}: items.parquet has a column of that name",
                "Choose other columns with --views, or give it another name there with NAME=COLUMN.",
            )
        return replace(self, picked=picked)

    def select(self) -> list[pl.Expr]:
        """The views of a named selection, from columns of cleaned texts."""
        return [
            (self.templates[name].expression() if name in self.templates else pl.col(column)).alias(name)
            for name, column in self.picked or ()
        ]


def select_views(views: Sequence[str] | None, templates: Sequence[str]) -> ViewSelection:
    """Read what the options say.

    Args:
        views: columns, each as ``COLUMN`` or ``NAME=COLUMN``, and names of templates; ``None`` for all.
        templates: each as ``NAME=TEMPLATE``; those not named among the views come after them.

    Raises:
        UsageError: when a template cannot be read, or two views have one name.
    """
    read = [read_template(text) for text in templates]
    by_name = {template.name: template for template in read}
    if len(by_name) < len(read):
        raise UsageError("--view-template gives two templates one name", "Give each a name of its own.")
    if views is None:
        return ViewSelection(None, by_name)
    picked = []
    for view in views:
        name, equals, column = (part.strip() for part in view.partition("="))
        if equals and not (name and column):
            raise UsageError(f"--views {view!r} is not NAME=COLUMN", "Name both, or the column alone.")
        picked.append((name, column or name))
    picked += [(name, name) for name in by_name if name not in dict(picked)]
    names = [name for name, _ in picked]
    if len(set(names)) < len(names):
        raise UsageError(f"--views names a view twice: {','.join(views)}", "Name each view once.")
    return ViewSelection(tuple(picked), by_name)
