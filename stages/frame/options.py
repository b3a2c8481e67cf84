"""The options of a stage, each declared once: a field of a frozen dataclass, annotated with its help and bounds.

    @dataclass(frozen=True)
    class TrainOptions(Options):
        dim: Annotated[int, Option("Width of the model, in dimensions.", "Model", min=1, metavar="D")] = 64

From these fields come the command's signature and help, the TOML table, the environment variables, what ``tune`` may
search, what the lineage records, and the defaults. Imports nothing heavy, since ``--help`` reads it.
"""

import math
import numbers
import operator
import types
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from stages.artifacts.errors import UsageError

MAX_COUNT = 2**31 - 1
"""What a number may be where no tighter bound is declared: whole ones have to fit the libraries' 32 bits."""


@dataclass(frozen=True)
class Option:
    """What a field of :class:`Options` says of itself beside its type and default.

    Attributes:
        help: what it does, and its unit.
        panel: the group of the help in which it stands.
        min, max: bounds of a number, both allowed; the help shows them.
        limit: as ``max``, for what only a mistake would exceed; the help does not show it.
        above, below: bounds of a number, themselves not allowed.
        choices: the values that are allowed, where the type does not name them.
        metavar: stands for the value in the help.
        unset: what the help shows as the default where the default is ``None`` or empty.
        flags: how it is spelt on the command line, where that is not ``--field-name``; ``--yes/--no`` for a ``bool``.
        switch: a ``bool`` that has no ``--no-`` form.
        argument: given by place, not by name.
        separated: a list may be given as ``a,b``.
        files: a path that is completed as a file or folder; ``folder`` for folders alone.
        common: what a newcomer needs: shown by ``--help``, not by ``--help-all`` alone.
        recorded: stands in the lineage, so that another value makes the artifacts stale.
        searched: may vary in a search of ``tune``.
        former: names of earlier versions, still accepted with a warning.
    """

    help: str
    panel: str
    min: float | None = None
    max: float | None = None
    limit: float = MAX_COUNT
    above: float | None = None
    below: float | None = None
    choices: tuple[str, ...] = ()
    metavar: str | None = None
    unset: str | None = None
    flags: tuple[str, ...] = ()
    switch: bool = False
    argument: bool = False
    separated: bool = True
    files: Literal["any", "folder"] = "any"
    common: bool = False
    recorded: bool = True
    searched: bool = True
    former: tuple[str, ...] = ()


@dataclass(frozen=True)
class Declared:
    """A field of a class of options, as everybody who derives something from it sees it.

    Attributes:
        name: of the field.
        kind: ``bool``, ``int``, ``float``, ``str`` or ``Path``: of the value, or of each element.
        several: it holds a tuple of values.
        optional: it may be ``None``.
        choices: the values that are allowed; empty for any.
        default: its default; :data:`dataclasses.MISSING` where it has to be given.
        option: help and bounds.
    """

    name: str
    kind: type
    several: bool
    optional: bool
    choices: tuple[str, ...]
    default: Any
    option: Option

    @property
    def flag(self) -> str:
        """How errors and messages name it: ``--text-dim``, or ``DATASET`` where it is given by place."""
        if self.option.argument:
            return self.name.upper()
        return next(iter(self.option.flags), "--" + self.name.replace("_", "-")).partition("/")[0]

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is MISSING

    def checked(self, value: Any) -> Any:
        """The value in its type: whole numbers count as numbers, texts as paths, lists become tuples.

        Raises:
            UsageError: naming the option, for another type or a value outside the bounds.
        """
        if value is None and self.optional:
            return None
        if not self.several:
            return self._one(value)
        if isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
            raise UsageError(f"{self.flag} expects several values, got {shown(value)}")
        return tuple(self._one(element) for element in value)

    def _one(self, value: Any) -> Any:
        if self.kind in (int, float) and not isinstance(value, bool):
            value = self._number(value)
        if self.kind is Path and isinstance(value, str):
            value = Path(value)
        if not isinstance(value, self.kind) or (isinstance(value, bool) and self.kind is not bool):
            raise UsageError(f"{self.flag} expects {_KINDS[self.kind]}, got {shown(value)}")
        if self.choices and value not in self.choices:
            raise UsageError(f"{self.flag} {value!r} is unknown", f"Choose one of {', '.join(self.choices)}.")
        if isinstance(value, int | float) and not isinstance(value, bool):
            self._check_bounds(value)
        return value

    def _number(self, value: Any) -> Any:
        """Numbers of other libraries, and whole ones where any number will do, in the option's own type."""
        if self.kind is int:
            return int(value) if isinstance(value, numbers.Integral) else value
        try:
            return float(value) if isinstance(value, numbers.Real) else value
        except OverflowError:
            return math.inf

    def _check_bounds(self, value: float) -> None:
        option = self.option
        if isinstance(value, float) and not math.isfinite(value):
            raise UsageError(f"{self.flag} {value} is not a finite number")
        most = option.limit if option.max is None and value > option.limit else option.max
        bounds = (
            ("at least", option.min, operator.ge),
            ("above", option.above, operator.gt),
            ("at most", most, operator.le),
            ("below", option.below, operator.lt),
        )
        declared = [(words, bound, holds) for words, bound, holds in bounds if bound is not None]
        if not all(holds(value, bound) for _, bound, holds in declared):
            wanted = " and ".join(f"{words} {_plain(bound)}" for words, bound, _ in declared)
            raise UsageError(f"{self.flag} must be {wanted}, is {_plain(value)}")


