"""From what the user names (files, folders, patterns, addresses) to the files that are read."""

import glob
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal, TypeVar
from urllib.parse import unquote, urlsplit

from stages.artifacts.atomic import not_permitted
from stages.artifacts.errors import DataError, UsageError
from stages.preprocess.sources.opened import plain_name
from stages.preprocess.sources.remote import address_of, fetch, listed

Role = Literal["log", "items"]
AnyPath = TypeVar("AnyPath", Path, PurePath)

_ROLES: dict[Role, str] = {"log": "the log", "items": "what describes the items"}

_DATA = (
    ".csv",
    ".tsv",
    ".jsonl",
    ".ndjson",
    ".json",
    ".parquet",
    ".pq",
    ".arrow",
    ".feather",
    ".ipc",
    ".inter",
    ".item",
    ".text",
)

_PREFERRED: dict[Role, tuple[str, ...]] = {
    "log": ("u.data", "ratings.dat", "ratings.csv", "*.train.inter", "*.train.csv", "*.inter"),
    "items": (
        *("u.item", "movies.dat", "movies.csv", "*.item", "meta_*", "meta.*", "metadata.*"),
        *("items.*", "products.*", "catalogue.*", "catalog.*"),
    ),
}
"""Of a folder that holds a whole data set, what is the log and what describes the items; names without compression."""

_PARTITION = re.compile(r"(?P<column>[^=]+)=(?P<value>.*)")
_NOTHING = "__HIVE_DEFAULT_PARTITION__"
_SHOWN = 8

Folders = tuple[tuple[str, str | None], ...]
"""Columns and values that the names of folders give: ``year=2024/month=05``."""


@dataclass(frozen=True)
class Found:
    """A file to be read.

    Attributes:
        path: the file.
        folders: what the names of its folders say.
    """

    path: Path
    folders: Folders = ()


@dataclass
class PassedOver:
    """What lies in the folders that were named and is not read."""

    _notes: list[tuple[str, list[str], str]] = field(default_factory=list)

    def note(self, folder: str, names: Sequence[str], reason: str) -> None:
        """Remember files of a folder and why they are not read."""
        self._notes.append((folder, list(names), reason))

    def forget(self, folder: str, names: Sequence[str]) -> None:
        """Files of a folder that are read after all."""
        self._notes = [
            (place, [name for name in noted if place != folder or name not in names], reason)
            for place, noted, reason in self._notes
        ]

    @property
    def messages(self) -> list[str]:
        """A sentence a folder and reason."""
        told = []
        for folder, names, reason in self._notes:
            more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
            told += [f"{folder}: passed over {', '.join(names[:_SHOWN])}{more}: {reason}"] if names else []
        return told


def find_files(
    named: Sequence[str | Path], role: Role, workdir: Path, max_bytes: int, passed_over: PassedOver | None = None
) -> list[Found]:
    """The files that are meant, in the order named; those of a folder or pattern in the order of their names.

    Args:
        named: files, folders with all that is below them, patterns such as ``logs/2024-*.csv``, or addresses
            (``https://``, ``s3://``, ``gs://``), over all but HTTP also of folders and patterns.
        role: what the files are to be.
        workdir: where copies of remote files are kept.
        max_bytes: a larger remote file is refused.
        passed_over: learns what lies in the folders and is not read.

    Raises:
        UsageError: when a file is named twice.
        AccessError: when a folder may not be listed.
        DataError: when a pattern or folder holds no file, a name is not UTF-8, or a remote file cannot be fetched.
    """
    passed_over = passed_over or PassedOver()
    files: list[Found] = []
    for name in named:
        try:
            files += _named(name, role, workdir, max_bytes, passed_over)
        except PermissionError as error:
            raise not_permitted(Path(error.filename or name)) from error
        except OSError as error:
            raise DataError(
                f"cannot read {name}: {error.strerror or error}", "Check the path and the permissions of its folders."
            ) from error
    for found in files:
        require_utf8(found.path)
    places = Counter(found.path.resolve() for found in files)
    if twice := next((found.path for found in files if places[found.path.resolve()] > 1), None):
        raise UsageError(f"{twice} is named twice", "Name each file once; a folder or pattern may hold it already.")
    return files


