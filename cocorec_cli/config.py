"""The configuration file: TOML tables that become defaults of the commands through Click's ``default_map``.

    workdir = "artifacts"        # for all commands

    [embed]                      # a table per stage, keys as the options of its command
    views = ["title", "brand"]

    [tune]                       # the search, likewise, and
    trials = 50

    [tune.space.train]           # what it varies
    dropout = {low = 0.1, high = 0.5}
    dim = [64, 128]

Relative paths are taken from the folder of the file, so that it works from anywhere. The file says what a stage
does; ``--force``, ``--json``, ``--quiet`` and ``--config`` say how this one run behaves and stay out of it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from cocorec_cli.console import warn
from stages.artifacts.errors import UsageError
from stages.artifacts.pipeline import MAKERS
from stages.frame.options import shown

CONFIG_KEY = "cocorec.config"
"""Where a context's ``meta`` keeps the defaults of all commands."""

DEFAULT_CONFIG = Path("cocorec.toml")
"""What ``cocorec run`` reads when no file is named."""

PRESETS = Path(__file__).with_name("presets")
"""Folder of the named sets of options."""

SEARCH, SPACE = "tune", "space"
"""A command that has a table as well, though it is no stage, and the tables below it."""

PAGE = "report"
"""Another such command, the last one of ``run``."""

SERVER = "serve"
"""The server, whose command has a table, too."""

Defaults = dict[str, dict[str, Any]]


def load_config(ctx: typer.Context, path: Path | None) -> Path | None:
    """Make the tables of ``--config`` the defaults of this command; the callback of that option.

    Raises:
        UsageError: when the file cannot be read or holds anything that no command knows.
    """
    if ctx.resilient_parsing:
        return path
    if path is None and ctx.info_name == "run" and DEFAULT_CONFIG.is_file():
        path = DEFAULT_CONFIG
    if path is not None:
        group = ctx.find_root().command
        assert isinstance(group, TyperGroup)
        defaults, workdir = read_config(path, group)
        ctx.meta[CONFIG_KEY] = defaults
        own = {**defaults.get(ctx.info_name or "", {}), **({"workdir": workdir} if workdir else {})}
        ctx.default_map = {**(ctx.default_map or {}), **own}  # over what a preset has put there
    return path


def load_preset(ctx: typer.Context, name: str | None) -> str | None:
    """Make the options of ``--preset`` the defaults of this command, below ``--config``; that option's callback."""
    group = ctx.find_root().command  # not the group while a value of a file is only checked
    known = name is not None and (PRESETS / f"{name}.toml").is_file()  # lenient contexts take unknown names, too
    if known and isinstance(group, TyperGroup):
        defaults, _ = read_config(PRESETS / f"{name}.toml", group)
        ctx.default_map = {**defaults[ctx.info_name or ""], **(ctx.default_map or {})}
    return name


def presets_help() -> str:
    """Each preset and the first line of its file, which says what it is for."""
    firsts = {path.stem: path.read_text(encoding="utf-8").partition("\n")[0] for path in sorted(PRESETS.glob("*.toml"))}
    return " ".join(f"{name}: {line.removeprefix('#').strip()}" for name, line in firsts.items())