@dataclass(frozen=True)
class Options:
    """Base of the options of a stage. Every value is held against its declaration as soon as it is given."""

    def __post_init__(self) -> None:
        """Check each value, then what :meth:`check` says of them together.

        Raises:
            UsageError: naming the option.
        """
        for declared in declarations(type(self)):
            object.__setattr__(self, declared.name, declared.checked(getattr(self, declared.name)))
        self.check()

    def check(self) -> None:
        """Refuse values that do not fit each other.

        Raises:
            UsageError: naming the option.
        """

    def recorded(self) -> dict[str, Any]:
        """What the lineage records: all options that decide what is made, as JSON values."""
        return {
            declared.name: _as_json(getattr(self, declared.name))
            for declared in declarations(type(self))
            if declared.option.recorded
        }


def declarations(options: type[Options]) -> tuple[Declared, ...]:
    """The options of a class, in the order of its fields."""
    if options not in _found:
        hints = get_type_hints(options, include_extras=True)
        _found[options] = tuple(_declared(field, hints[field.name]) for field in fields(options))
    return _found[options]


def defaults(options: type[Options]) -> dict[str, Any]:
    """The default of every option that has one."""
    return {declared.name: declared.default for declared in declarations(options) if not declared.required}


def with_current_names(options: type[Options], values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by option, those under a name of an earlier version under the present one."""
    current = {former: declared.name for declared in declarations(options) for former in declared.option.former}
    return {current.get(name, name): value for name, value in values.items()}


def shown(value: Any) -> str:
    """A value as an error tells it."""
    kinds: dict[type, str] = {str: "the text ", list: "the list ", tuple: "the list ", dict: "the table "}
    plain = str(value).lower() if isinstance(value, bool) else repr(list(value) if isinstance(value, tuple) else value)
    return kinds.get(type(value), "") + plain


_found: dict[type[Options], tuple[Declared, ...]] = {}

_KINDS: dict[type, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a path",
}


def _declared(field: Field[Any], hint: Any) -> Declared:
    if get_origin(hint) is not Annotated:
        raise TypeError(f"option {field.name} is not declared: Annotated[type, Option(...)]")
    kind, option = get_args(hint)[:2]
    optional = several = False
    if get_origin(kind) in (Union, types.UnionType):
        parts = [part for part in get_args(kind) if part is not type(None)]
        optional, kind = len(parts) < len(get_args(kind)), parts[0]
    if get_origin(kind) is tuple:
        several, kind = True, get_args(kind)[0]
    choices = option.choices
    if get_origin(kind) is Literal:
        choices, kind = get_args(kind), str
    if kind not in _KINDS:
        raise TypeError(f"option {field.name} has a type that no command knows: {kind}")
    default = field.default_factory() if field.default_factory is not MISSING else field.default
    return Declared(field.name, kind, several, optional, choices, default, option)


def _plain(number: float) -> str:
    """A number without the exponent or the ``.0`` that nobody has typed."""
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else str(number)


def _as_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_as_json(element) for element in value]
    return str(value) if isinstance(value, Path) else value
