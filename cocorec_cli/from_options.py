"""Makes commands from the options of a stage: one parameter for each field, then those that all commands have."""

import inspect
import os
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional

import typer
from typer.core import TyperCommand

from cocorec_cli.console import warn
from cocorec_cli.help_page import ALL, EVERYTHING, print_help
from cocorec_cli.options import (
    DEFAULT_WORKDIR,
    Config,
    Force,
    Json,
    Quiet,
    Workdir,
    flatten,
    option,
    split_commas,
    whole_numbers,
)
from stages.frame.options import Declared, Options, declarations

Command = Callable[..., None]

COMMON_PARAMETERS = {
    "workdir": (Workdir, DEFAULT_WORKDIR),
    "config": (Config, None),
    "force": (Force, False),
    "json": (Json, False),
    "quiet": (Quiet, False),
}


def with_options(
    options: type[Options],
    *,
    common: tuple[str, ...] = tuple(COMMON_PARAMETERS),
    before: tuple[str, ...] = (),
    after: tuple[str, ...] = (),
) -> Callable[[Command], Command]:
    """Give a command the options of a stage.

    Args:
        options: whose fields become parameters, in their order.
        common: which of the parameters that commands share it takes.
        before: parameters that it declares itself and that stand before the fields in the help.
        after: those that stand last, and are read after ``--config`` where both are read before the others.

    Returns:
        A decorator. The function takes the context and what it declares itself, which stands in the help after the
        fields; the others it finds in ``ctx.params``, or with :func:`given_values`.
    """

    def decorate(function: Command) -> Command:
        own = list(inspect.signature(function, eval_str=True).parameters.values())
        fields = [_parameter(declared, function.__name__) for declared in declarations(options)]
        shared = [_keyword(name, *COMMON_PARAMETERS[name]) for name in common]
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own[1:]]
        names = [parameter.name for parameter in parameters]

        def command(ctx: typer.Context, **values: Any) -> None:
            function(ctx, **{name: values[name] for name in names})

        first = [parameter for parameter in parameters if parameter.name in before]
        last = [parameter for parameter in parameters if parameter.name in after]
        between = [parameter for parameter in parameters if parameter.name not in before + after]
        everything = [own[0], *first, *fields, *between, *shared, *last]
        described: Any = command  # what Typer reads of a function, and the options beside it
        described.__signature__ = inspect.Signature(everything)
        described.__annotations__ = {parameter.name: parameter.annotation for parameter in everything}
        described.__doc__, described.__name__ = function.__doc__, function.__name__
        described.__module__, described.options = function.__module__, options
        return command

    return decorate


class OptionsCommand(TyperCommand):
    """A command whose options may be spelt as in the version before.

    Attributes:
        options: the class that the options come from, if they come from one.
    """

    options: type[Options] | None = None

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line, telling the present name of each option that has got a new one.

        The variables in the environment are read further on; their names are told here as well.
        """
        end = args.index("--") if "--" in args else len(args)
        if ALL in args[:end]:
            ctx.meta[EVERYTHING] = True
            args[args.index(ALL)] = "--help"
        for old, new in former_names(self.options).items():
            variable, present = (f"{ctx.auto_envvar_prefix}_{name.upper()}" for name in (old, new))
            if variable in os.environ:
                warn(f"{variable} in the environment is now {present}")
        flags = {spelt(old): spelt(new) for old, new in former_names(self.options).items()}
        for place, arg in enumerate(args[:end]):
            flag, equals, value = arg.partition("=")
            if flag in flags:
                warn(f"{flag} is now {flags[flag]}")
                args[place] = flags[flag] + equals + value
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help: the common options, or every one where ``--help-all`` asks for them."""
        print_help(self, ctx, everything=ctx.meta.get(EVERYTHING, False))


def options_of(ctx: typer.Context) -> type[Options]:
    """The class of the options of the context's command."""
    command = ctx.command
    assert isinstance(command, OptionsCommand) and command.options, f"{command.name} has no options of a stage"
    return command.options


def spelt(name: str) -> str:
    """An option as it is typed: ``text_dim`` is ``--text-dim``."""
    return "--" + name.replace("_", "-")


def given_values(options: type[Options], params: dict[str, Any]) -> dict[str, Any]:
    """The values of a stage's options among those of a command; what is not set is left to its default."""
    found = {declared.name: params.get(declared.name) for declared in declarations(options)}
    return {name: value for name, value in found.items() if value is not None and value != () and value != []}


def former_names(options: type[Options] | None) -> dict[str, str]:
    """Names of options in earlier versions, and what they are called now."""
    found = declarations(options) if options else ()
    return {former: declared.name for declared in found for former in declared.option.former}


def _keyword(name: str, annotation: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _parameter(declared: Declared, command: str) -> inspect.Parameter:
    found = declared.option
    default = inspect.Parameter.empty if declared.required else declared.default
    if declared.several and not declared.required:
        default = list(declared.default) or None if declared.default is not None else None
    kind: Any = Literal[declared.choices] if declared.choices else declared.kind
    if declared.several:
        kind = list[kind]
    if declared.optional or default is None:
        kind = Optional[kind]  # noqa: UP045  (`|` does not take a Literal made here)
    if found.argument:
        place = typer.Argument(
            help=found.help,
            metavar=found.metavar,
            show_envvar=False,
            envvar=_variables(declared, command),
            show_default=True if found.unset is None else found.unset,
            readable=False,
        )
        return _keyword(declared.name, Annotated[kind, place], default)
    settings: dict[str, Any] = {"metavar": found.metavar, "min": found.min, "max": found.max}
    if found.unset is not None:
        settings["show_default"] = found.unset
    if declared.several and declared.kind is int:
        settings = {"metavar": found.metavar, "parser": whole_numbers, "callback": flatten}
    elif declared.several and declared.kind is str and found.separated:
        settings["callback"] = split_commas
    if found.files == "folder":
        settings["file_okay"] = False
    if found.former:
        settings["envvar"] = _variables(declared, command)
    flags = found.flags or ((declared.flag,) if found.switch else ())
    return _keyword(declared.name, Annotated[kind, option(found.help, found.panel, *flags, **settings)], default)


def _variables(declared: Declared, command: str) -> list[str]:
    """The environment variables that set an option, those of its former names last."""
    return [f"COCOREC_{command.upper()}_{name.upper()}" for name in (declared.name, *declared.option.former)]
