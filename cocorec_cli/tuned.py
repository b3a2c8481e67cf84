"""Writes the configuration file that a search has found."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

from typer.core import TyperGroup

from stages.artifacts.errors import DataError, UsageError
from stages.frame.extras import how_to_install

_MARK = "# Found by `cocorec tune`: "


def check_output(output: Path, *, force: bool) -> bool:
    """Refuse to write over a file, before any work is done.

    Returns:
        Whether a search has written the file that is there, and it may not be written over: then it has to be what
        this search gives, see :func:`write_tuned`.

    Raises:
        UsageError: when the file is there and of somebody else, or cannot be made.
        DataError: when this user may not write into its folder.
    """
    try:
        import tomlkit  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"the search needs the package tomlkit, which cannot be imported: {error}",
            f"Install the extra that brings it: {how_to_install('tune')}.",
        ) from error
    stands = output.exists() and not force
    if stands and not (output.is_file() and _is_ours(output)):
        raise there_already(output)
    if output.is_dir() or not output.absolute().parent.is_dir():
        raise UsageError(f"--output {output}: {output.absolute().parent} is not a folder to write a file in")
    if not os.access(output.absolute().parent, os.W_OK | os.X_OK):
        raise DataError(
            f"cannot write {output}: permission denied", "Choose a folder that can be written with --output."
        )
    return stands


def there_already(output: Path, *, found_before: bool = False) -> UsageError:
    """The error of a file that may not be written over.

    Args:
        output: the file.
        found_before: a search has written it, which would go on.
    """
    hint = "Name another file with --output, or write over it with --force."
    if found_before:
        hint += " The search goes on with the trials that it has; changes that you have made to the file would be lost."
    return UsageError(f"--output {output} is there already", hint)


def _is_ours(output: Path) -> bool:
    with output.open("rb") as file:
        return file.read(len(_MARK.encode())) == _MARK.encode()


def write_tuned(
    output: Path,
    config: Path | None,
    group: TyperGroup,
    workdir: Path,
    options: Mapping[str, Mapping[str, Any]],
    headline: str,
    *,
    stands: bool = False,
) -> None:
    """Write the configuration file ``config`` with other options, keeping all else in it, comments included.

    Args:
        output: the file to write; relative paths in it start at its folder.
        config: the file to take the rest from, ``None`` for none.
        group: the ``cocorec`` command, whose subcommands say which options are paths.
        workdir: the work directory.
        options: by command, those to put in.
        headline: where they come from, for the first line.
        stands: the file is there and may not be written over.

    Raises:
        UsageError: when the file that stands is not what would be written.
        DataError: when the file cannot be written.
    """
    import tomlkit
    from tomlkit.items import Table

    from stages.artifacts.atomic import atomic_path, remove_leftovers

    folder = output.absolute().parent
    text = config.read_text(encoding="utf-8") if config else ""
    if text.startswith(_MARK):
        text = text.partition("\n")[2]
    content = tomlkit.parse(text)
    if config and config.absolute().parent != folder:
        for name, table in content.items():
            if isinstance(table, Table) and name in group.commands:
                _move_paths(table, get_type_hints(group.commands[name].callback), config.absolute().parent, folder)
    content["workdir"] = os.path.relpath(workdir.absolute(), folder)
    for name, values in options.items():
        if values and name not in content:
            content[name] = tomlkit.table()
        for key, value in values.items():
            spelt = next((found for found in content[name] if found.replace("-", "_") == key), key)
            content[name][spelt] = str(value) if isinstance(value, Path) else value
    made = f"{_MARK}{headline}\n{tomlkit.dumps(content)}"
    if stands:
        remove_leftovers(folder, output.name)
        if output.read_bytes() != made.encode():
            raise there_already(output)
        return
    with atomic_path(output, option="--output") as temporary:
        temporary.write_text(made, encoding="utf-8")


def _move_paths(table: Any, types: Mapping[str, Any], old: Path, new: Path) -> None:
    """Let the relative paths of a table start at another folder."""

    def moved(value: Any) -> Any:
        path = Path(str(value)).expanduser()
        return value if path.is_absolute() else os.path.relpath(old / path, new)

    for key, value in table.items():
        kind = types.get(key.replace("-", "_"))
        if kind is Path or any(part is Path or Path in get_args(part) for part in get_args(kind)):
            table[key] = [moved(part) for part in value] if isinstance(value, list) else moved(value)