def require_utf8(path: str | Path) -> None:
    """Refuse a path that cannot be written in UTF-8, as old archives unpack them.

    Raises:
        DataError: naming the path.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise DataError(
            f"the path {str(path)!a} is not UTF-8", "Rename the file or folder, or set a UTF-8 locale."
        ) from error


def _named(name: str | Path, role: Role, workdir: Path, max_bytes: int, passed_over: PassedOver) -> list[Found]:
    require_utf8(name)
    path = Path(name)
    if address := address_of(name):
        chosen = _at(address, role, passed_over)
        return [Found(fetch(found, workdir, max_bytes), folders) for found, folders in chosen]
    if path.is_dir():
        return _in_folder(path, role, workdir, passed_over)
    if path.exists() or not glob.has_magic(str(name)):
        return [Found(path)]
    matches = glob.glob(str(name), recursive=True)  # noqa: PTH207  # Path.glob takes no absolute pattern
    passed_over.note(str(name), _closed(str(name)), "permission denied to list the folder")
    found = sorted(Path(match) for match in matches if Path(match).is_file())
    if not found:
        raise DataError(f"no file matches {name}", "Check the pattern; quote it to keep it from the shell.")
    return [Found(path, folders_of(path.parent)) for path in found]


def _closed(pattern: str) -> list[str]:
    """The folders on the way of a pattern that may not be listed, in which ``glob`` finds nothing, without a word."""
    above = [str(folder) for folder in Path(pattern).parents if glob.has_magic(str(folder))]
    found = {match for folder in above for match in glob.glob(folder, recursive=True)}  # noqa: PTH207
    return sorted(path for path in found if Path(path).is_dir() and not os.access(path, os.R_OK | os.X_OK))


def items_beside(log: Sequence[str | Path], passed_over: PassedOver) -> list[Path]:
    """What describes the items in the folders that were named as the log, by its name; files that are named are alone.

    Args:
        log: as the user names it.
        passed_over: forgets what is found here.
    """
    found: list[Path] = []
    for folder in [Path(name) for name in log if address_of(name) is None and Path(name).is_dir()]:
        files = sorted(path for path in folder.iterdir() if path.is_file() and not _is_hidden(path.name))
        for pattern in _PREFERRED["items"]:
            if chosen := [path for path in files if Path(plain_name(path.name)).match(pattern)]:
                chosen = _without_copies(chosen, lambda paths, reason: None)
                passed_over.forget(str(folder), [path.name for path in chosen])
                found += chosen
                break
    return found


def folders_of(path: PurePath) -> Folders:
    """The columns that the names of folders give, such as ``year=2024``."""
    named = [match for part in path.parts if (match := _PARTITION.fullmatch(part))]
    values = {unquote(match["column"]): unquote(match["value"]) for match in named}
    return tuple((column, None if value == _NOTHING else value) for column, value in values.items())


def _in_folder(folder: Path, role: Role, workdir: Path, passed_over: PassedOver) -> list[Found]:
    if (folder / "dataset_dict.json").is_file():
        return [Found(path) for path in _of_dataset_dict(folder)]
    if (folder / "state.json").is_file():
        return [Found(path) for path in _of_dataset(folder)]
    walked = list(os.walk(folder, onerror=_raise))
    below = sorted(Path(root) / name for root, _, names in walked for name in names)
    links = [Path(root) / name for root, names, _ in walked for name in names if (Path(root) / name).is_symlink()]
    made = [path for path in below if path.is_relative_to(workdir)]
    for path in below:
        require_utf8(path)
    present = [path.relative_to(folder) for path in below if path.is_file() and path not in set(made)]
    for paths, reason in (
        ([path for path in below if not path.is_file()], "neither a file nor a link to one"),
        (links, "a link to a folder; name that folder"),
        ([path for path in made if not _is_hidden(path.relative_to(workdir).parts[0])], "in the work directory"),
    ):
        passed_over.note(str(folder), [str(path.relative_to(folder)) for path in paths], reason)
    chosen = _choose(present, role, str(folder), passed_over)
    return [Found(folder / path, folders_of(path.parent)) for path in chosen]


def _raise(error: OSError) -> None:
    raise error


def _at(address: str, role: Role, passed_over: PassedOver) -> list[tuple[str, Folders]]:
    """The addresses of the files that an address means."""
    found = listed(address)
    if found is None:
        return [(address, ())]
    if glob.has_magic(address):
        if not found:
            raise DataError(f"no file matches {address}", "Check the pattern and the access to its folder.")
        return [(other, folders_of(PurePath(unquote(urlsplit(other).path)).parent)) for other in found]
    base = PurePath(unquote(urlsplit(address).path))
    by_path = {PurePath(unquote(urlsplit(other).path)).relative_to(base): other for other in found}
    chosen = _choose(list(by_path), role, address, passed_over)
    return [(by_path[path], folders_of(path.parent)) for path in chosen]


def _choose(files: Sequence[AnyPath], role: Role, folder: str, passed_over: PassedOver) -> list[AnyPath]:
    """Those files of a folder that are meant; the others are noted with the reason."""

    def leave(paths: Sequence[AnyPath], reason: str) -> None:
        passed_over.note(folder, [str(path) for path in paths], reason)

    hidden = [path for path in files if any(_is_hidden(part) for part in path.parts)]
    leave([path for path in hidden if not _is_marker(path.name)], "hidden, or set aside by an underscore")
    present = [path for path in files if path not in set(hidden)]
    for pattern in _PREFERRED[role]:
        if found := [path for path in present if path.with_name(plain_name(path.name)).match(pattern)]:
            leave([path for path in present if path not in found], f"{pattern} is {_ROLES[role]}")
            return found
    found = [path for path in present if plain_name(path.name.lower()).endswith(_DATA)]
    if not found:  # parts as Spark and Hive write them
        found = [path for path in present if not path.suffix]
    else:
        found += [path for path in present if path.name.startswith("part-") and not path.suffix]
    leave([path for path in present if path not in found], "no known kind of file; name it to have it read")
    if role == "log":  # the reviews, where the metadata lie beside them
        patterns = _PREFERRED["items"]
        others = [p for p in found if any(p.with_name(plain_name(p.name)).match(pattern) for pattern in patterns)]
        if others and len(others) < len(found):
            leave(others, "describes the items")
            found = [path for path in found if path not in others]
    found = _without_copies(found, leave)
    if not found:
        raise DataError(
            f"{folder} is a folder without data files ({', '.join(_DATA)}, plain or compressed)",
            "Name the files themselves.",
        )
    return sorted(found)


def _without_copies(files: list[AnyPath], leave: Callable[[Sequence[AnyPath], str], None]) -> list[AnyPath]:
    """Without compressed files that stand beside what they hold."""
    plain = set(files)
    copies = [path for path in files if path.name != plain_name(path.name)]
    copies = [path for path in copies if path.with_name(plain_name(path.name)) in plain]
    leave(copies, "the same file stands beside it, not compressed")
    return [path for path in files if path not in set(copies)]


def _is_hidden(part: str) -> bool:
    """What tools set aside; not ``_id=7``, a partition."""
    return part.startswith(".") or (part.startswith("_") and "=" not in part)


def _is_marker(name: str) -> bool:
    """What Spark and Hadoop lay beside data, and systems in folders: no loss to anybody."""
    return name in ("_SUCCESS", "_committed", "_started", ".DS_Store") or name.endswith(".crc")


def _of_dataset(folder: Path) -> list[Path]:
    """The Arrow files of a Hugging Face dataset on disk, in the order of its rows."""
    parts = _read_json(folder / "state.json").get("_data_files")
    names = [part.get("filename") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    if not names:
        raise DataError(f"{folder / 'state.json'} names no data files", "Save the data set again with `save_to_disk`.")
    return [_inside(folder, name, "state.json") for name in names]


def _of_dataset_dict(folder: Path) -> list[Path]:
    named = _read_json(folder / "dataset_dict.json").get("splits")
    splits = [_inside(folder, name, "dataset_dict.json") for name in named] if isinstance(named, list) else []
    if len(splits) != 1:
        raise DataError(
            f"{folder} holds the splits {', '.join(split.name for split in splits)}, which are not to be mixed",
            f"Name the folder of one, for example {splits[0] if splits else folder}, "
            "or several one after the other to join them.",
        )
    return _of_dataset(splits[0])


def _inside(folder: Path, name: Any, file: str) -> Path:
    """What a data set calls a part of itself: a plain name of a file in the folder.

    Raises:
        DataError: when it is something else.
    """
    if not isinstance(name, str) or Path(name).name != name or name in ("", "..") or "\0" in name:
        raise DataError(
            f"{folder / file}: {name!r} is not the name of something in this folder",
            "Save the data set again with `save_to_disk`.",
        )
    return folder / name


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"cannot read {path}: {error}", "Save the data set again with `save_to_disk`.") from error
    if not isinstance(value, dict):
        raise DataError(f"{path} is not a JSON object", "Save the data set again with `save_to_disk`.")
    return value
