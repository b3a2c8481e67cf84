"""From what the user names (files, folders, patterns, addresses) to the files that are read."""

import glob
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from stages.artifacts.errors import DataError, UsageError
from stages.preprocess.sources.remote import address_of, fetch, listed

Role = Literal["log", "items"]

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
)

_PREFERRED: dict[Role, tuple[str, ...]] = {
    "log": ("u.data", "ratings.dat", "ratings.csv", "*.train.inter", "*.train.csv", "*.train.csv.gz", "*.inter"),
    "items": ("u.item", "movies.dat", "movies.csv", "*.item", "meta_*"),
}
"""Of a folder that holds a whole data set, what is the log and what describes the items."""


def find_files(named: Sequence[str | Path], role: Role, workdir: Path, max_bytes: int) -> list[Path]:
    """The files that are meant, in the order named; those of a folder or pattern in the order of their names.

    Args:
        named: files, folders, patterns such as ``logs/2024-*.csv``, or addresses (``https://``, ``s3://``, ``gs://``),
            over all but HTTP also of folders and patterns.
        role: what the files are to be.
        workdir: where copies of remote files are kept.
        max_bytes: a larger remote file is refused.

    Raises:
        UsageError: when a file is named twice.
        DataError: when a pattern or folder holds no file, or a remote file cannot be fetched.
    """
    files: list[Path] = []
    for name in named:
        try:
            files += _named(name, role, workdir, max_bytes)
        except OSError as error:
            raise DataError(
                f"cannot read {name}: {error.strerror or error}", "Check the path and the permissions of its folders."
            ) from error
    places = Counter(path.resolve() for path in files)
    if twice := next((path for path in files if places[path.resolve()] > 1), None):
        raise UsageError(f"{twice} is named twice", "Name each file once; a folder or pattern may hold it already.")
    return files


def _named(name: str | Path, role: Role, workdir: Path, max_bytes: int) -> list[Path]:
    path = Path(name)
    if address := address_of(name):
        return [fetch(found, workdir, max_bytes) for found in _at(address, role)]
    if path.is_dir():
        return _in_folder(path, role)
    if path.exists() or not glob.has_magic(str(name)):
        return [path]
    matches = glob.glob(str(name), recursive=True)  # noqa: PTH207  # Path.glob takes no absolute pattern
    found = sorted(Path(match) for match in matches if Path(match).is_file())
    if not found:
        raise DataError(f"no file matches {name}", "Check the pattern; quote it to keep it from the shell.")
    return found


def _in_folder(folder: Path, role: Role) -> list[Path]:
    if (folder / "dataset_dict.json").is_file():
        return _of_dataset_dict(folder)
    if (folder / "state.json").is_file():
        return _of_dataset(folder)
    present = sorted(path for path in folder.iterdir() if path.is_file())
    return _choose(present, role, str(folder))


def _at(address: str, role: Role) -> list[str]:
    """The addresses of the files that an address means."""
    found = listed(address)
    if found is None:
        return [address]
    if glob.has_magic(address):
        if not found:
            raise DataError(f"no file matches {address}", "Check the pattern and the access to its folder.")
        return found
    by_path = {Path(unquote(urlsplit(other).path)): other for other in found}
    return [by_path[path] for path in _choose(list(by_path), role, address)]


def _choose(files: list[Path], role: Role, folder: str) -> list[Path]:
    """Those files of a folder that are meant."""
    present = [path for path in files if path.name[0] not in "._"]
    for pattern in _PREFERRED[role]:
        if found := [path for path in present if path.match(pattern)]:
            return found
    found = [path for path in present if path.name.lower().removesuffix(".gz").endswith(_DATA)]
    if role == "log":  # the reviews, where the metadata lie beside them
        found = [path for path in found if not any(map(path.match, _PREFERRED["items"]))] or found
    if not found:
        raise DataError(
            f"{folder} is a folder without data files ({', '.join(_DATA)}, plain or .gz)", "Name the files themselves."
        )
    return found


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