def read_config(path: Path, group: TyperGroup) -> tuple[Defaults, str | None]:
    """Read and check a configuration file.

    Args:
        path: the TOML file.
        group: the ``cocorec`` command, whose subcommands say which options there are.

    Returns:
        For each command the defaults of its parameters, by parameter name, and for the search its ``space``; and the
        work directory, if the file names one.

    Raises:
        UsageError: listing every problem of the file.
        AccessError: when this user may not read it.
    """
    import tomllib

    if path.exists() and not path.is_file():
        kind = "a folder" if path.is_dir() else "a pipe or a device"
        raise UsageError(f"--config: {path} is {kind}, not a file", "Write its content to a file first.")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"--config: {path} does not exist") from None
    except PermissionError as error:
        from stages.artifacts.atomic import not_permitted

        raise not_permitted(path) from error
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--config: cannot read {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: lists or tables within each other, too deep to be read") from error
    problems: list[str] = []
    defaults: Defaults = {}
    folder = path.absolute().parent
    stages = [name for name in (*MAKERS, PAGE, SEARCH, SERVER) if name in group.commands]
    workdir = content.pop("workdir", None)
    if workdir is not None and not isinstance(workdir, str):
        problems.append(f"workdir: expected text, got {shown(workdir)}")
        workdir = None
    for name, table in content.items():
        if name not in stages:
            problems.append(f"[{name}]: unknown; {nearest(name, ['workdir', *stages])}")
        elif not isinstance(table, dict):
            problems.append(f"{name}: expected a table [{name}], got {shown(table)}")
        else:
            command = group.commands[name]
            assert isinstance(command, TyperCommand)
            space = table.pop(SPACE, None) if name == SEARCH else None
            defaults[name] = check_table(command, table, folder, problems)
            if space is not None:
                from cocorec_cli.search import check_space

                defaults[name][SPACE] = check_space(space, group, problems)
    if problems:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise UsageError(f"{path}: {count}\n" + "\n".join(f"  {problem}" for problem in problems))
    return defaults, str(folder / Path(workdir).expanduser()) if workdir else None


def check_table(
    command: TyperCommand, table: Mapping[str, Any], folder: Path, problems: list[str], *, title: str | None = None
) -> dict[str, Any]:
    """Hold a table against the options of a command.

    Args:
        command: whose options they are.
        table: values by option.
        folder: where relative paths start.
        problems: what is wrong is appended.
        title: what to call the table there.

    Returns:
        Values by parameter name.
    """
    from cocorec_cli.options import COMMON

    title = title or f"[{command.name}]"
    types = get_type_hints(command.callback)
    context = typer.Context(command, info_name=command.name)
    parameters = {param.name: param for param in command.params if isinstance(param, TyperOption | TyperArgument)}
    known = [name for name in parameters if name not in COMMON]
    checked: dict[str, Any] = {}
    for key, value in table.items():
        name = current_name(command, key, title)
        if name == "workdir":
            problems.append(f"{title} {key}: stands above the tables, for all commands")
        elif name in COMMON:
            problems.append(f"{title} {key}: belongs on the command line")
        elif name in checked:
            problems.append(f"{title} {key}: given twice")
        elif name not in known:
            problems.append(f"{title} {key}: unknown option; {nearest(name, known)}")
        else:
            try:
                checked[name] = _convert(value, types[name], folder)
                parameters[name].process_value(context, checked[name])
            except (ValueError, typer.BadParameter) as error:
                said = error.message if isinstance(error, typer.BadParameter) else str(error)
                problems.append(f"{title} {key}: {said}")
    return checked


def current_name(command: TyperCommand, key: str, title: str) -> str:
    """The parameter that a key of a table means; where it is a name of an earlier version, the user is told."""
    from cocorec_cli.from_options import former_names

    name = key.replace("-", "_")
    former = former_names(getattr(command, "options", None))
    if name in former:
        warn(f"{title} {key} is now {former[name]}")
        return former[name]
    return name


def _convert(value: Any, kind: Any, folder: Path) -> Any:
    """The value as the parameter takes it; TOML has types, so nothing is guessed from text."""
    optional = [part for part in get_args(kind) if part is not type(None)]
    if type(None) in get_args(kind):
        kind = optional[0]
    if get_origin(kind) is list:
        (element,) = get_args(kind)
        return [_convert(part, element, folder) for part in (value if isinstance(value, list) else [value])]
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{shown(value)} is not one of {', '.join(map(str, get_args(kind)))}")
        return value
    accepted, name = _TOML_TYPES[kind]
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"expected {name}, got {shown(value)}")
    if kind is Path and "://" not in str(value):  # the address of a remote file is no path
        return str(folder / Path(str(value)).expanduser())
    return value


_TOML_TYPES: dict[Any, tuple[type | tuple[type, ...], str]] = {
    bool: (bool, "true or false"),
    int: (int, "a whole number"),
    float: ((int, float), "a number"),
    str: (str, "text"),
    Path: (str, "a path"),
}


def nearest(name: str, known: Iterable[str]) -> str:
    """What may have been meant: the known name most like this one, or all of them."""
    import difflib

    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
